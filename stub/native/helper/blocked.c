#define _GNU_SOURCE
#include "blocked.h"
#include "json.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { SEEN_MAX = 1024, TAIL = 64 };      // TAIL: of the text, for what follows the list

static char list[BLOCKED_TEXT - TAIL];    // the objects with commas between them
static size_t used, more;
static uint64_t seen[SEEN_MAX];           // hashes: a program that tries the same thing a thousand times was refused one thing
static size_t seen_count;

static uint64_t mix(uint64_t hash, const char *text) {    // FNV-1a
  for (; *text != 0; text++) hash = (hash ^ (unsigned char)*text) * 1099511628211u;
  return (hash ^ 0xff) * 1099511628211u;
}

static bool is_new(uint64_t hash) {
  for (size_t i = 0; i < seen_count; i++)
    if (seen[i] == hash) return false;
  if (seen_count < SEEN_MAX) seen[seen_count++] = hash;
  return true;
}

void blocked_note(const char *path, bool write, const char *operation) {
  char text[BLOCKED_TEXT], quoted[BLOCKED_TEXT - 128];
  const char *access = write ? "write" : "read";
  if (!is_new(mix(mix(mix(14695981039346656037u, path), access), operation))) return;
  if (json_string(quoted, sizeof quoted, path) == 0) { more++; return; }
  size_t length = (size_t)snprintf(text, sizeof text, "%s{\"path\":%s,\"access\":\"%s\",\"operation\":\"%s\"}", used > 0 ? "," : "",
                                   quoted, access, operation);
  if (used + length >= sizeof list) { more++; return; }
  memcpy(list + used, text, length + 1);
  used += length;
}

size_t blocked_describe(char *text, size_t room) {
  if (used + more == 0) return 0;
  return (size_t)snprintf(text, room, ",\"blocked\":[%s],\"blockedMore\":%zu", list, more);
}
