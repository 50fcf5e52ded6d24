// Does for a waiting call what its process may not do itself, on what was pinned, and hands it the result.
#ifndef GIVE_H
#define GIVE_H
#include "changes.h"
#include "named.h"
#include <stdint.h>

struct giving {
  uint64_t id;                            // of the notification
  pid_t pid;
  uint64_t flags;                         // of open
  mode_t mode;
  struct change change;                   // or it changes what it names
};

// Opens (or changes) what was pinned as the call wanted it, with the rights of the user and no capability, and answers the call.
void give(int listener, const struct giving *to, const struct named *what);

// Answers a call: `error` is 0 or a negative errno; `flags` SECCOMP_USER_NOTIF_FLAG_CONTINUE or 0.
void give_answer(int listener, uint64_t id, int error, unsigned flags);

#endif
