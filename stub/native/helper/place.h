// Directories: opened and removed without ever following a link that someone put in the way.
#ifndef PLACE_H
#define PLACE_H

// Opens the canonical absolute directory `path` (no component may be a link, "." or ".."). Returns a descriptor
// good for fchdir, or -1 with errno: ENOENT, ENOTDIR, ELOOP, EACCES, EINVAL.
int place_open(const char *path);

// Removes a directory and all below it, by descriptors: links are removed, never followed. Best effort.
void place_remove(const char *path);

#endif
