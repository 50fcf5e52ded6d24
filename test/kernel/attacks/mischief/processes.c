// Reaching into other processes of the same user, and signalling them.
#define _GNU_SOURCE
#include "mischief.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PR_SET_PTRACER
#define PR_SET_PTRACER 0x59616d61
#define PR_SET_PTRACER_ANY ((unsigned long)-1)
#endif

static char memory[256];

// FILE: has it in memory and open; tells "PID ADDRESS FD". Lets itself be traced, so that Yama does not decide the control.
static int hold(char **args) {
  slurp(args[0], memory, sizeof memory - 1);
  int file = open(args[0], O_RDONLY);
  int pipes[2];
  if (pipe(pipes)) give_up("pipe");
  if (fork() == 0) {
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    become_bystander("");
    char told[96];
    int length = snprintf(told, sizeof told, "%d %lu %d\n", getpid(), (unsigned long)memory, file);
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    if (write(pipes[1], told, (size_t)length) != length) _exit(1);
    close(pipes[1]);
    for (;;) pause();
  }
  close(pipes[1]);
  char told[96];
  ssize_t length = read(pipes[0], told, sizeof told);
  if (length <= 0) give_up("hold");
  say(told, (size_t)length);
  return 0;
}

// PID ADDRESS
static int trace(char **args) {
  pid_t pid = atoi(args[0]);
  char *address = (char *)strtoul(args[1], NULL, 10);
  if (ptrace(PTRACE_ATTACH, pid, NULL, NULL)) give_up("ptrace");
  waitpid(pid, NULL, 0);
  char found[64];
  for (size_t at = 0; at < sizeof found; at += sizeof(long)) {
    long word = ptrace(PTRACE_PEEKDATA, pid, address + at, NULL);
    memcpy(found + at, &word, sizeof word);
  }
  say(found, strnlen(found, sizeof found));
  ptrace(PTRACE_DETACH, pid, NULL, NULL);
  return 0;
}

static int seize(char **args) {
  pid_t pid = atoi(args[0]);
  char *address = (char *)strtoul(args[1], NULL, 10);
  if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) || ptrace(PTRACE_INTERRUPT, pid, NULL, NULL)) give_up("ptrace");
  waitpid(pid, NULL, 0);
  char found[64] = "";
  for (size_t at = 0; at < sizeof found; at += sizeof(long)) {
    long word = ptrace(PTRACE_PEEKDATA, pid, address + at, NULL);
    memcpy(found + at, &word, sizeof word);
  }
  say(found, strnlen(found, sizeof found));
  return 0;
}

static int read_memory(char **args) {
  char found[64];
  struct iovec here = {found, sizeof found}, there = {(void *)strtoul(args[1], NULL, 10), sizeof found};
  ssize_t length = process_vm_readv(atoi(args[0]), &here, 1, &there, 1, 0);
  if (length < 0) give_up("process_vm_readv");
  say(found, strnlen(found, (size_t)length));
  return 0;
}

static int proc_memory(char **args) {
  char path[64], found[64];
  snprintf(path, sizeof path, "/proc/%s/mem", args[0]);
  int file = open(path, O_RDONLY);
  if (file < 0 || pread(file, found, sizeof found, (off_t)strtoul(args[1], NULL, 10)) < 0) give_up(path);
  say(found, strnlen(found, sizeof found));
  return 0;
}

// PID FD
static int take_descriptor(char **args) {
  int process = (int)syscall(434 /* pidfd_open */, atoi(args[0]), 0);
  if (process < 0) give_up("pidfd_open");
  int file = (int)syscall(438 /* pidfd_getfd */, process, atoi(args[1]), 0);
  if (file < 0) give_up("pidfd_getfd");
  ssize_t length = pread(file, memory, sizeof memory, 0);
  if (length < 0) give_up("read");
  say(memory, (size_t)length);
  return 0;
}

static int signal_by_pidfd(char **args) {
  int process = (int)syscall(434, atoi(args[0]), 0);
  if (process < 0 || syscall(424 /* pidfd_send_signal */, process, SIGTERM, NULL, 0)) give_up("pidfd_send_signal");
  return 0;
}

static int signal_thread(char **args) {
  if (syscall(SYS_tgkill, atoi(args[0]), atoi(args[0]), SIGTERM)) give_up("tgkill");
  return 0;
}

static int signal_queue(char **args) {
  if (sigqueue(atoi(args[0]), SIGTERM, (union sigval){0})) give_up("sigqueue");
  return 0;
}

// By the owner of a pipe that becomes readable: the kernel sends it.
static int signal_by_owner(char **args) {
  int pipes[2];
  if (pipe(pipes) || fcntl(pipes[0], F_SETOWN, atoi(args[0])) || fcntl(pipes[0], F_SETSIG, SIGTERM) ||
      fcntl(pipes[0], F_SETFL, O_ASYNC))
    give_up("fcntl");
  if (write(pipes[1], "x", 1) != 1) give_up("write");
  return 0;
}

// PID: waits until it has ended, at most a second; fails if it lives. What nobody has waited for yet has ended.
static int gone(char **args) {
  for (int tries = 0; tries < 100; tries++) {
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/%s/stat", args[0]);
    int file = open(path, O_RDONLY);
    ssize_t length = file < 0 ? 0 : read(file, text, sizeof text - 1);
    if (file >= 0) close(file);
    if (length <= 0 || strstr(text, ") Z ") || strstr(text, ") X ")) return 0;
    usleep(10000);
  }
  return 1;
}

const struct deed process_deeds[] = {
  {"hold", hold},
  {"trace", trace},
  {"seize", seize},
  {"read-memory", read_memory},
  {"proc-memory", proc_memory},
  {"take-descriptor", take_descriptor},
  {"signal-by-pidfd", signal_by_pidfd},
  {"signal-thread", signal_thread},
  {"signal-queue", signal_queue},
  {"signal-by-owner", signal_by_owner},
  {"gone", gone},
  {NULL, NULL},
};
