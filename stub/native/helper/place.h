// Directories: removed without ever following a link that someone put in the way.
#ifndef PLACE_H
#define PLACE_H

// Removes a directory and all below it, by descriptors: links are removed, never followed. Best effort.
void place_remove(const char *path);

#endif
