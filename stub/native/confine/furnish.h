// Fills an empty root with the places of a view, and makes sure that nothing in it may be written that is only to be read.
#ifndef FURNISH_H
#define FURNISH_H
#include "view.h"

// An empty file in every view, to be shown in the place of a hidden one.
#define FURNISH_EMPTY "/dev/.empty"

// Mounts all of it but "/" below the directory `root`. 0 or an errno; `*path` is then what it is about.
int furnish(int root, const struct view *view, bool processes, const char **path);

// When `root` has become the root: read-only what is not to be written, and looked at again. 0 or an errno, EPERM if something can still
// be written; `*path` as above.
int furnish_lock(const struct view *view, const char **path);

#endif
