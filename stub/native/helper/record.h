// The record of one command, base.run: a line with where the rings of its logs stand, a line with what the stub knew, a line
// with the process that writes here, and at the end a line with how it ended.
#ifndef RECORD_H
#define RECORD_H
#include <stddef.h>
#include <stdint.h>

// Of one stream; all zero as long as its log is a plain file. See log.h.
struct marks { uint64_t head, ring, floor, end; };

// Makes a file without a name in `directory`, to become a record: finding a free inode can take as long as starting the shell
// (ext4, after many files were deleted). Returns a descriptor, or -1 where the file system has no such thing.
int record_prepare(const char *directory);

// Makes the record at `path`, which must not exist, with marks of zero and two pieces of text; out of `prepared` if that is
// not -1 and can be used. Returns a descriptor for the functions below, or -1 with errno (EEXIST: this command ran before).
int record_create(const char *path, int prepared, const char *text, size_t length, const char *more, size_t more_length);

// Adds one whole line, in one write: a reader sees it complete or not at all (without its newline it does not count).
void record_append(int fd, const char *line, size_t length);

// Overwrites the marks of one stream, 0 or 1.
void record_mark(int fd, unsigned stream, struct marks marks);

#endif
