// Mode 0600 whatever the umask gives, nothing synced (a power cut may cost the last second, which is not worth a disk
// flush per command).
#include "log.h"
#include "record.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { FLOOR_STEPS = 64 };                // the floor moves by this part of the ring: readers are told before, and seldom

void log_init(struct log *log, const char *base, const char *suffix) {
  *log = (struct log){ .fd = -1 };
  snprintf(log->path, sizeof log->path, "%s.%s", base, suffix);
}

uint64_t log_size(const struct log *log) { return log->wrapped ? log->head + log->ring : log->end; }

// Returns how much of it was written; less only with `log->error` set.
static size_t write_at(struct log *log, const char *bytes, size_t length, uint64_t position) {
  size_t done = 0;
  while (done < length) {
    ssize_t n = pwrite(log->fd, bytes + done, length - done, (off_t)(position + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      if (log->error == 0) log->error = n == 0 ? ENOSPC : errno;
      break;
    }
    done += (size_t)n;
  }
  return done;
}

static void mark(const struct log *log, int record, unsigned stream) {
  record_mark(record, stream, (struct marks){ log->head, log->ring, log->floor, log->end });
}

static size_t append_plain(struct log *log, const char *bytes, size_t length) {
  if (log->fd < 0) log->fd = open(log->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (log->fd < 0) {
    log->error = errno;
    return 0;
  }
  size_t done = write_at(log, bytes, length, log->end);
  log->end += done;
  return done;
}

static void begin_ring(struct log *log) {
  log->wrapped = true;
  log->head = log->end / 2;
  log->ring = log->end - log->head;
  log->floor = log->head;
}

// Two writes at most: to the end of the ring, then from its start.
static bool write_around(struct log *log, const char *bytes, size_t length) {
  uint64_t at = (log->end - log->head) % log->ring;
  size_t first = log->ring - at < length ? (size_t)(log->ring - at) : length;
  if (write_at(log, bytes, first, log->head + at) < first) return false;
  return write_at(log, bytes + first, length - first, log->head) == length - first;
}

static void append_ring(struct log *log, const char *bytes, size_t length, int record, unsigned stream) {
  if (length > log->ring) {               // only its end fits, and nothing of what was there before
    size_t skipped = length - (size_t)log->ring;
    bytes += skipped;
    length -= skipped;
    log->floor = log->end += skipped;
  }
  uint64_t needed = log->end + length > log->ring ? log->end + length - log->ring : 0;
  if (log->floor < needed) {
    log->floor = needed + log->ring / FLOOR_STEPS;
    if (log->floor > log->end) log->floor = log->end;
  }
  mark(log, record, stream);              // before the bytes that it declares gone are gone
  bool written = length == 0 || write_around(log, bytes, length);
  log->end += length;
  if (!written) log->floor = log->end;    // what the ring holds now is not known
  mark(log, record, stream);
}

void log_append(struct log *log, const char *bytes, size_t length, uint64_t room, int record, unsigned stream) {
  if (!log->wrapped) {
    size_t plain = log->end >= room ? 0 : room - log->end < length ? (size_t)(room - log->end) : length;
    size_t done = plain > 0 ? append_plain(log, bytes, plain) : 0;
    if (done == length) return;
    bytes += done;
    length -= done;
    begin_ring(log);
  }
  append_ring(log, bytes, length, record, stream);
}
