// No more than one request is held in memory; a command that does not read leaves its writer waiting, and nobody else.
#define _GNU_SOURCE
#include "input.h"
#include "listen.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { INPUT_MAX = 65536, FLAG_END = 1 };
enum state { OPEN = 0, ENDED = 1, READER_GONE = 2, GAP = 3, SUPERSEDED = 4 };

struct __attribute__((packed)) request { uint64_t offset; uint32_t length, flags; };
struct __attribute__((packed)) answer { uint64_t taken; uint32_t state, zero; };

static int listener = -1, connection = -1, pipes[2] = { -1, -1 };
static char path[4200];
static uint64_t taken;
static enum state state = OPEN;
static struct { struct request head; char bytes[INPUT_MAX]; } in;
static size_t received;                   // of `in`
static bool complete;                     // `in` is a whole request, being written

static void shut(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

int input_open(const char *base) {
  snprintf(path, sizeof path, "%s.stdin", base);
  if (pipe2(pipes, O_CLOEXEC) != 0) return errno;
  fcntl(pipes[1], F_SETFL, O_NONBLOCK);
  listener = listen_beside(base, ".stdin");
  return listener < 0 ? errno : 0;
}

int input_end_of_command(void) { return pipes[0]; }

void input_launched(void) { shut(&pipes[0]); }

static void hang_up(void) {
  shut(&connection);
  received = 0;
  complete = false;
}

static void reply(enum state how) {
  struct answer answer = { taken, how, 0 };
  complete = false;
  received = 0;
  if (send(connection, &answer, sizeof answer, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof answer) hang_up();
}

// Writes what the pipe takes of the request that is there; answers it when nothing is left to be done.
static void write_on(void) {
  uint64_t end = in.head.offset + in.head.length;
  while (state == OPEN && taken < end) {
    ssize_t n = write(pipes[1], in.bytes + (taken - in.head.offset), (size_t)(end - taken));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) state = READER_GONE;
    else taken += (uint64_t)n;
  }
  if (state == OPEN && in.head.flags & FLAG_END && taken == end) state = ENDED;
  if (state != OPEN) shut(&pipes[1]);
  reply(state);
}

static void read_on(void) {
  char more;
  if (complete) {                         // it has to wait for its answer: it is gone, or talks out of turn
    if (recv(connection, &more, 1, MSG_DONTWAIT) >= 0 || errno != EAGAIN) hang_up();
    return;
  }
  size_t wanted = sizeof in.head + (received >= sizeof in.head ? in.head.length : 0);
  ssize_t n = recv(connection, (char *)&in + received, wanted - received, MSG_DONTWAIT);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (n <= 0) return hang_up();
  received += (size_t)n;
  if (received < sizeof in.head) return;
  if (in.head.length > INPUT_MAX) return hang_up();
  if (received < sizeof in.head + in.head.length) return;
  if (in.head.offset == UINT64_MAX) in.head.offset = taken;
  if (in.head.offset > taken) return reply(GAP);
  complete = true;
  write_on();
}

void input_poll(struct pollfd fds[INPUT_FDS]) {
  bool writing = complete && pipes[1] >= 0;
  fds[0] = (struct pollfd){ listener, POLLIN, 0 };
  fds[1] = (struct pollfd){ connection, POLLIN, 0 };
  fds[2] = (struct pollfd){ writing ? pipes[1] : -1, POLLOUT, 0 };
}

void input_serve(const struct pollfd fds[INPUT_FDS]) {
  if (fds[2].revents != 0 && complete) write_on();
  if (fds[1].revents != 0 && connection >= 0) read_on();
  if (fds[0].revents == 0) return;
  int next = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (next < 0) return;
  if (connection >= 0) reply(SUPERSEDED);
  hang_up();
  connection = next;
}

void input_close(void) {
  if (listener >= 0) unlink(path);
  hang_up();
  shut(&listener);
  shut(&pipes[0]);
  shut(&pipes[1]);
}
