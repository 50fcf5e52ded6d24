#define _GNU_SOURCE
#include "descriptors.h"
#include "kernel.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static bool is_harmless(int fd) {
  struct stat found;
  if (fstat(fd, &found) != 0) return errno == EBADF;
  if (S_ISFIFO(found.st_mode) || S_ISSOCK(found.st_mode)) return true;
  return S_ISCHR(found.st_mode) && (found.st_rdev == makedev(1, 3) || isatty(fd));
}

bool descriptors_harmless(void) { return is_harmless(0) && is_harmless(1) && is_harmless(2); }

int descriptors_close_on_exec(void) {
  if (syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) == 0) return 0;
  DIR *list = opendir("/proc/self/fd");   // before 5.11
  if (list == NULL) return errno;
  for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
    int fd = atoi(entry->d_name);
    if (fd > 2) fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  closedir(list);
  return 0;
}
