// The log of one stream: append only, made at the first byte. Written before anything is reported: the log is the truth.
#ifndef LOG_H
#define LOG_H
#include <stdint.h>
#include <stddef.h>

struct log {
  char path[4200];
  int fd;
  uint64_t size;                          // bytes in the file
  uint64_t dropped;                       // bytes that could not be written
  int error;                              // errno of the first failure, 0 without one
};

void log_init(struct log *log, const char *base, const char *suffix);

// Appends. After a failure (disk full) bytes are counted and dropped: the command goes on, the record says what is missing.
void log_append(struct log *log, const char *bytes, size_t length);

// Makes a file without a name in `directory`, to become a record: finding a free inode can take as long as starting the shell
// (ext4, after many files were deleted). Returns a descriptor, or -1 where the file system has no such thing.
int record_prepare(const char *directory);

// Makes the record at `path`, which must not exist, with two pieces of text; out of `prepared` if that is not -1 and can be
// used. Returns a descriptor for `record_append`, or -1 with errno (EEXIST: this command ran before).
int record_create(const char *path, int prepared, const char *text, size_t length, const char *more, size_t more_length);

// Adds one whole line, in one write: a reader sees it complete or not at all (without its newline it does not count).
void record_append(int fd, const char *line, size_t length);

#endif
