// A waiting helper ends when its socket does: the spawner's end of it is held by the spawner alone.
#define _GNU_SOURCE
#include "pool.h"
#include "cache.h"
#include "helper.h"
#include "wire.h"
#include <sys/socket.h>
#include <unistd.h>

enum {
  POOL_SIZE = 6,                          // about 70 KB each
  HANDED_MAX = 65536,                     // a longer request (rare) is worth its fork
};

static struct { pid_t pid; int fd; } waiting[POOL_SIZE];
static size_t count;
static bool wants;
static char records[4096];                // where the last command's record was made, and the next one's will be; empty at first

static void drop(size_t i) {
  close(waiting[i].fd);
  count--;
  for (; i < count; i++) waiting[i] = waiting[i + 1];
}

static void wait_for_command(int fd) {
  static char bytes[HANDED_MAX];
  struct built built;
  helper_prepare(records[0] ? records : NULL);
  bytes[0] = bytes[4096] = 0;             // the pages are there when the request comes
  size_t length;
  if (!built_receive(fd, &built, NULL, 0, bytes, sizeof bytes, &length, 0)) _exit(0);     // the spawner has gone
  close(fd);
  _exit(helper_run(bytes, length, &built));
}

void pool_fill(int signals) {
  wants = false;
  while (count < POOL_SIZE) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return;
    pid_t pid = fork();
    if (pid == 0) {
      close(signals);
      close(pair[0]);
      pool_leave();
      cache_leave(NULL);
      wait_for_command(pair[1]);
    }
    close(pair[1]);
    if (pid < 0) {
      close(pair[0]);
      return;
    }
    waiting[count].pid = pid;
    waiting[count++].fd = pair[0];
  }
}

bool pool_wants(void) { return wants; }

bool pool_empty(void) { return count == 0; }

pid_t pool_hand_over(const char *bytes, size_t length, const struct built *built) {
  wants = true;
  wire_directory(bytes, length, records, sizeof records);
  if (length > HANDED_MAX) return 0;
  while (count > 0) {
    pid_t pid = waiting[0].pid;           // the one that has waited longest is prepared for sure
    bool sent = built_send(waiting[0].fd, built, NULL, 0, bytes, length);
    drop(0);                              // not sent: somebody killed it; it had no command, nothing is lost
    if (sent) return pid;
  }
  return 0;
}

bool pool_forget(pid_t pid) {
  for (size_t i = 0; i < count; i++) {
    if (waiting[i].pid != pid) continue;
    drop(i);
    wants = true;
    return true;
  }
  return false;
}

void pool_leave(void) {
  while (count > 0) drop(count - 1);
}
