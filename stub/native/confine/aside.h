// What may block is done aside, in a child that answers the call itself and ends with it: the supervisor serves on meanwhile.
#ifndef ASIDE_H
#define ASIDE_H
#include <stdbool.h>
#include <stdint.h>

// Forks. True in the child, which is to do its work (a call that blocks fails with EINTR now and then) and `_exit`; false in the
// supervisor, and where there can be no child: then `*failed` is set.
bool aside(bool *failed);

// Between two attempts of the child: ends it if nobody waits for its answer any more.
void aside_check(int listener, uint64_t id);

#endif
