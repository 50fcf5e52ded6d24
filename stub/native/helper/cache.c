// Closing the last descriptor of a mount namespace unmounts what is in it, which may wait for a file system that does not answer: the
// spawner leaves that to a process of its own.
#define _GNU_SOURCE
#include "cache.h"
#include "clock.h"
#include "pool.h"
#include "wire.h"
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  ENTRIES = 32,
  KEY_MAX = 256,                          // a longer one is built each time
  UNUSED_MS = 15 * 60 * 1000,             // a kept namespace keeps its file systems busy
};

struct donation { uint32_t level; };
static struct kept { unsigned level; char key[KEY_MAX]; struct built built; uint64_t used, number; } entries[ENTRIES];
static uint64_t numbers;
static size_t count;
static int donations[2] = { -1, -1 };     // the spawner's end, the helpers' end

void cache_open(void) {
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, donations) != 0) donations[0] = donations[1] = -1;
}

static void let_go(struct built *built) {
  int gate[2];
  if (pipe(gate) != 0) gate[0] = gate[1] = -1;
  pid_t pid = gate[0] >= 0 ? fork() : -1;
  if (pid == 0) {
    char end;
    cache_leave(built);
    pool_leave();
    close(REPORT_FD);                     // should this one wait for ever, nobody waits for it
    close(gate[1]);
    if (read(gate[0], &end, 1) < 0) _exit(1);                // the spawner has closed its own
    built_close(built);
    _exit(0);
  }
  built_close(built);
  close(gate[0]);
  close(gate[1]);
}

static void drop(size_t i) {
  struct built gone = entries[i].built;
  entries[i] = entries[--count];
  let_go(&gone);
}

static size_t oldest(void) {
  size_t found = 0;
  for (size_t i = 1; i < count; i++)
    if (entries[i].used < entries[found].used) found = i;
  return found;
}

static struct kept *find(unsigned level, const char *key) {
  for (size_t i = 0; i < count; i++)
    if (entries[i].level == (level & BUILT_LEVELS) && strcmp(entries[i].key, key) == 0) return &entries[i];
  return NULL;
}

const struct built *cache_find(unsigned level, const char *key, uint64_t *number) {
  struct kept *kept = find(level, key);
  *number = kept == NULL ? 0 : kept->number;
  if (kept == NULL) return NULL;
  kept->used = now_ms();
  return &kept->built;
}

const struct built *cache_numbered(uint64_t number) {
  for (size_t i = 0; i < count; i++)
    if (entries[i].number == number) return &entries[i].built;
  return NULL;
}

static void keep(unsigned level, const char *key, struct built built) {
  struct kept *known = find(level, key);
  if (known != NULL) {                    // the newer one: it was built because the other was out of date, or at the same time
    struct built old = known->built;
    known->built = built;
    known->used = now_ms();
    known->number = ++numbers;
    return let_go(&old);
  }
  if (count == ENTRIES) drop(oldest());
  struct kept *kept = &entries[count++];
  kept->level = level & BUILT_LEVELS;
  strcpy(kept->key, key);
  kept->built = built;
  kept->used = now_ms();
  kept->number = ++numbers;
}

void cache_take(void) {
  struct donation head;
  struct built built;
  char key[KEY_MAX];
  for (;;) {
    size_t length;
    if (!built_receive(donations[0], &built, &head, sizeof head, key, sizeof key, &length, MSG_DONTWAIT)) return;
    if (length > 0 && key[length - 1] == 0 && !built_is_none(&built)) keep(head.level, key, built);
    else built_close(&built);
  }
}

uint64_t cache_due(void) { return count == 0 ? 0 : entries[oldest()].used + UNUSED_MS; }

void cache_expire(void) {
  while (count > 0 && cache_due() <= now_ms()) drop(oldest());
}

static bool is_same(const struct built *a, const struct built *b) {
  return b != NULL && a->ruleset == b->ruleset && a->namespaces.mount == b->namespaces.mount;
}

void cache_leave(const struct built *mine) {
  for (size_t i = 0; i < count; i++)
    if (!is_same(&entries[i].built, mine)) built_close(&entries[i].built);
  count = 0;
  if (donations[0] >= 0) close(donations[0]);
  donations[0] = -1;
}

void cache_donate(unsigned level, const char *key, const struct built *built) {
  struct donation head = { level };
  if (strlen(key) < KEY_MAX && donations[1] >= 0)
    built_send(donations[1], built, &head, sizeof head, key, strlen(key) + 1);
}
