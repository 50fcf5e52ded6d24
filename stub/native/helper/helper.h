// One process per command: it outlives the stub, so that nothing is lost when the stub dies, and as subreaper it sees
// every descendant, so that a kill can be confirmed.
#ifndef HELPER_H
#define HELPER_H
#include "../confine/built.h"
#include <stddef.h>

// In the process that will run a command, before anything is known of it but the directory where its record will be made
// (NULL: not even that). A failure is reported by `helper_run`.
void helper_prepare(const char *records);

// Runs the command of a start request (the bytes behind its kind, used in place) to its end. Returns the exit status of
// this process: 0 if everything was reported. `kept`: what was built for an earlier command with its policy, taken.
int helper_run(char *bytes, size_t length, struct built *kept);

#endif
