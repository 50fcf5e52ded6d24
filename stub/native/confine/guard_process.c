#define _GNU_SOURCE
#include "guard_process.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

static bool read_file(pid_t pid, const char *name, char *out, size_t room) {
  char path[48];
  snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t n = read(fd, out, room - 1);
  close(fd);
  if (n <= 0) return false;
  out[n] = 0;
  return true;
}

bool process_is_ours(pid_t pid) {
  char text[1024];
  if (!read_file(pid, "status", text, sizeof text)) return true;       // there is none: the kernel says so
  const char *state = strstr(text, "\nState:\t"), *tracer = strstr(text, "\nTracerPid:\t");
  if (state != NULL && (state[8] == 'Z' || state[8] == 'X')) return true;
  return tracer != NULL && atoi(tracer + 12) == getpid();
}

bool process_group_is_ours(pid_t group) {
  bool ours = true;
  DIR *proc = opendir("/proc");
  if (proc == NULL) return false;
  for (struct dirent *entry; ours && (entry = readdir(proc)) != NULL;) {
    pid_t pid = (pid_t)atoi(entry->d_name);
    if (pid > 0 && getpgid(pid) == group) ours = process_is_ours(pid);
  }
  closedir(proc);
  return ours;
}

bool process_path(const char *real, pid_t *pid) {
  if (strncmp(real, "/proc/", 6) != 0 || real[6] < '0' || real[6] > '9') return false;
  *pid = (pid_t)atoi(real + 6);
  return true;
}

bool process_look_is_harmless(const char *real) {
  static const char *const names[] = { "stat", "statm", "status", "cmdline", "comm", "cgroup", "loginuid", "sessionid", "oom_score", "wchan", "task" };
  const char *name = strchr(real + 6, '/');
  if (name == NULL) return true;          // the directory itself
  name++;
  if (strncmp(name, "task/", 5) == 0) {
    name = strchr(name + 5, '/');
    if (name == NULL) return true;
    name++;
  }
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(name, names[i]) == 0) return true;
  return false;
}

bool process_owns_terminal(pid_t task, const char *real, int64_t since) {
  char text[1024];
  struct stat found;
  unsigned terminal = 0;
  if (strncmp(real, "/dev/pts/", 9) != 0 || stat(real, &found) != 0) return false;
  if (found.st_ctime >= since) return true;
  if (!read_file(task, "stat", text, sizeof text)) return false;
  const char *rest = strrchr(text, ')');  // the name before it may hold anything
  if (rest == NULL || sscanf(rest + 1, " %*c %*d %*d %*d %u", &terminal) != 1) return false;
  unsigned low = minor(found.st_rdev), high = major(found.st_rdev);
  return terminal == ((low & 0xff) | high << 8 | (low & ~0xffu) << 12);
}

// Where process_vm_readv is not there (a container's filter).
static int peek(pid_t task, uint64_t at, char *out, size_t length) {
  for (size_t done = 0; done < length;) {
    uint64_t from = (at + done) & ~(uint64_t)(sizeof(long) - 1);
    size_t skip = (size_t)(at + done - from), part = sizeof(long) - skip;
    if (part > length - done) part = length - done;
    errno = 0;
    long word = ptrace(PTRACE_PEEKDATA, task, (void *)(uintptr_t)from, NULL);
    if (errno != 0) return errno == EIO ? EFAULT : errno;
    memcpy(out + done, (char *)&word + skip, part);
    done += part;
  }
  return 0;
}

int process_read(pid_t task, uint64_t at, void *out, size_t length) {
  struct iovec here = { out, length }, there = { (void *)(uintptr_t)at, length };
  ssize_t n = process_vm_readv(task, &here, 1, &there, 1, 0);
  if (n == (ssize_t)length) return 0;
  if (n < 0 && errno == ENOSYS) return peek(task, at, out, length);
  return n < 0 ? errno : EFAULT;
}

int process_read_text(pid_t task, uint64_t at, char *out, size_t room) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  for (size_t have = 0; have < room;) {
    size_t part = page - (size_t)((at + have) & (page - 1));           // the next page may not be there
    if (part > room - have) part = room - have;
    int error = process_read(task, at + have, out + have, part);
    if (error != 0) return error;
    if (memchr(out + have, 0, part) != NULL) return 0;
    have += part;
  }
  return ENAMETOOLONG;
}
