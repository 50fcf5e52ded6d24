// Starts the shell (or program) of one command.
#ifndef LAUNCH_H
#define LAUNCH_H
#include "../confine/confine.h"
#include "wire.h"
#include <sys/types.h>

// In a process group of its own, in the directory `cwd`, with `in` (-1: /dev/null) as stdin and the two others as
// stdout and stderr; nothing else is open in it; held to `confinement`, at level `guard` as a tracee of this process (guard_begin).
// Returns the pid, or -1 with errno and `*stage` ("exec", "confine", "cwd" or "fork").
pid_t launch(const struct start_request *request, const struct confinement *confinement, int cwd, int in, int out, int err,
             const char **stage);

#endif
