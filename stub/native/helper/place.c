// A directory that a command may write to is removed while what the command left running may still swap a part of it for a link.
#define _GNU_SOURCE
#include "place.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 256

// A directory of ours may be closed by its mode: it is opened by chmod through a descriptor, which follows no link.
static int open_below(int directory, const char *name) {
  int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd >= 0 || errno != EACCES) return fd;
  char self[32];
  int found = openat(directory, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
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
