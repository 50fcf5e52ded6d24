#define _GNU_SOURCE
#include "output.h"
#include "log.h"
#include "report.h"
#include "wire.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
  CHUNK = 65536,
  RESERVE = 8,                            // this part of the cap is each stream's own: errors find room after a flood of output
};

struct stream {
  int fd;                                 // read end of the pipe, -1 at its end
  struct log log;
  uint64_t told;                          // the stub knows the log up to here
  bool large;                             // the pipe was made larger
};

static struct stream streams[2];
static int pipes[2][2];
static int record_fd = -1;
static uint64_t cap;
static bool took_queue;

int output_prepare(void) {
  for (int s = 0; s < 2; s++) {
    if (pipe2(pipes[s], O_CLOEXEC) != 0) return errno;
    fcntl(pipes[s][0], F_SETFL, O_NONBLOCK);
  }
  return 0;
}

void output_init(const char *base, uint64_t limit) {
  cap = limit;
  log_init(&streams[0].log, base, "stdout");
  log_init(&streams[1].log, base, "stderr");
}

int output_end_of_command(unsigned stream) { return pipes[stream][1]; }

void output_launched(int record) {
  record_fd = record;
  for (int s = 0; s < 2; s++) {
    close(pipes[s][1]);
    streams[s].fd = pipes[s][0];
  }
}

int output_fd(unsigned stream) { return streams[stream].fd; }

// How large the log of a stream may become, with the other as it is. Both together never pass the cap.
static uint64_t room_of(unsigned s) {
  if (cap == 0) return UINT64_MAX;
  uint64_t other = log_size(&streams[1 - s].log), reserve = cap / RESERVE;
  if (other < reserve) other = reserve;
  return other < cap ? cap - other : 0;
}

static bool pump(unsigned s, size_t most) {
  static char bytes[CHUNK];
  struct stream *stream = &streams[s];
  if (stream->fd < 0) return false;
  ssize_t n;
  do n = read(stream->fd, bytes, most < CHUNK ? most : CHUNK);
  while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN) return false;
  if (n <= 0) {
    close(stream->fd);
    stream->fd = -1;
    return false;
  }
  if (n == CHUNK && !stream->large) {     // only a command that prints much gets the large pipe
    stream->large = true;
    fcntl(stream->fd, F_SETPIPE_SZ, 1 << 20);
  }
  uint64_t from = stream->log.end;
  log_append(&stream->log, bytes, (size_t)n, room_of(s), record_fd, s);
  if (n <= INLINE_MAX && stream->told == from && report_output(s, from, bytes, (size_t)n)) {
    stream->told = stream->log.end;
    took_queue = true;
  }
  return true;
}

bool output_pump(unsigned stream) { return pump(stream, CHUNK); }

void output_drain(void) {
  for (unsigned s = 0; s < 2; s++) {
    int held = 0;
    if (streams[s].fd < 0 || ioctl(streams[s].fd, FIONREAD, &held) != 0) continue;
    while (held > 0) {
      uint64_t before = streams[s].log.end;
      if (!pump(s, (size_t)held)) break;
      held -= (int)(streams[s].log.end - before);
    }
  }
}

void output_finish(void) {
  for (unsigned s = 0; s < 2; s++)
    while (streams[s].fd >= 0 && pump(s, CHUNK)) continue;
}

bool output_tell_growth(bool now) {
  for (unsigned s = 0; s < 2; s++) {
    if (streams[s].told >= streams[s].log.end) continue;
    if (!now && !report_flush()) return false;
    report_queue(REPORT_GREW, s, streams[s].log.end, NULL, 0);
    streams[s].told = streams[s].log.end;
  }
  return true;
}

bool output_took_queue(void) {
  bool took = took_queue;
  took_queue = false;
  return took;
}

uint64_t output_total(void) { return streams[0].log.end + streams[1].log.end; }

// The hole of a log as JSON.
static void describe_hole(const struct log *log, char *text, size_t room) {
  if (!log->wrapped || log->floor <= log->head) snprintf(text, room, "null");
  else
    snprintf(text, room, "{\"first\":%llu,\"last\":%llu}", (unsigned long long)log->head, (unsigned long long)log->floor - 1);
}

int output_describe(char *text, size_t room) {
  const struct log *out = &streams[0].log, *err = &streams[1].log;
  char holes[2][64];
  describe_hole(out, holes[0], sizeof holes[0]);
  describe_hole(err, holes[1], sizeof holes[1]);
  return snprintf(text, room, "\"stdout\":%llu,\"stderr\":%llu,\"dropped\":{\"stdout\":%s,\"stderr\":%s},\"errno\":%d",
                  (unsigned long long)out->end, (unsigned long long)err->end, holes[0], holes[1],
                  out->error ? out->error : err->error);
}
