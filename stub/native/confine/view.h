// What a policy makes visible at level `mount`: a list of places, parents first, each with what is to be mounted there.
#ifndef VIEW_H
#define VIEW_H
#include "policy.h"
#include <stdbool.h>
#include <stddef.h>

enum place_kind {
  PLACE_HIDDEN,                           // an empty directory or file of our own
  PLACE_OWN,                              // made new: /proc, /dev and what is in it
  PLACE_BOUND,                            // ENTRY_BIND: another directory's contents, read and write
  PLACE_WRITE,                            // the host's own, at its own path
  PLACE_DEVICE,
  PLACE_READ,
  PLACE_LINK,                             // a link of the host's, to be made again
};

struct place {
  enum place_kind kind;
  char *path;                             // canonical, as it is shown
  int source;                             // O_PATH, -1: none
  char *target;                           // PLACE_LINK
  bool directory;
  int above;                              // the nearest place above, by index; -1: the root of the view
};

struct view { struct place *places; size_t count; };

// Opens all that is to be shown, before anything is mounted over it. 0 or an errno; `*path` is then the path it is about.
int view_make(const struct policy *policy, struct view *out, const char **path);

// The nearest place that `path` is or lies below, -1: none.
int view_nearest(const struct view *view, const char *path);

// Whether what lies directly below that place is ours to make (-1: the root of the view), or must be there already.
bool view_is_ours(const struct view *view, int place);

struct stat;

// Whether it is no more than the place, in a bound directory, where a view shows or showed something of the host's.
bool view_is_stand_in(const struct stat *found);

#endif
