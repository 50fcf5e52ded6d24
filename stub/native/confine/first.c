#define _GNU_SOURCE
#include "first.h"
#include "kernel.h"
#include "pin.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OPEN_MAX_BEFORE_5_9 = 1024 };      // descriptors of ours are few, and low

struct message { uint32_t news; int32_t status, error; uint32_t last; char stage[12], part[28]; };

// ---- in the first process ------------------------------------------------------------------------------------------

static void say(int channel, enum first_news news, int status, bool last, const struct start_failure *failure) {
  struct message message = { .news = news, .status = status, .last = last };
  if (failure != NULL) {
    message.error = failure->error;
    snprintf(message.stage, sizeof message.stage, "%s", failure->stage);
    snprintf(message.part, sizeof message.part, "%s", failure->part ? failure->part : "");
  }
  send(channel, &message, sizeof message, MSG_NOSIGNAL);
}

static void close_between(int first, int last) {
  if (first > last || syscall(SYS_close_range, (unsigned)first, (unsigned)last, 0u) == 0) return;
  for (int fd = first; fd <= last && fd < OPEN_MAX_BEFORE_5_9; fd++) close(fd);
}

// Everything above 2 but these.
static void close_others(const int *keep, size_t count) {
  int from = 3;
  for (;;) {
    int next = -1;
    for (size_t i = 0; i < count; i++)
      if (keep[i] >= from && (next < 0 || keep[i] < next)) next = keep[i];
    if (next < 0) break;
    close_between(from, next - 1);
    from = next + 1;
  }
  close_between(from, ~0u >> 1);
}

static int enter_directory(const struct first *f) {
  struct stat found;
  int fd = pin_open(AT_FDCWD, f->cwd);
  if (fd < 0 || f->place == NULL) return fd;
  if (fstat(fd, &found) == 0 && found.st_dev == f->place->st_dev && found.st_ino == f->place->st_ino) return fd;
  close(fd);
  errno = ESTALE;
  return -1;
}

static pid_t start(const struct first *f, struct start_failure *failure) {
  *failure = (struct start_failure){ "confine", "namespace", 0 };
  failure->error = namespace_settle(&f->confinement->namespaces, &f->confinement->policy);
  if (failure->error != 0) return -1;
  prctl(PR_SET_DUMPABLE, 0);              // nobody inside looks into this process, which was a part of the helper
  failure->part = "directory";
  int cwd = enter_directory(f);
  if (cwd < 0) {
    failure->error = errno;
    return -1;
  }
  pid_t pid = f->start(f->context, cwd, failure);
  close(cwd);
  return pid;
}

// Until nothing is left.
static void look_after(int channel, pid_t program, const sigset_t *awaited, bool alone, bool outlives) {
  for (bool ended = false, told = false;;) {
    int status = 0, end = 0;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
      if (pid == program) {
        ended = true;
        end = status;
      }
    bool last = pid < 0 && errno == ECHILD;
    if (ended && !told) {
      if (outlives) prctl(PR_SET_PDEATHSIG, 0);
      say(channel, FIRST_ENDED, end, last, NULL);
      told = true;
    }
    if (last) return;
    siginfo_t info;
    if (sigwaitinfo(awaited, &info) != SIGTERM || !alone || info.si_pid != 0) continue;     // 0: from outside the namespace
    kill(-1, SIGTERM);
    kill(-1, SIGCONT);
  }
}

static void wipe(char **argv) {
  prctl(PR_SET_NAME, "init", 0, 0, 0);
  for (char **a = argv; a != NULL && *a != NULL; a++) memset(*a, 0, strlen(*a));
}

static void be_first(const struct first *f, int channel) {
  struct start_failure failure;
  sigset_t awaited;
  bool alone = f->confinement->namespaces.processes;
  int keep[FIRST_KEEPS + 2];
  memcpy(keep, f->keep, sizeof f->keep);
  keep[FIRST_KEEPS] = f->confinement->ruleset;
  keep[FIRST_KEEPS + 1] = channel;
  close_others(keep, FIRST_KEEPS + 2);    // the other end of the channel, too
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  struct pollfd parent = { channel, 0, 0 };
  if (poll(&parent, 1, 0) != 0) return;   // it died before the line above
  if (!alone) prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  if (f->session) setsid();
  wipe(f->argv);
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGCHLD);
  sigaddset(&awaited, SIGTERM);
  sigprocmask(SIG_BLOCK, &awaited, NULL);
  pid_t program = start(f, &failure);
  if (program < 0) return say(channel, FIRST_FAILED, 0, true, &failure);
  say(channel, FIRST_RUNNING, 0, false, NULL);
  close_others(&channel, 1);              // a pipe ends when the command has closed it
  if (f->outlives)
    for (int fd = 0; fd < 3; fd++) close(fd);               // they are the program's here
  look_after(channel, program, &awaited, alone, f->outlives);
}

// ---- in its parent -------------------------------------------------------------------------------------------------

// A process between enters the namespaces: the parent itself stays outside. It borrows the parent's memory; its child is the parent's
// own (CLONE_PARENT), with a copy of it.
__attribute__((noinline))
static pid_t between(const struct first *f, int channel, volatile pid_t *first, volatile int *error) {
  pid_t pid = vfork();
  if (pid != 0) return pid;
  *error = namespace_enter(&f->confinement->namespaces);
  if (*error != 0) _exit(1);
  long child = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) {
    be_first(f, channel);
    _exit(0);
  }
  if (child < 0) *error = errno;
  *first = (pid_t)child;
  _exit(0);
}

pid_t first_begin(const struct first *first, int *channel, struct start_failure *failure) {
  int pair[2];
  volatile pid_t pid = -1;
  volatile int error = 0;
  *failure = (struct start_failure){ "confine", "enter", 0 };
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    failure->error = errno;
    return -1;
  }
  pid_t helper = between(first, pair[1], &pid, &error);
  if (helper < 0) error = errno;
  else waitpid(helper, NULL, 0);
  close(pair[1]);
  *channel = pair[0];
  if (error == 0) return pid;
  close(pair[0]);
  failure->error = error;
  return -1;
}

bool first_hear(int channel, bool wait, struct first_said *said) {
  static struct message message;
  ssize_t n;
  do n = recv(channel, &message, sizeof message, wait ? 0 : MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  if (n >= 0 && n != (ssize_t)sizeof message) errno = EPIPE;
  if (n != (ssize_t)sizeof message) return false;
  said->news = message.news;
  said->status = message.status;
  said->last = message.last != 0;
  said->failure = (struct start_failure){ message.stage, message.part[0] != 0 ? message.part : NULL, message.error };
  return true;
}

void first_terminate(pid_t first) { kill(first, SIGTERM); }
