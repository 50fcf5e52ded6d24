// What one command is held to, made ready: from what the spawner kept of an earlier one with the same policy, or built now.
#ifndef CONFINING_H
#define CONFINING_H
#include "../confine/built.h"
#include "../confine/confine.h"
#include "wire.h"

struct confining_failure {
  int error;                              // ECANCELED: `signals` said SIGTERM meanwhile; ETIMEDOUT: the command's own limit
  const char *part, *path;                // for people; NULL: none
};

// Waits until `fd` can be read: 0; or one of these errors (`until` as `now_ms` has it; 0: for ever).
int confining_wait(int fd, int signals, uint64_t until);

// `kept`: what the spawner handed over (taken; its descriptors may all be -1). Building may wait for a file system; `signals` is
// listened to meanwhile. What was built is given to the spawner. False with `*failure`: nothing may run.
bool confining_prepare(const struct start_request *request, struct built *kept, int signals, struct confinement *out,
                       struct confining_failure *failure);

#endif
