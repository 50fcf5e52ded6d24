// Starts the shell (or program) of one command.
#ifndef LAUNCH_H
#define LAUNCH_H
#include "../confine/first.h"
#include "wire.h"
#include <sys/types.h>

struct program {
  const struct start_request *request;
  const struct confinement *confinement;
  int cwd;                                // its directory
  int in, out, err;                       // stdin (-1: /dev/null), stdout, stderr
  int listener;                           // LEVEL_ASK: the socket that the notification descriptor is sent to (notify.h)
  struct reaper *reaper;                  // LEVEL_MOUNT: where to say which it is (first.h)
};

// In a process group of its own; nothing but its three descriptors is open in it; held to the confinement; at level `guard` a tracee of this process (guard_begin). Returns the pid, or -1 with `*failure`.
pid_t launch(const struct program *program, struct start_failure *failure);

#endif
