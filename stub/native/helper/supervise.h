// The supervisor of a command (notify.h) in its helper: what it wants to be asked goes to base.asks, what it saw refused into the
// end record.
#ifndef SUPERVISE_H
#define SUPERVISE_H
#include "../confine/policy.h"
#include "wire.h"

// `listener` comes from the process that applied the filter; `policy` stays in use.
void supervise_begin(const struct start_request *request, const struct policy *policy, int listener);

// Before the launch at level `guard`: the tracer (guard.h) asks and names in the same way.
void supervise_trace(const struct start_request *request, const struct policy *policy);

#endif
