// Starts the shell (or program) of one command.
#ifndef LAUNCH_H
#define LAUNCH_H
#include "wire.h"
#include <sys/types.h>

// In a process group of its own, in the directory `cwd`, with `in` (-1: /dev/null) as stdin and the two others as
// stdout and stderr; nothing else is open in it. Returns the pid, or -1 with errno and `*stage` ("exec", "cwd" or "fork").
pid_t launch(const struct start_request *request, int cwd, int in, int out, int err, const char **stage);

#endif
