// Compiled in front of node-pty's source (scripts/build/pty-addon.ts). node-pty's own forkpty leaves the master of every terminal
// open in all processes that are started later: a terminal would then not hang up, and could be read, while any of them lives.
// This one marks the master, and whatever else of the stub's is not marked, to be closed at exec.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

/** Kernels before 5.11 cannot mark a range; Node marks its own, so this many are enough for what a parent may have left. */
static const int marked_one_by_one = 1024;

static void close_the_rest_at_exec() {
#ifdef SYS_close_range
  if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) == 0) return;
#endif
  for (int fd = 3; fd < marked_one_by_one; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static pid_t fork_private_pty(int *master, char *, const struct termios *modes, const struct winsize *size) {
  int parent = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (parent < 0) return -1;
  char name[64];
  int child = -1;
  if (grantpt(parent) == 0 && unlockpt(parent) == 0 && ptsname_r(parent, name, sizeof name) == 0) {
    child = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  }
  if (child < 0) {
    close(parent);
    return -1;
  }
  tcsetattr(child, TCSANOW, modes);
  ioctl(child, TIOCSWINSZ, size);
  pid_t pid = fork();
  if (pid == 0) {
    close_the_rest_at_exec();
    if (login_tty(child) != 0) _exit(1);
    return 0;
  }
  close(child);
  if (pid < 0) {
    close(parent);
    return -1;
  }
  *master = parent;
  return pid;
}

// The stub's memory holds its token and its approvers' secrets. A command of the same user could read it through /proc or a debugger;
// from the moment that this is loaded it cannot. Here, because nothing else of the stub is native code in its own process, and because
// a measure of the launcher's would not outlive its exec.
__attribute__((constructor)) static void close_own_memory() { prctl(PR_SET_DUMPABLE, 0); }

#define forkpty fork_private_pty
