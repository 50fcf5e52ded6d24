// The log of one stream: made at the first byte. Written before anything is reported: the log is the truth.
//
// It is a plain file until it may not grow any more: its cap is reached, or the disk takes no more. From then on its first
// half (`head`) stays as it is, and the rest is a ring for the newest bytes. So a byte is found at its own offset, or at
// head + (offset - head) % ring, and what lies in between is gone: one hole, [head, floor). This needs no room, no second
// file and nothing of the file system (holes cannot be punched on every one); what has been there is overwritten in place.
// Where the ring stands is in the first line of the record, overwritten in place, too: readers look there after each
// read, because what they read may have been overwritten meanwhile.
#ifndef LOG_H
#define LOG_H
#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

struct log {
  char path[4200];
  int fd;
  uint64_t end;                           // bytes that were printed
  bool wrapped;                           // the four below count
  uint64_t head, ring;                    // bytes of the file, together its size
  uint64_t floor;                         // first byte behind the hole; `head` without a hole
  int error;                              // errno of the first failure, 0 without one
};

void log_init(struct log *log, const char *base, const char *suffix);

// Bytes that the file holds.
uint64_t log_size(const struct log *log);

// Takes all of it; the file grows to `room` bytes at most. `record` is where the marks of stream `stream` are kept.
// A failure (disk full, quota, limit of the file size) only makes the ring begin earlier: the command goes on.
void log_append(struct log *log, const char *bytes, size_t length, uint64_t room, int record, unsigned stream);

#endif
