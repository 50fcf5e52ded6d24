#define _GNU_SOURCE
#include "connecting.h"
#include "aside.h"
#include "give.h"
#include "grants.h"
#include "named.h"
#include "unprivileged.h"
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

union address {
  struct sockaddr any;
  struct sockaddr_un local;
  struct sockaddr_storage room;
};

struct attempt {
  int socket, family;
  union address address;
  socklen_t length;
  int pinned;                             // of a unix socket's path; -1: none
};

static pid_t process_of(pid_t thread) {
  char path[40], text[1024];
  snprintf(path, sizeof path, "/proc/%d/status", (int)thread);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  if (n < 0) return -1;
  text[n] = 0;
  const char *line = strstr(text, "\nTgid:");
  return line == NULL ? -1 : (pid_t)strtol(line + 6, NULL, 10);
}

// The socket behind a descriptor of another process. Its threads share them; one that no longer does is not worth a look.
static int take(pid_t thread, int descriptor) {
  int process = (int)syscall(SYS_pidfd_open, thread, 0);
  if (process < 0) process = (int)syscall(SYS_pidfd_open, process_of(thread), 0);
  if (process < 0) return -1;
  int fd = (int)syscall(SYS_pidfd_getfd, process, descriptor, 0), error = errno;
  close(process);
  errno = error == EPERM ? EACCES : error;
  return fd;
}

static int option(int socket, int which) {
  int value = -1;
  socklen_t length = sizeof value;
  return getsockopt(socket, SOL_SOCKET, which, &value, &length) == 0 ? value : -1;
}

// Of a unix socket: pins what the address names and makes it the address. 0 or an errno.
static int allow_local(struct attempt *attempt, pid_t pid, const struct notify_hooks *hooks) {
  static struct named named;
  char path[sizeof attempt->address.local.sun_path + 2] = "";
  int type = option(attempt->socket, SO_TYPE);
  size_t head = offsetof(struct sockaddr_un, sun_path), length = attempt->length > head ? attempt->length - head : 0;
  if (attempt->address.any.sa_family != AF_UNIX || length == 0 || length > sizeof path - 2) return EINVAL;
  const char *name = attempt->address.local.sun_path;
  memcpy(path, name, length);
  if (name[0] == 0 || (type != SOCK_STREAM && type != SOCK_SEQPACKET)) {
    if (name[0] == 0) path[0] = '@';
    hooks->blocked(path, true, "connect");
    return EACCES;
  }
  if (named_inside(pid, AT_FDCWD, path, 0, &named) != FOUND) return ENOENT;
  attempt->pinned = named.fd;
  if (!S_ISSOCK(named.type)) return ECONNREFUSED;
  if (!grants_socket(named.real)) {
    hooks->blocked(named.real, true, "connect");
    return EACCES;
  }
  memset(&attempt->address, 0, sizeof attempt->address);
  attempt->address.local.sun_family = AF_UNIX;
  int n = snprintf(attempt->address.local.sun_path, sizeof attempt->address.local.sun_path, "/proc/self/fd/%d", attempt->pinned);
  attempt->length = (socklen_t)(head + (size_t)n + 1);
  return 0;
}

static int connect_as_user(const struct attempt *attempt) {
  struct privileges saved;
  unprivileged(&saved);
  int error = connect(attempt->socket, &attempt->address.any, attempt->length) == 0 ? 0 : errno;
  privileged_again(&saved);
  return error;
}

// Most of them wait for their peer; datagrams of the internet, and netlink, only note an address.
static bool waits(const struct attempt *attempt) {
  int type = option(attempt->socket, SO_TYPE);
  bool internet = attempt->family == AF_INET || attempt->family == AF_INET6;
  bool notes = attempt->family == AF_NETLINK || (internet && (type == SOCK_DGRAM || type == SOCK_RAW));
  return !notes && !(fcntl(attempt->socket, F_GETFL) & O_NONBLOCK);
}

// Whether the socket's own time limit has passed; the kernel counts it anew at each attempt.
static bool timed_out(int socket, const struct timespec *began) {
  struct timeval limit = { 0, 0 };
  struct timespec now;
  socklen_t length = sizeof limit;
  getsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, &length);
  if (limit.tv_sec == 0 && limit.tv_usec == 0) return false;
  clock_gettime(CLOCK_MONOTONIC, &now);
  int64_t passed = (now.tv_sec - began->tv_sec) * 1000000LL + (now.tv_nsec - began->tv_nsec) / 1000;
  return passed >= limit.tv_sec * 1000000LL + limit.tv_usec;
}

static _Noreturn void connect_aside(int listener, uint64_t id, const struct attempt *attempt) {
  struct timespec began;
  int error;
  clock_gettime(CLOCK_MONOTONIC, &began);
  while ((error = connect_as_user(attempt)) == EINTR) {
    aside_check(listener, id);
    if (!timed_out(attempt->socket, &began)) continue;
    error = attempt->family == AF_UNIX ? EAGAIN : EINPROGRESS;
    break;
  }
  give_answer(listener, id, -error, 0);
  _exit(0);
}

// 0 or an errno; `*answered`: a child answers.
static int attempt_it(int listener, const struct seccomp_notif *call, const struct notify_hooks *hooks, struct attempt *attempt,
                      bool *answered) {
  pid_t pid = (pid_t)call->pid;
  uint64_t id = call->id;
  attempt->length = (socklen_t)call->data.args[2];
  if (attempt->length < sizeof(sa_family_t) || attempt->length > sizeof attempt->address) return EINVAL;
  if (!named_copy(pid, call->data.args[1], &attempt->address, attempt->length)) return errno == EPERM ? EACCES : EFAULT;
  attempt->socket = take(pid, (int)call->data.args[0]);
  if (attempt->socket < 0) return errno;
  attempt->family = option(attempt->socket, SO_DOMAIN);
  if (attempt->family < 0) return ENOTSOCK;
  int error = attempt->family == AF_UNIX ? allow_local(attempt, pid, hooks) : 0;
  if (error != 0) return error;
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) != 0) return ESRCH;       // another process may have had the pid
  if (!waits(attempt)) return connect_as_user(attempt);
  bool failed;
  if (aside(&failed)) connect_aside(listener, id, attempt);
  *answered = !failed;
  return EAGAIN;
}

void connecting(int listener, const struct seccomp_notif *call, const struct notify_hooks *hooks) {
  struct attempt attempt = { .socket = -1, .pinned = -1 };
  bool answered = false;
  int error = attempt_it(listener, call, hooks, &attempt, &answered);
  if (!answered) give_answer(listener, call->id, -error, 0);
  if (attempt.pinned >= 0) close(attempt.pinned);
  if (attempt.socket >= 0) close(attempt.socket);
}
