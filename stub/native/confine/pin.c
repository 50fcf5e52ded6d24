// A path that was approved yesterday may be a link today: whoever may write its parent can swap it, a confined command for one.
// So it is opened without following anything, and held by a descriptor from then on.
#define _GNU_SOURCE
#include "pin.h"
#include "kernel.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIN_FLAGS (O_PATH | O_CLOEXEC)

static int close_failed(int fd, int error) {
  close(fd);
  errno = error;
  return -1;
}

// One component. O_DIRECTORY first: only so does an automount happen, and only so is a link an error.
static int step(int at, const char *name, bool last) {
  int fd = openat(at, name, PIN_FLAGS | O_NOFOLLOW | O_DIRECTORY);
  if (fd >= 0 || errno != ENOTDIR) return fd;
  fd = openat(at, name, PIN_FLAGS | O_NOFOLLOW);
  if (fd < 0) return -1;
  struct stat found;
  if (fstat(fd, &found) != 0) return close_failed(fd, errno);
  if (S_ISLNK(found.st_mode)) return close_failed(fd, ELOOP);
  return last ? fd : close_failed(fd, ENOTDIR);
}

static int walk(int root, const char *path) {
  char name[NAME_MAX + 1];
  int at = openat(root, root == AT_FDCWD ? "/" : ".", PIN_FLAGS | O_DIRECTORY);
  while (at >= 0 && *(path += strspn(path, "/")) != 0) {
    size_t length = strcspn(path, "/");
    if (length > NAME_MAX) return close_failed(at, ENAMETOOLONG);
    memcpy(name, path, length);
    name[length] = 0;
    path += length;
    int next = step(at, name, *path == 0);
    int error = errno;
    close(at);
    errno = error;
    at = next;
  }
  return at;
}

static int open_whole(int root, const char *path, int flags) {
  struct kernel_open_how how = { .flags = (uint64_t)(PIN_FLAGS | flags), .resolve = RESOLVE_NO_SYMLINKS };
  if (root != AT_FDCWD) path = path[1] == 0 ? "." : path + 1;
  return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

int pin_open(int root, const char *path) {
  if (!policy_canonical(path)) { errno = EINVAL; return -1; }
  int fd = open_whole(root, path, O_DIRECTORY);
  if (fd < 0 && errno == ENOTDIR) fd = open_whole(root, path, 0);
  // ENOSYS: an older kernel. EPERM: a container's filter. EAGAIN: a rename raced. The walk gives the true answer.
  if (fd < 0 && (errno == ENOSYS || errno == EPERM || errno == EAGAIN || errno == EINVAL)) fd = walk(root, path);
  return fd;
}

static bool is_approved(int fd, const struct entry *entry) {
  struct stat found;
  if (!entry->identified) return true;
  return fstat(fd, &found) == 0 && found.st_dev == entry->dev && found.st_ino == entry->ino;
}

static int pin_directory(const struct entry *entry, const char *path) {
  int fd = pin_open(AT_FDCWD, path);
  if (fd < 0 || is_approved(fd, entry)) return fd;
  return close_failed(fd, ESTALE);
}

static int pin_file(const struct entry *entry) {
  char parent[PATH_MAX];
  const char *name = strrchr(entry->path, '/') + 1;
  size_t length = (size_t)(name - entry->path);
  if (*name == 0 || length >= sizeof parent) { errno = *name == 0 ? ESTALE : ENAMETOOLONG; return -1; }
  memcpy(parent, entry->path, length);
  parent[length > 1 ? length - 1 : 1] = 0;
  int at = pin_directory(entry, parent);
  if (at < 0) return -1;
  int fd = step(at, name, true);
  int error = errno;
  close(at);
  struct stat found;
  if (fd < 0) { errno = error; return -1; }
  if (fstat(fd, &found) != 0) return close_failed(fd, errno);
  return S_ISDIR(found.st_mode) ? close_failed(fd, ESTALE) : fd;
}

// A link that leads round in a circle leads nowhere.
static int pin_system(const char *path) {
  int fd = open(path, PIN_FLAGS);
  if (fd < 0 && errno == ELOOP) errno = ENOENT;
  return fd;
}

static int pin_by_kind(const struct entry *entry) {
  switch (entry->kind) {
  case ENTRY_SYS: case ENTRY_DEV: case ENTRY_SOCK: return pin_system(entry->path);
  case ENTRY_RO_FILE: case ENTRY_RW_FILE: return pin_file(entry);
  case ENTRY_RO: case ENTRY_RW: case ENTRY_HIDE: case ENTRY_BIND: return pin_directory(entry, entry->path);
  }
  errno = EINVAL;
  return -1;
}

int pin_entry(const struct entry *entry) {
  int fd = pin_by_kind(entry);
  if (fd < 0 && errno == ELOOP) errno = ESTALE;
  return fd;
}

bool pin_absent(int error) { return error == ENOENT || error == ENOTDIR || error == EACCES; }
