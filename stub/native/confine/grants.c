#define _GNU_SOURCE
#include "grants.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWERS_MAX = 256 };               // of one command; asks are rate limited far below

struct answer { char *path; enum grant_scope scope; bool write, allow; };

static const struct policy *policy;
static struct policy targets;             // the base set again, under the names that its links lead to
static bool followed;
static struct answer answers[ANSWERS_MAX];
static size_t answer_count;

void grants_begin(const struct policy *of) { policy = of; }

// Links of the base set are followed by the rule set and by the view, so they are here. Not before something needs it: it costs a
// fraction of a millisecond, and most commands never leave what is covered by its own name.
static void follow_links(void) {
  char real[PATH_MAX];
  followed = true;
  targets.entries = calloc(policy->count, sizeof *targets.entries);
  if (targets.entries == NULL) return;    // then more is asked than needed
  for (size_t i = 0; i < policy->count; i++) {
    const struct entry *entry = &policy->entries[i];
    bool may_be_link = entry->kind == ENTRY_SYS || entry->kind == ENTRY_DEV || entry->kind == ENTRY_SOCK;
    if (!may_be_link || realpath(entry->path, real) == NULL || strcmp(real, entry->path) == 0) continue;
    struct entry *target = &targets.entries[targets.count];
    *target = *entry;
    target->path = strdup(real);
    if (target->path != NULL) targets.count++;
  }
}

static bool hidden(const char *path) {
  for (size_t i = 0; i < policy->count; i++)
    if (policy->entries[i].kind == ENTRY_HIDE && policy_below(path, policy->entries[i].path)) return true;
  return false;
}

static bool covered(const char *path, bool write) {
  if (policy_covers(policy, path, write)) return true;
  if (!followed) follow_links();
  return policy_covers(&targets, path, write) && !hidden(path);
}

static bool in_scope(const struct answer *answer, const char *path) {
  if (strcmp(path, answer->path) == 0) return true;
  if (answer->scope == GRANT_FILE || !policy_below(path, answer->path)) return false;
  if (answer->scope == GRANT_TREE) return true;
  return strchr(path + (answer->path[1] == 0 ? 1 : strlen(answer->path) + 1), '/') == NULL;
}

enum verdict grants_look(const char *path, bool write) {
  if (covered(path, write)) return VERDICT_COVERED;
  if (hidden(path)) return VERDICT_REFUSED;
  bool refused = false;
  for (size_t i = 0; i < answer_count; i++) {
    const struct answer *answer = &answers[i];
    if (!in_scope(answer, path)) continue;
    if (answer->allow && (answer->write || !write)) return VERDICT_GRANTED;
    if (!answer->allow && answer->write == write) refused = true;
  }
  return refused ? VERDICT_REFUSED : VERDICT_OPEN;
}

bool grants_make_beside(const char *path) {
  char parent[PATH_MAX];
  const char *slash = strrchr(path, '/');
  size_t length = slash == path ? 1 : (size_t)(slash - path);
  if (length >= sizeof parent) return false;
  memcpy(parent, path, length);
  parent[length] = 0;
  return covered(parent, true);
}

bool grants_keep(const char *path, enum grant_scope scope, bool write, bool allow) {
  char *kept = answer_count < ANSWERS_MAX ? strdup(path) : NULL;
  if (kept == NULL) return false;
  answers[answer_count++] = (struct answer){ kept, scope, write, allow };
  return true;
}

static bool named_socket(const struct policy *in, const char *path) {
  for (size_t i = 0; i < in->count; i++)
    if (in->entries[i].kind == ENTRY_SOCK && strcmp(in->entries[i].path, path) == 0) return true;
  return false;
}

bool grants_socket(const char *path) {
  if (!followed) follow_links();
  return policy_covers(policy, path, true) || named_socket(policy, path) || named_socket(&targets, path);
}
