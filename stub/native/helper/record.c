#define _GNU_SOURCE
#include "record.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

// Per stream five numbers of 16 hexadecimal digits, each with one character behind it; the fifth is the others' exclusive
// or, by which a reader sees that it read in the middle of a write. stub/commands/marks.ts is the other end.
enum { NUMBER = 17, STREAM = 5 * NUMBER };

static void format(char *out, struct marks m, char last) {
  snprintf(out, STREAM + 1, "%016llx %016llx %016llx %016llx %016llx%c", (unsigned long long)m.head,
           (unsigned long long)m.ring, (unsigned long long)m.floor, (unsigned long long)m.end,
           (unsigned long long)(m.head ^ m.ring ^ m.floor ^ m.end), last);
}

int record_prepare(const char *directory) {
  return open(directory, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
}

// Returns 0 or an errno.
static int write_lines(int fd, const char *text, size_t length, const char *more, size_t more_length) {
  char none[2 * STREAM];                  // as `format` would have it, in no time
  memset(none, '0', sizeof none);
  for (int i = NUMBER - 1; i < 2 * STREAM; i += NUMBER) none[i] = ' ';
  none[2 * STREAM - 1] = '\n';
  struct iovec parts[3] = { { none, 2 * STREAM }, { (void *)text, length }, { (void *)more, more_length } };
  ssize_t n = writev(fd, parts, 3);
  if (n < 0) return errno;
  return (size_t)n == 2 * STREAM + length + more_length ? 0 : ENOSPC;
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
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
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

void record_mark(int fd, unsigned stream, struct marks marks) {
  char text[STREAM + 1];
  ssize_t n;
  format(text, marks, stream == 0 ? ' ' : '\n');
  do n = pwrite(fd, text, STREAM, (off_t)(stream * STREAM));
  while (n < 0 && errno == EINTR);
}
