// What a path means to another process: its working directory, its descriptors, its /proc/self.
#ifndef RESOLVE_H
#define RESOLVE_H
#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

enum { REAL_ROOM = PATH_MAX + 256 };

struct meant {
  pid_t task;                             // whose path it is
  int directory;                          // the descriptor that it starts from, or AT_FDCWD
  const char *path;
  bool name;                              // a link at its end is not followed: it is the name that matters
  bool create;                            // its end need not exist, nor what a link there leads to
  bool (*reaches)(pid_t process);         // whose descriptors and directories may be followed below /proc; NULL: everybody's. Else
                                          // the path ends at that link
};

// The canonical path of what it means now, in `real`. False: no file is reached, so the kernel can answer (nothing there, a loop,
// a pipe, a file without a name), or with errno EMFILE, ENFILE, ENOMEM it could not be looked at. Only as true as the moment: whoever may write on the way can change it at once.
// `*absent`: with `name` or `create`, whether nothing lies there.
bool resolve(const struct meant *meant, char real[REAL_ROOM], bool *absent);

#endif
