// A socket's path may have 107 bytes only: it is named below its directory's descriptor.
#define _GNU_SOURCE
#include "listen.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int open_directory(const char *base, const char *slash) {
  char directory[4200];
  if (slash == NULL || (size_t)(slash - base) >= sizeof directory) { errno = EINVAL; return -1; }
  memcpy(directory, base, (size_t)(slash - base));
  directory[slash - base] = 0;
  return open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

int listen_beside(const char *base, const char *suffix) {
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  const char *slash = strrchr(base, '/');
  int at = open_directory(base, slash);
  if (at < 0) return -1;
  int n = snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s%s", at, slash + 1, suffix);
  int error = n < (int)sizeof address.sun_path ? 0 : ENAMETOOLONG;
  int fd = error == 0 ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
  bool listens = fd >= 0 && fchmod(fd, 0600) == 0 /* as bind makes it, then */ && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 16) == 0;
  if (!listens) error = error == 0 ? errno : error;
  close(at);
  if (listens) return fd;
  if (fd >= 0) close(fd);
  errno = error;
  return -1;
}
