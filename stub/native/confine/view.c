#define _GNU_SOURCE
#include "view.h"
#include "pin.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINKS_MAX = 40 };                  // as the kernel has it

// Made new in every view; what a policy says of them or below is already so.
static const char *const OWN[] = { "/proc", "/dev", "/dev/pts", "/dev/shm" };
static const char *const OWN_LINKS[][2] = { { "/dev/ptmx", "pts/ptmx" }, { "/dev/fd", "/proc/self/fd" }, { "/dev/stdin", "/proc/self/fd/0" },
                                            { "/dev/stdout", "/proc/self/fd/1" }, { "/dev/stderr", "/proc/self/fd/2" } };

static bool is_own(const char *path) {
  if (policy_below(path, "/proc") || policy_below(path, "/dev/pts") || policy_below(path, "/dev/shm")) return true;
  for (size_t i = 0; i < sizeof OWN_LINKS / sizeof *OWN_LINKS; i++)
    if (strcmp(path, OWN_LINKS[i][0]) == 0) return true;
  return strcmp(path, "/dev") == 0;
}

static int add(struct view *view, enum place_kind kind, const char *path, int source, const char *target) {
  struct stat found;
  struct place *grown = realloc(view->places, (view->count + 1) * sizeof *grown);
  if (grown == NULL) return ENOMEM;
  view->places = grown;
  struct place *place = &grown[view->count];
  *place = (struct place){ .kind = kind, .source = source, .above = -1, .directory = true };
  place->path = strdup(path);
  place->target = target ? strdup(target) : NULL;
  if (place->path == NULL || (target && place->target == NULL)) return ENOMEM;
  if (source >= 0) {
    if (fstat(source, &found) != 0) return errno;
    place->directory = S_ISDIR(found.st_mode);
  }
  view->count++;
  return 0;
}

// Replaces the component at [at, end) of the canonical `path`, a link to `target`, as far as the text goes.
static bool follow(char path[PATH_MAX], size_t at, size_t end, const char *target) {
  char joined[2 * PATH_MAX], *kept = joined;
  int n = target[0] == '/' ? snprintf(joined, sizeof joined, "%s%s", target, path + end)
                           : snprintf(joined, sizeof joined, "%.*s%s%s", (int)at, path, target, path + end);
  if (n < 0 || n >= (int)sizeof joined) return false;
  for (char *from = joined, *part; (part = strsep(&from, "/")) != NULL;) {     // "." and ".." are taken out, the text before was real
    if (*part == 0 || strcmp(part, ".") == 0) continue;
    if (strcmp(part, "..") == 0) {
      while (kept > joined && *--kept != '/');
      continue;
    }
    size_t length = strlen(part);
    *kept++ = '/';
    memmove(kept, part, length);
    kept += length;
  }
  *kept = 0;
  if (kept - joined >= PATH_MAX) return false;
  memcpy(path, kept == joined ? "/" : joined, kept == joined ? 2 : (size_t)(kept - joined) + 1);
  return true;
}

// Shows what `path` leads to, and every link on the way: /bin -> usr/bin stays a link. What is not there is passed over.
static int add_system(struct view *view, enum place_kind kind, const char *wanted) {
  char path[PATH_MAX], target[PATH_MAX];
  if (strlen(wanted) >= sizeof path) return ENAMETOOLONG;
  strcpy(path, wanted);
  int links = 0;
  for (size_t at = 1; path[at] != 0;) {
    size_t end = at + strcspn(path + at, "/");
    char next = path[end];
    path[end] = 0;
    ssize_t n = is_own(path) ? -1 : readlink(path, target, sizeof target - 1);
    if (n < 0) {
      path[end] = next;
      at = next == 0 ? end : end + 1;
      continue;
    }
    target[n] = 0;
    int error = add(view, PLACE_LINK, path, -1, target);
    path[end] = next;
    if (error != 0) return error;
    if (++links > LINKS_MAX || !follow(path, at, end, target)) return 0;
    at = 1;
  }
  if (is_own(path)) return 0;
  int source = pin_open(AT_FDCWD, path);
  if (source < 0) return pin_absent(errno) || errno == ELOOP ? 0 : errno;
  return add(view, kind, path, source, NULL);
}

static int add_pinned(struct view *view, enum place_kind kind, const struct entry *entry, const char *where) {
  if (is_own(where)) return 0;
  int source = pin_entry(entry);
  if (source >= 0) return add(view, kind, where, source, NULL);
  return pin_absent(errno) && kind != PLACE_BOUND ? 0 : errno;
}

static int add_entry(struct view *view, const struct entry *entry) {
  switch (entry->kind) {
  case ENTRY_SYS: case ENTRY_SOCK: return add_system(view, PLACE_READ, entry->path);
  case ENTRY_DEV: return add_system(view, PLACE_DEVICE, entry->path);
  case ENTRY_RO: case ENTRY_RO_FILE: return add_pinned(view, PLACE_READ, entry, entry->path);
  case ENTRY_RW: case ENTRY_RW_FILE: return add_pinned(view, PLACE_WRITE, entry, entry->path);
  case ENTRY_HIDE: return add_pinned(view, PLACE_HIDDEN, entry, entry->path);
  case ENTRY_BIND: return add_pinned(view, PLACE_BOUND, entry, entry->shown);
  }
  return EINVAL;
}

// Parents before their children; at one path what counts most first.
static int by_path(const void *a, const void *b) {
  const struct place *x = a, *y = b;
  int order = strcmp(x->path, y->path);
  return order != 0 ? order : (int)x->kind - (int)y->kind;
}

int view_nearest(const struct view *view, const char *path) {
  int found = -1;
  for (size_t i = 0; i < view->count; i++) {
    const struct place *p = &view->places[i];
    if (p->kind != PLACE_LINK && policy_below(path, p->path)) found = (int)i;   // sorted: the later one is longer
  }
  return found;
}

bool view_is_ours(const struct view *view, int place) {
  if (place < 0) return true;
  enum place_kind kind = view->places[place].kind;
  return kind == PLACE_HIDDEN || kind == PLACE_OWN || kind == PLACE_BOUND;
}

// A socket that somebody listens at has permissions.
bool view_is_stand_in(const struct stat *found) {
  return (S_ISSOCK(found->st_mode) || S_ISDIR(found->st_mode)) && (found->st_mode & 07777) == 0;
}

// Whether the place above shows it already, and as it is to be.
static bool is_shown(const struct view *view, int above, const struct place *place) {
  if (above < 0) return place->kind == PLACE_HIDDEN;        // nothing is there that could be hidden
  const struct place *over = &view->places[above];
  if (strcmp(over->path, place->path) == 0) return true;    // the one that counts most came first
  if (place->kind == PLACE_OWN || place->kind == PLACE_BOUND || place->kind == PLACE_DEVICE) return false;
  if (view_is_ours(view, above)) return place->kind == PLACE_HIDDEN;
  if (place->kind == PLACE_LINK) return true;               // the host's own link, where it is
  return place->kind == PLACE_READ || (place->kind == PLACE_WRITE && over->kind == PLACE_WRITE);
}

static void keep_needed(struct view *view) {
  size_t count = view->count;
  qsort(view->places, count, sizeof *view->places, by_path);
  view->count = 0;
  for (size_t i = 0; i < count; i++) {
    struct place place = view->places[i];
    place.above = view_nearest(view, place.path);
    bool again = view->count > 0 && strcmp(view->places[view->count - 1].path, place.path) == 0;
    if (!again && !is_shown(view, place.above, &place)) {
      view->places[view->count++] = place;
      continue;
    }
    if (place.source >= 0) close(place.source);
    free(place.path);
    free(place.target);
  }
}

int view_make(const struct policy *policy, struct view *out, const char **path) {
  memset(out, 0, sizeof *out);
  int error = 0;
  for (size_t i = 0; i < policy->count && error == 0; i++) {
    error = add_entry(out, &policy->entries[i]);
    if (error != 0) *path = policy->entries[i].path;
  }
  for (size_t i = 0; i < sizeof OWN / sizeof *OWN && error == 0; i++) error = add(out, PLACE_OWN, OWN[i], -1, NULL);
  for (size_t i = 0; i < sizeof OWN_LINKS / sizeof *OWN_LINKS && error == 0; i++)
    error = add(out, PLACE_LINK, OWN_LINKS[i][0], -1, OWN_LINKS[i][1]);
  if (error == 0) keep_needed(out);
  return error;
}
