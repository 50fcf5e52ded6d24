// Removes from `bin` what nobody uses: leftovers of unpacks that were killed, and versions before the last one.
// Only names that the launcher itself makes are ever touched.
#include "launcher.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

// Where there is no lock, a leftover is what nobody can be writing any more.
#define LEFTOVER_SECONDS 3600

static void remove_at(int parent, const char *name) {
  if (unlinkat(parent, name, 0) == 0 || (errno != EISDIR && errno != EPERM)) return;
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *directory = fd < 0 ? NULL : fdopendir(fd);
  if (directory == NULL) return;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) remove_at(dirfd(directory), entry->d_name);
  closedir(directory);
  unlinkat(parent, name, AT_REMOVEDIR);
}

void remove_tree(const char *path) { remove_at(AT_FDCWD, path); }

static bool starts_with(const char *text, const char *start) { return strncmp(text, start, strlen(start)) == 0; }

void sweep_leftovers(const char *bin, bool lock_held) {
  DIR *directory = opendir(bin);
  if (directory == NULL) return;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    if (!starts_with(entry->d_name, ".unpack-") && !starts_with(entry->d_name, ".remove-")) continue;
    struct stat status;
    if (fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(status.st_mode)) continue;
    if (lock_held || time(NULL) - status.st_mtime > LEFTOVER_SECONDS) remove_at(dirfd(directory), entry->d_name);
  }
  closedir(directory);
}

// First renamed, so that nothing half removed stands under a name that a start trusts.
void set_aside_and_remove(const char *bin, const char *directory) {
  char aside[PATH_MAX];
  path_join(aside, "%s/.remove-%ld-%s", bin, (long)getpid(), strrchr(directory, '/') + 1);
  if (rename(directory, aside) < 0) {
    if (errno != ENOENT) fail_writing(directory, errno);
    return;
  }
  remove_tree(aside);
}

// `<version>-<16 hex digits>`
static bool is_unpack_name(const char *name) {
  const char *dash = strrchr(name, '-');
  if (!isdigit((unsigned char)name[0]) || dash == NULL || strlen(dash + 1) != 16) return false;
  return strspn(dash + 1, "0123456789abcdef") == 16;
}

// The lock that use_existing holds for a running stub.
static bool is_in_use(int complete) { return flock(complete, LOCK_EX | LOCK_NB) < 0; }

// Keeps the current one, the one before it, and every one that a stub runs from.
void sweep_old_versions(const char *bin, const char *current) {
  char newest[PATH_MAX] = "";
  time_t newest_time = 0;
  for (int removing = 0; removing < 2; removing++) {
    DIR *directory = opendir(bin);
    if (directory == NULL) return;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
      char path[PATH_MAX], complete[PATH_MAX];
      path_join(path, "%s/%s", bin, entry->d_name);
      path_join(complete, "%s/complete", path);
      struct stat status;
      if (!is_unpack_name(entry->d_name) || strcmp(path, current) == 0) continue;
      if (lstat(complete, &status) < 0 || !S_ISREG(status.st_mode)) continue;
      if (!removing) {
        if (newest[0] == 0 || status.st_mtime > newest_time) {
          newest_time = status.st_mtime;
          path_join(newest, "%s", path);
        }
      } else if (strcmp(path, newest) != 0) {
        int fd = open(complete, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) continue;
        if (!is_in_use(fd)) set_aside_and_remove(bin, path);
        close(fd);
      }
    }
    closedir(directory);
  }
}
