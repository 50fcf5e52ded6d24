// The policy's text, read in place: nothing is copied, and nothing that is not understood is passed over.
#include "policy.h"
#include <stdlib.h>
#include <string.h>

#define VERSION "confine 1"

static const struct { const char *word; enum entry_kind kind; } KINDS[] = {
  { "sys", ENTRY_SYS },         { "dev", ENTRY_DEV },         { "sock", ENTRY_SOCK }, { "ro", ENTRY_RO },     { "rw", ENTRY_RW },
  { "ro-file", ENTRY_RO_FILE }, { "rw-file", ENTRY_RW_FILE }, { "hide", ENTRY_HIDE }, { "bind", ENTRY_BIND },
};

bool policy_canonical(const char *path) {
  if (path[0] != '/') return false;
  if (path[1] == 0) return true;
  for (const char *p = path; *p != 0;) {
    p++;
    size_t length = strcspn(p, "/");
    if (length == 0) return false;        // "//", or a slash at the end
    if (p[0] == '.' && (length == 1 || (length == 2 && p[1] == '.'))) return false;
    p += length;
  }
  return true;
}

// Ends the field at `text` with a NUL and returns what follows it; NULL if there is nothing.
static char *cut(char *text) {
  char *space = strchr(text, ' ');
  if (space == NULL) return NULL;
  *space = 0;
  return space + 1;
}

static bool number(const char **text, uint64_t *out) {
  const char *p = *text;
  uint64_t value = 0;
  for (; *p >= '0' && *p <= '9'; p++)
    if (__builtin_mul_overflow(value, 10u, &value) || __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value)) return false;
  if (p == *text) return false;
  *text = p;
  *out = value;
  return true;
}

static bool parse_identity(const char *text, struct entry *out) {
  if (strcmp(text, "-") == 0) return true;
  out->identified = true;
  return number(&text, &out->dev) && *text++ == ':' && number(&text, &out->ino) && *text == 0;
}

static bool parse_kind(const char *word, struct entry *out) {
  for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++)
    if (strcmp(KINDS[i].word, word) == 0) {
      out->kind = KINDS[i].kind;
      return true;
    }
  return false;
}

static bool parse_entry(char *text, struct entry *out) {
  memset(out, 0, sizeof *out);
  char *identity = cut(text);
  if (identity == NULL || !parse_kind(text, out)) return false;
  char *path = cut(identity);
  if (path == NULL || !parse_identity(identity, out)) return false;
  if (out->kind == ENTRY_BIND) {          // where it is shown is ours to choose and holds no space; its own path may
    char *space = strrchr(path, ' ');
    if (space == NULL) return false;
    *space = 0;
    out->shown = space + 1;
    if (!policy_canonical(out->shown)) return false;
  }
  out->path = path;
  return policy_canonical(path);
}

int policy_parse(char *bytes, size_t length, struct policy *out) {
  memset(out, 0, sizeof *out);
  if (length == 0 || bytes[length - 1] != 0 || strcmp(bytes, VERSION) != 0) return -1;
  size_t strings = 0;
  for (size_t i = 0; i < length; i++) strings += bytes[i] == 0;
  out->entries = calloc(strings, sizeof *out->entries);
  if (out->entries == NULL) return -1;
  for (char *next, *at = bytes + sizeof VERSION; at < bytes + length; at = next) {
    next = at + strlen(at) + 1;
    if (strcmp(at, "option no-network") == 0) out->no_network = true;
    else if (parse_entry(at, &out->entries[out->count])) out->count++;
    else {
      policy_free(out);
      return -1;
    }
  }
  return 0;
}

void policy_free(struct policy *policy) {
  free(policy->entries);
  memset(policy, 0, sizeof *policy);
}

// A file is itself only: what is below it, once a directory lies there, was never approved.
static bool is_file(enum entry_kind kind) { return kind == ENTRY_RO_FILE || kind == ENTRY_RW_FILE || kind == ENTRY_SOCK; }

static bool grants(enum entry_kind kind, bool write) {
  switch (kind) {
  case ENTRY_SYS: case ENTRY_RO: case ENTRY_RO_FILE: return !write;
  case ENTRY_DEV: case ENTRY_SOCK: case ENTRY_RW: case ENTRY_RW_FILE: case ENTRY_BIND: return true;
  case ENTRY_HIDE: return false;
  }
  return false;
}

// Of every call that names something, for every entry: most differ in their first letters.
bool policy_below(const char *path, const char *root) {
  if (root[1] == 0) return path[0] == '/';
  while (*root != 0 && *path == *root) {
    path++;
    root++;
  }
  return *root == 0 && (*path == 0 || *path == '/');
}

bool policy_covers(const struct policy *policy, const char *path, bool write) {
  size_t hidden = 0, granted = 0;         // lengths of the longest of each
  for (const struct entry *e = policy->entries; e < policy->entries + policy->count; e++) {
    if (is_file(e->kind) ? strcmp(path, e->path) != 0 : !policy_below(path, e->path)) continue;
    size_t length = strlen(e->path);
    if (e->kind == ENTRY_HIDE) {
      if (length > hidden) hidden = length;
    } else if (grants(e->kind, write) && length > granted) {
      granted = length;
    }
  }
  return granted > hidden;
}
