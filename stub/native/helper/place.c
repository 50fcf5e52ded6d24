// The stub checked a path; between its check and now anyone who may write there can have swapped a component for a link.
// chdir(path) would follow it. So the path is opened with links refused by the kernel (openat2, Linux 5.6), or walked
// component by component with O_NOFOLLOW where the kernel is older, and the command starts in that descriptor.
#define _GNU_SOURCE
#include "place.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_openat2
#define SYS_openat2 437                   // the same number on every architecture
#endif
#define DIRECTORY_FLAGS (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define NO_SYMLINKS 0x04                  // RESOLVE_NO_SYMLINKS
#define DEPTH_MAX 256

static int walk(const char *path) {
  int at = open("/", DIRECTORY_FLAGS);
  char name[NAME_MAX + 1];
  while (at >= 0) {
    path += strspn(path, "/");
    size_t length = strcspn(path, "/");
    if (length == 0) return at;
    int next = -1;
    if (length > NAME_MAX) errno = ENAMETOOLONG;
    else {
      memcpy(name, path, length);
      name[length] = 0;
      next = openat(at, name, DIRECTORY_FLAGS);
      struct stat there;
      if (next < 0 && errno == ENOTDIR && fstatat(at, name, &there, AT_SYMLINK_NOFOLLOW) == 0)
        errno = S_ISLNK(there.st_mode) ? ELOOP : ENOTDIR;
    }
    int error = errno;
    close(at);
    errno = error;
    at = next;
    path += length;
  }
  return -1;
}

// Canonical: absolute, no "." and no ".." component.
static int is_canonical(const char *path) {
  if (path[0] != '/') return 0;
  for (const char *p = path; *p; p += strcspn(p, "/")) {
    p += strspn(p, "/");
    size_t length = strcspn(p, "/");
    if ((length == 1 && p[0] == '.') || (length == 2 && p[0] == '.' && p[1] == '.')) return 0;
  }
  return 1;
}

int place_open(const char *path) {
  if (!is_canonical(path)) { errno = EINVAL; return -1; }
  uint64_t how[3] = { DIRECTORY_FLAGS & ~O_NOFOLLOW, 0, NO_SYMLINKS };   // the latter covers the last component, with ELOOP
  int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, how, sizeof how);
  // ENOSYS: an older kernel. EPERM: a container's filter. EAGAIN: a rename raced. The walk gives the true answer.
  if (fd < 0 && (errno == ENOSYS || errno == EPERM || errno == EAGAIN || errno == EINVAL)) fd = walk(path);
  return fd;
}

// A directory of ours may be closed by its mode: it is opened by chmod through a descriptor, which follows no link.
static int open_below(int directory, const char *name) {
  int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd >= 0 || errno != EACCES) return fd;
  char self[32];
  int found = openat(directory, name, DIRECTORY_FLAGS);
  if (found < 0) return -1;
  snprintf(self, sizeof self, "/proc/self/fd/%d", found);
  if (chmod(self, 0700) == 0) fd = open(self, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  close(found);
  return fd;
}

static void remove_below(int directory, int depth) {
  DIR *list = fdopendir(directory);
  if (list == NULL) { close(directory); return; }
  for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
    const char *name = entry->d_name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
    if (unlinkat(dirfd(list), name, 0) == 0) continue;
    if (depth >= DEPTH_MAX) continue;
    int below = open_below(dirfd(list), name);
    if (below < 0) continue;
    remove_below(below, depth + 1);
    unlinkat(dirfd(list), name, AT_REMOVEDIR);
  }
  closedir(list);
}

void place_remove(const char *path) {
  if (path[0] != '/' || path[1] == 0) return;
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return;
  remove_below(fd, 0);
  rmdir(path);
}
