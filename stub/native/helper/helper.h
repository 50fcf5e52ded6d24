// One process per command: it outlives the stub, so that nothing is lost when the stub dies, and as subreaper it sees
// every descendant, so that a kill can be confirmed.
#ifndef HELPER_H
#define HELPER_H
#include "wire.h"

// Runs the command to its end and returns the exit status of this process: 0 if everything was reported.
int helper_run(const struct start_request *request);

#endif
