// What must be there before 110 MB are written, and what a failed write or execution means.
#include "launcher.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

// Node reserves address space far beyond what it uses; below this it dies without a word of what is wrong.
#define ADDRESS_SPACE_NEEDED (1500ULL * 1000 * 1000)
// For `complete`, directories and blocks that are not full.
#define SLACK (4ULL * 1024 * 1024)

void check_address_space(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY) return;
  if (limit.rlim_cur < ADDRESS_SPACE_NEEDED)
    fail(EXIT_ADDRESS_SPACE, "the address space is limited to %llu MB (ulimit -v), 1500 MB are needed",
         (unsigned long long)limit.rlim_cur / 1000000);
}

void check_room(const char *directory, const struct container *container) {
  struct statvfs disk;
  if (statvfs(directory, &disk) < 0) return; // writing will tell
  if (disk.f_flag & ST_NOEXEC)
    fail(EXIT_NOEXEC, "%s is on a file system mounted noexec: set installRoot to a directory on another one", directory);
  uint64_t free_bytes = (uint64_t)(geteuid() == 0 ? disk.f_bfree : disk.f_bavail) * disk.f_frsize;
  uint64_t needed = container->unpacked_size + SLACK;
  if (free_bytes < needed)
    fail(EXIT_NO_SPACE, "%s has %llu MB free, %llu MB are needed: free space, or set installRoot to another file system",
         directory, (unsigned long long)free_bytes / 1000000, (unsigned long long)(needed + 999999) / 1000000);
  uint64_t free_inodes = geteuid() == 0 ? disk.f_ffree : disk.f_favail;
  // Parts, `complete`, two directories, the lock. File systems without a fixed number of inodes report 0 in all.
  if (disk.f_files != 0 && free_inodes < container->part_count + 4)
    fail(EXIT_NO_INODES, "%s is on a file system without free inodes: remove files there, or set installRoot", directory);
}

void fail_writing(const char *path, int error) {
  if (error == ENOSPC || error == EDQUOT) {
    char directory[PATH_MAX];
    path_join(directory, "%s", path);
    struct statvfs disk;
    // The path itself may be what could not be made: ask the nearest directory that is there.
    while (statvfs(directory, &disk) < 0) {
      char *slash = strrchr(directory, '/');
      if (slash == NULL || slash == directory) break;
      *slash = 0;
    }
    if (error == ENOSPC && statvfs(directory, &disk) == 0 && disk.f_files != 0 && disk.f_ffree == 0)
      fail(EXIT_NO_INODES, "%s: no free inodes: remove files there, or set installRoot", path);
    fail(EXIT_NO_SPACE, "%s: %s: free space, or set installRoot to another file system", path, strerror(error));
  }
  if (error == EFBIG) fail(EXIT_INSTALL_FAILED, "%s: the size of files is limited (ulimit -f)", path);
  fail(EXIT_INSTALL_FAILED, "%s: %s", path, strerror(error));
}

void fail_executing(const char *stub, int error) {
  if (error == EACCES || error == EPERM)
    fail(EXIT_NOEXEC, "the host refuses to execute %s: set installRoot to another directory", stub);
  if (error == ENOEXEC) fail(EXIT_PLATFORM, "this host cannot execute %s", stub);
  fail(EXIT_INSTALL_FAILED, "cannot execute %s: %s", stub, strerror(error));
}
