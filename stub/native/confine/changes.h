// What changes an inode without opening it: chmod, chown, utime, setxattr. Landlock lets them pass wherever they go, so at level
// `landlock` they are never let go on: where the file may be written to, the supervisor does them itself, on what it pinned. (By a
// descriptor, fchmod and its like, they reach what could be opened, and are not seen.)
#ifndef CHANGES_H
#define CHANGES_H
#include "calls.h"
#include "kernel.h"
#include "named.h"
#include <stdbool.h>

struct change {
  bool any;                               // false: it is no such call
  int number;
  uint64_t args[6];
};

bool is_change(const struct call *call);

// Pins what it changes; also where that is a descriptor of the process (an empty path, /proc/self/fd/N). 0 or an errno.
int change_find(const struct seccomp_notif *q, const struct call *call, const char *path, struct named *out);

// Does it, as the user and without capabilities. 0 or an errno.
int change_make(const struct change *change, pid_t pid, const struct named *what);

#endif
