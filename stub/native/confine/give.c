#define _GNU_SOURCE
#include "give.h"
#include "aside.h"
#include "kernel.h"
#include "unprivileged.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

void give_answer(int listener, uint64_t id, int error, unsigned flags) {
  struct seccomp_notif_resp answer = { .id = id, .error = error, .flags = flags };
  ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);     // fails only where nobody waits any more
}

// One step from 5.14 on; before that a process killed in between keeps a descriptor for the rest of its short life.
static void hand_over(int listener, const struct giving *to, int fd) {
  struct seccomp_notif_addfd add = {
    .id = to->id, .flags = SECCOMP_ADDFD_FLAG_SEND, .srcfd = (uint32_t)fd, .newfd_flags = to->flags & O_CLOEXEC ? O_CLOEXEC : 0,
  };
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) >= 0) return;
  if (errno != EINVAL) return give_answer(listener, to->id, -errno, 0);
  add.flags = 0;
  struct seccomp_notif_resp answer = { .id = to->id };
  answer.val = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
  if (answer.val < 0) return give_answer(listener, to->id, -errno, 0);
  ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

// Of another process; the strictest where it cannot be read.
static mode_t umask_of(pid_t pid) {
  char path[40], text[256] = "";
  snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 077;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  const char *line = n > 0 ? strstr(text, "\nUmask:") : NULL;
  return line == NULL ? 077 : (mode_t)strtoul(line + 7, NULL, 8);
}

static int open_absent(const struct giving *to, const struct named *what) {
  return openat(what->fd, what->name, (int)to->flags | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, to->mode);
}

static bool makes_temporary(const struct giving *to) { return (to->flags & O_TMPFILE) == O_TMPFILE; }

static int open_pinned(const struct giving *to, const struct named *what) {
  char link[32];
  int flags = (int)to->flags & ~(O_CREAT | O_NOFOLLOW | (makes_temporary(to) ? 0 : O_EXCL));
  snprintf(link, sizeof link, "/proc/self/fd/%d", what->fd);
  return open(link, flags | O_CLOEXEC | O_NOCTTY, to->mode);
}

static int open_as_user(const struct giving *to, const struct named *what) {
  struct privileges saved;
  bool makes = what->absent || makes_temporary(to);
  mode_t before = makes ? umask(umask_of(to->pid)) : 0;
  unprivileged(&saved);
  int fd = what->absent ? open_absent(to, what) : open_pinned(to, what), error = errno;
  privileged_again(&saved);
  if (makes) umask(before);
  errno = error;
  return fd;
}

static void finish(int listener, const struct giving *to, int fd) {
  if (fd < 0) return give_answer(listener, to->id, -errno, 0);
  hand_over(listener, to, fd);
  close(fd);
}

void give(int listener, const struct giving *to, const struct named *what) {
  if (to->change.any) return give_answer(listener, to->id, -change_make(&to->change, to->pid, what), 0);
  bool blocks = !what->absent && !S_ISREG(what->type) && !S_ISDIR(what->type), failed;
  if (!blocks) return finish(listener, to, open_as_user(to, what));
  if (aside(&failed)) {                   // a pipe waits for its other end, a terminal for its line
    int fd;
    while ((fd = open_as_user(to, what)) < 0 && errno == EINTR) aside_check(listener, to->id);
    finish(listener, to, fd);
    _exit(0);
  }
  if (failed) give_answer(listener, to->id, -EAGAIN, 0);
}
