// Helpers that were forked before their command came: the fork, its page faults and all preparations are then off the
// command's way. Each waits at a socket of its own, so the spawner knows which process got which command.
// They also wait within the namespaces of the policy that was used last (first_prepare): most commands have the same one.
#ifndef POOL_H
#define POOL_H
#include "../confine/built.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// Ends those that are prepared for what is kept no more.
void pool_expire(void);

// Forks until the pool is full, prepared for what was used last; what fails is left for another time. `signals` is closed in the
// children.
void pool_fill(int signals);

// True from a hand-over (or the end of one that waited) to the next `pool_fill`.
bool pool_wants(void);
bool pool_empty(void);

// Hands the request (the bytes behind its kind) to a waiting helper, with what was built for its policy (NULL: nothing yet) and that
// one's number (cache.h). Returns its pid; 0 if there is none, or the request is too long for it: then the caller forks.
pid_t pool_hand_over(const char *bytes, size_t length, const struct built *built, uint64_t number);

// A child has ended: true if it was one that waited.
bool pool_forget(pid_t pid);

// In a forked child: lets go of the others, who end when nobody holds their sockets.
void pool_leave(void);

#endif
