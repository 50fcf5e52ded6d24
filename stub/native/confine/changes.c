#define _GNU_SOURCE
#include "changes.h"
#include "unprivileged.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

enum { ATTRIBUTE_NAME = 256, ATTRIBUTE_VALUE = 65536 };   // as the kernel has them

bool is_change(const struct call *call) {
  static const char *const OPERATIONS[] = { "chmod", "chown", "utime", "setxattr", "removexattr", "setattr" };
  for (size_t i = 0; i < sizeof OPERATIONS / sizeof *OPERATIONS; i++)
    if (strcmp(call->operation, OPERATIONS[i]) == 0) return true;
  return false;
}

// How a libc names one of its own descriptors where a call takes none.
static bool names_descriptor(const char *path, int *out) {
  static const char *const PLACES[] = { "/proc/self/fd/", "/proc/thread-self/fd/", "/dev/fd/" };
  for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
    size_t length = strlen(PLACES[i]);
    char *end;
    if (strncmp(path, PLACES[i], length) != 0 || path[length] < '0' || path[length] > '9') continue;
    *out = (int)strtol(path + length, &end, 10);
    return *end == 0;
  }
  return false;
}

int change_find(const struct seccomp_notif *q, const struct call *call, const char *path, struct named *out) {
  const struct call_path *where = &call->paths[0];
  unsigned flags = call->flags_kind == FLAGS_AT ? (unsigned)q->data.args[call->flags] : 0;
  int at = where->directory < 0 ? AT_FDCWD : (int)q->data.args[where->directory], descriptor;
  bool by_name = where->how & CALL_NAME || flags & AT_SYMLINK_NOFOLLOW;
  if (path[0] == 0 && flags & AT_EMPTY_PATH && at != AT_FDCWD) return named_descriptor((pid_t)q->pid, at, out) == FOUND ? 0 : EBADF;
  if (!by_name && names_descriptor(path, &descriptor)) {
    return named_descriptor((pid_t)q->pid, descriptor, out) == FOUND ? 0 : ENOENT;
  }
  errno = 0;
  if (path[0] == 0 && flags & AT_EMPTY_PATH) path = ".";
  if (named_inside((pid_t)q->pid, at, path, by_name ? NAMED_NOFOLLOW : 0, out) == FOUND) return 0;
  return errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG ? errno : EACCES;
}

// Numbers of a call that only one architecture has are no cases of the other's.
#ifndef SYS_chmod
#define SYS_chmod (-1)
#define SYS_chown (-2)
#define SYS_lchown (-3)
#define SYS_utime (-4)
#define SYS_utimes (-5)
#define SYS_futimesat (-6)
#endif

static int result(long returned) { return returned == 0 ? 0 : errno; }

static int change_owner(const struct named *what, uint64_t user, uint64_t group) {
  return result(fchownat(what->fd, "", (uid_t)user, (gid_t)group, AT_EMPTY_PATH));
}

static int set_times(const struct named *what, const char *path, const struct timespec *times) {
  if (S_ISLNK(what->type)) return result(utimensat(what->fd, "", times, AT_EMPTY_PATH));
  return result(utimensat(AT_FDCWD, path, times, 0));
}

// `address`: two of them, or none for the present.
static int change_times(const struct change *change, pid_t pid, const struct named *what, const char *path, uint64_t address) {
  struct timespec times[2] = { { 0, 0 }, { 0, 0 } };
  struct timeval with_micros[2];
  struct utimbuf seconds;
  if (address == 0) return set_times(what, path, NULL);
  switch (change->number) {
  case SYS_utimensat:
    if (!named_copy(pid, address, times, sizeof times)) return EFAULT;
    break;
  case SYS_utime:
    if (!named_copy(pid, address, &seconds, sizeof seconds)) return EFAULT;
    times[0].tv_sec = seconds.actime;
    times[1].tv_sec = seconds.modtime;
    break;
  default:
    if (!named_copy(pid, address, with_micros, sizeof with_micros)) return EFAULT;
    for (int i = 0; i < 2; i++) {
      if (with_micros[i].tv_usec < 0 || with_micros[i].tv_usec >= 1000000) return EINVAL;
      times[i] = (struct timespec){ with_micros[i].tv_sec, with_micros[i].tv_usec * 1000 };
    }
  }
  return set_times(what, path, times);
}

static int set_attribute(const struct change *change, pid_t pid, const char *path, const char *name) {
  uint64_t size = change->args[3];
  if (size > ATTRIBUTE_VALUE) return E2BIG;
  char *value = malloc(size + 1);
  if (value == NULL) return ENOMEM;
  int error = size == 0 || named_copy(pid, change->args[2], value, size) ? 0 : EFAULT;
  if (error == 0) error = result(setxattr(path, name, value, size, (int)change->args[4]));
  free(value);
  return error;
}

static int change_attribute(const struct change *change, pid_t pid, const struct named *what, const char *path) {
  char name[ATTRIBUTE_NAME];
  if (S_ISLNK(what->type)) return EPERM;  // as the kernel says of what a user may set there
  if (!named_read(pid, change->args[1], name, sizeof name)) return ERANGE;
  bool set = change->number == SYS_setxattr || change->number == SYS_lsetxattr;
  return set ? set_attribute(change, pid, path, name) : result(removexattr(path, name));
}

static int make(const struct change *change, pid_t pid, const struct named *what) {
  char path[32];
  const uint64_t *args = change->args;
  snprintf(path, sizeof path, "/proc/self/fd/%d", what->fd);
  switch (change->number) {
  case SYS_chmod: return result(chmod(path, (mode_t)args[1]));
  case SYS_fchmodat: case SYS_fchmodat2:
    return S_ISLNK(what->type) ? EOPNOTSUPP : result(chmod(path, (mode_t)args[2]));
  case SYS_chown: case SYS_lchown: return change_owner(what, args[1], args[2]);
  case SYS_fchownat: return change_owner(what, args[2], args[3]);
  case SYS_utime: case SYS_utimes: return change_times(change, pid, what, path, args[1]);
  case SYS_futimesat: case SYS_utimensat: return change_times(change, pid, what, path, args[2]);
  case SYS_setxattr: case SYS_lsetxattr: case SYS_removexattr: case SYS_lremovexattr:
    return change_attribute(change, pid, what, path);
  default: return ENOSYS;                 // setxattrat, removexattrat, file_setattr: programs still know the older ones
  }
}

int change_make(const struct change *change, pid_t pid, const struct named *what) {
  struct privileges saved;
  unprivileged(&saved);
  int error = make(change, pid, what);
  privileged_again(&saved);
  return error;
}
