// Files of one command below state/commands/: mode 0600 whatever the umask gives, nothing synced (a power cut may cost the
// last second, which is not worth a disk flush per command).
#define _GNU_SOURCE
#include "log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

void log_init(struct log *log, const char *base, const char *suffix) {
  snprintf(log->path, sizeof log->path, "%s.%s", base, suffix);
  log->fd = -1;
  log->size = log->dropped = 0;
  log->error = 0;
}

// Writes all of it; what was taken before a failure is added to `done`. Returns 0 or an errno.
static int write_all(int fd, const char *bytes, size_t length, uint64_t *done) {
  while (length > 0) {
    ssize_t n = write(fd, bytes, length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n == 0 ? ENOSPC : errno;
    bytes += n;
    length -= (size_t)n;
    *done += (uint64_t)n;
  }
  return 0;
}

void log_append(struct log *log, const char *bytes, size_t length) {
  uint64_t before = log->size;
  if (log->error == 0 && log->fd < 0) {
    log->fd = open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (log->fd < 0) log->error = errno;
  }
  if (log->error == 0) log->error = write_all(log->fd, bytes, length, &log->size);
  log->dropped += length - (log->size - before);
}

int record_prepare(const char *directory) {
  return open(directory, O_WRONLY | O_TMPFILE | O_APPEND | O_CLOEXEC, 0600);
}

// Returns 0 or an errno.
static int write_lines(int fd, const char *text, size_t length, const char *more, size_t more_length) {
  struct iovec parts[2] = { { (void *)text, length }, { (void *)more, more_length } };
  ssize_t n = writev(fd, parts, 2);
  if (n < 0) return errno;
  return (size_t)n == length + more_length ? 0 : ENOSPC;
}

// A link is made only where there is nothing: as exclusive as O_EXCL. Directly is faster, and needs Linux 6.10 or a capability.
static bool give_name(int fd, const char *path) {
  char self[32];
  if (linkat(fd, "", AT_FDCWD, path, AT_EMPTY_PATH) == 0) return true;
  snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
  return linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0;
}

int record_create(const char *path, int prepared, const char *text, size_t length, const char *more, size_t more_length) {
  if (prepared >= 0) {
    if (write_lines(prepared, text, length, more, more_length) == 0 && give_name(prepared, path)) return prepared;
    close(prepared);                      // another file system, no /proc…: the plain way tells what is wrong, if anything
  }
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  int error = write_lines(fd, text, length, more, more_length);
  if (error == 0) return fd;
  close(fd);
  unlink(path);
  errno = error;
  return -1;
}

void record_append(int fd, const char *line, size_t length) {
  ssize_t n;
  do n = write(fd, line, length);         // into the block that the record has already: a full disk does not stop it
  while (n < 0 && errno == EINTR);
}
