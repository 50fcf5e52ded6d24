// Parses what the stub sends. The stub is trusted, its bytes are checked all the same: a slip must not become a stray read.
#include "wire.h"
#include <stdlib.h>
#include <string.h>

struct cursor { char *at, *end; int bad; };

static uint32_t take_u32(struct cursor *c) {
  uint32_t value = 0;
  if (c->bad || c->end - c->at < 4) { c->bad = 1; return 0; }
  memcpy(&value, c->at, 4);
  c->at += 4;
  return value;
}

static uint64_t take_u64(struct cursor *c) {
  uint64_t low = take_u32(c), high = take_u32(c);
  return low | high << 32;
}

static char *take_string(struct cursor *c) {
  char *nul = c->bad ? NULL : memchr(c->at, 0, c->end - c->at);
  if (nul == NULL) { c->bad = 1; return NULL; }
  char *text = c->at;
  c->at = nul + 1;
  return text;
}

static char *take_bytes(struct cursor *c, uint32_t length) {
  if (c->bad || length > (size_t)(c->end - c->at)) { c->bad = 1; return NULL; }
  char *bytes = c->at;
  c->at += length;
  return bytes;
}

// `count` strings as a NULL-terminated vector with `before` free slots in front.
static char **take_vector(struct cursor *c, uint32_t count, unsigned before) {
  if (c->bad || count > (size_t)(c->end - c->at)) { c->bad = 1; return NULL; }  // each takes a byte at least
  char **vector = calloc((size_t)count + before + 1, sizeof *vector);
  if (vector == NULL) { c->bad = 1; return NULL; }
  vector += before;
  for (uint32_t i = 0; i < count; i++) vector[i] = take_string(c);
  return vector;
}

int wire_parse_start(char *bytes, size_t length, struct start_request *out) {
  struct cursor c = { bytes, bytes + length, 0 };
  out->id = take_u32(&c);
  out->flags = take_u32(&c);
  out->grace_ms = take_u32(&c);
  out->timeout_ms = take_u64(&c);
  out->log_cap = take_u64(&c);
  out->umask = take_u32(&c);
  out->level = take_u32(&c);
  out->ask_wait_ms = take_u32(&c);
  out->base = take_string(&c);
  out->cwd = take_string(&c);
  out->tmpdir = take_string(&c);
  out->key = take_string(&c);
  uint32_t argc = take_u32(&c);
  out->fallback = take_u32(&c);
  if (c.bad || argc == 0 || out->fallback >= argc) return -1;
  out->argv = take_vector(&c, out->fallback ? out->fallback : argc, 1);
  out->alternative = out->fallback ? take_vector(&c, argc - out->fallback, 1) : NULL;
  out->envp = take_vector(&c, take_u32(&c), 0);
  out->policy_length = take_u32(&c);
  out->policy = take_bytes(&c, out->policy_length);
  out->meta_length = take_u32(&c);
  out->meta = c.at;
  if (c.bad || (size_t)(c.end - c.at) != out->meta_length) return -1;
  return 0;
}

// Before the strings: id, flags, graceMs, timeoutMs, logCap, umask, level, askWaitMs.
enum { NUMBERS = 40, LEVEL_AT = 32 };

bool wire_level(const char *bytes, size_t length, unsigned *level, const char **key) {
  if (length <= NUMBERS) return false;
  uint32_t value;
  memcpy(&value, bytes + LEVEL_AT, sizeof value);
  *level = value;
  const char *at = bytes + NUMBERS, *end = bytes + length;
  for (int strings = 3; strings > 0; strings--, at++)                  // base, cwd, tmpdir
    if ((at = memchr(at, 0, (size_t)(end - at))) == NULL) return false;
  *key = at;
  return memchr(at, 0, (size_t)(end - at)) != NULL;
}

bool wire_directory(const char *bytes, size_t length, char *out, size_t room) {
  if (length <= NUMBERS || memchr(bytes + NUMBERS, 0, length - NUMBERS) == NULL) return false;
  const char *base = bytes + NUMBERS, *slash = strrchr(base, '/');
  if (slash == NULL || (size_t)(slash - base) >= room) return false;
  memcpy(out, base, (size_t)(slash - base));
  out[slash - base] = 0;
  return true;
}
