// The reports of one helper. Many processes write to this stream socket, so each frame must leave in one piece:
// a send of up to INLINE_MAX and a little more is one socket buffer, which the kernel takes whole or not at all.
#define _GNU_SOURCE
#include "report.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

static int socket_fd = -1;
static uint32_t command_id;
static char queue[8192];                  // started, asks, end, failed, settled: all of them fit at once
static size_t queued;

void report_open(int fd, uint32_t id) {
  socket_fd = fd;
  command_id = id;
  queued = 0;
}

int report_fd(void) { return socket_fd; }

bool report_waiting(void) { return socket_fd >= 0 && queued > 0; }

static struct report_header header(enum report_type type, unsigned stream, uint64_t offset, size_t length) {
  struct report_header h = { (uint32_t)(sizeof h - 4 + length), command_id, (uint8_t)type, (uint8_t)stream, 0, offset };
  return h;
}

void report_queue(enum report_type type, unsigned stream, uint64_t offset, const void *payload, size_t length) {
  struct report_header h = header(type, stream, offset, length);
  if (queued + sizeof h + length > sizeof queue) return;      // cannot happen with the frames there are
  memcpy(queue + queued, &h, sizeof h);
  if (length > 0) memcpy(queue + queued + sizeof h, payload, length);
  queued += sizeof h + length;
}

// One non-blocking send. Returns what it took; 0 if there is no room; a stub that is gone takes everything.
static size_t send_now(struct iovec *parts, int count, size_t total) {
  if (socket_fd < 0) return total;
  struct msghdr message = { .msg_iov = parts, .msg_iovlen = (size_t)count };
  ssize_t sent;
  do sent = sendmsg(socket_fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  if (sent >= 0) return (size_t)sent;
  if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) return 0;
  socket_fd = -1;                         // the stub is gone: the log and the end record are what remains
  return total;
}

static void wait_for_room(void) {
  struct pollfd room = { socket_fd, POLLOUT, 0 };
  poll(&room, 1, -1);
}

bool report_flush(void) {
  if (queued == 0 || socket_fd < 0) { queued = 0; return true; }
  struct iovec part = { queue, queued };
  size_t sent = send_now(&part, 1, queued);
  memmove(queue, queue + sent, queued - sent);
  queued -= sent;
  return queued == 0;
}

bool report_output(unsigned stream, uint64_t offset, const void *payload, size_t length) {
  struct report_header h = header(REPORT_OUTPUT, stream, offset, length);
  struct iovec parts[3] = { { queue, queued }, { &h, sizeof h }, { (void *)payload, length } };
  size_t total = queued + sizeof h + length, sent = send_now(parts, 3, total);
  if (sent == 0) return false;
  queued = 0;
  // Linux does not split these; should it ever, the frame is completed before anything else of ours.
  while (sent < total) {
    struct iovec rest[3];
    size_t skip = sent;
    int count = 0;
    for (int i = 0; i < 3; i++) {
      if (skip >= parts[i].iov_len) { skip -= parts[i].iov_len; continue; }
      rest[count++] = (struct iovec){ (char *)parts[i].iov_base + skip, parts[i].iov_len - skip };
      skip = 0;
    }
    size_t more = send_now(rest, count, total - sent);
    if (more == 0) wait_for_room();
    sent += more;
  }
  return true;
}

void report_finish(void) {
  while (!report_flush()) wait_for_room();
}
