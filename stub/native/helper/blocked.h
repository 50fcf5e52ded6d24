// What the command was refused while it ran, for its end record: each path, access and operation once, a bounded number of them.
#ifndef BLOCKED_H
#define BLOCKED_H
#include <stdbool.h>
#include <stddef.h>

// `operation` is a constant.
void blocked_note(const char *path, bool write, const char *operation);

// `,"blocked":[{"path":…,"access":…,"operation":…}…],"blockedMore":n`; nothing where nothing was refused.
// Returns its length; `room` at least BLOCKED_TEXT.
enum { BLOCKED_TEXT = 3072 };
size_t blocked_describe(char *text, size_t room);

#endif
