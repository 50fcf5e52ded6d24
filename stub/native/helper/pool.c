// A waiting helper ends when its socket does: the spawner's end of it is held by the spawner alone.
#define _GNU_SOURCE
#include "pool.h"
#include "cache.h"
#include "helper.h"
#include "wire.h"
#include "../confine/first.h"
#include <sys/socket.h>
#include <unistd.h>

enum {
  POOL_SIZE = 6,                          // about 70 KB each
  HANDED_MAX = 65536,                     // a longer request (rare) is worth its fork
};

static struct { pid_t pid; int fd; uint64_t prepared; } waiting[POOL_SIZE];
static size_t count;
static bool wants;
static uint64_t last;                     // the number of what the last command was held by; 0: nothing
static char records[4096];                // where the last command's record was made, and the next one's will be; empty at first

static void drop(size_t i) {
  close(waiting[i].fd);
  count--;
  for (; i < count; i++) waiting[i] = waiting[i + 1];
}

// `ahead`: what its command will be held by, most likely; NULL: nothing.
static void wait_for_command(int fd, const struct built *ahead, uint64_t number) {
  static char bytes[HANDED_MAX];
  struct built built;
  uint64_t wanted;
  helper_prepare(records[0] ? records : NULL);
  if (ahead != NULL) {
    struct built mine = *ahead;
    first_prepare(&mine.namespaces);
    built_close(&mine);
  }
  bytes[0] = bytes[4096] = 0;             // the pages are there when the request comes
  size_t length;
  bool received = built_receive(fd, &built, &wanted, sizeof wanted, bytes, sizeof bytes, &length, 0);
  if (!received || wanted != number) first_unprepare();
  if (!received) _exit(0);                // the spawner has gone
  close(fd);
  _exit(helper_run(bytes, length, &built));
}

void pool_expire(void) {
  for (size_t i = count; i-- > 0;) {
    if (waiting[i].prepared == 0 || cache_numbered(waiting[i].prepared) != NULL) continue;
    drop(i);
    wants = true;
  }
}

void pool_fill(int signals) {
  wants = false;
  const struct built *ahead = last == 0 ? NULL : cache_numbered(last);
  if (ahead != NULL && ahead->namespaces.mount < 0) ahead = NULL;
  uint64_t number = ahead == NULL ? 0 : last;
  while (count < POOL_SIZE) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return;
    pid_t pid = fork();
    if (pid == 0) {
      close(signals);
      close(pair[0]);
      pool_leave();
      cache_leave(ahead);
      wait_for_command(pair[1], ahead, number);
    }
    close(pair[1]);
    if (pid < 0) {
      close(pair[0]);
      return;
    }
    waiting[count].pid = pid;
    waiting[count].prepared = number;
    waiting[count++].fd = pair[0];
  }
}

bool pool_wants(void) { return wants; }

bool pool_empty(void) { return count == 0; }

// The one to hand to: prepared for just that, else for nothing, else the one that has waited longest.
static size_t choose(uint64_t number) {
  size_t unprepared = 0;
  for (size_t i = count; i-- > 0;)
    if (waiting[i].prepared == 0) unprepared = i;
  for (size_t i = 0; i < count; i++)
    if (waiting[i].prepared == number) return i;            // of these the one that has waited longest: it is ready for sure
  return unprepared;
}

pid_t pool_hand_over(const char *bytes, size_t length, const struct built *built, uint64_t number) {
  wants = true;
  last = number;
  wire_directory(bytes, length, records, sizeof records);
  if (length > HANDED_MAX) return 0;
  while (count > 0) {
    size_t chosen = choose(number);
    pid_t pid = waiting[chosen].pid;
    bool sent = built_send(waiting[chosen].fd, built, &number, sizeof number, bytes, length);
    drop(chosen);                         // not sent: somebody killed it; it had no command, nothing is lost
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
