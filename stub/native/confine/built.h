// What was built for one policy, once, to be applied by any number of commands: descriptors, that any process may hold and hand on.
#ifndef BUILT_H
#define BUILT_H
#include "namespace.h"
#include <stdbool.h>
#include <stddef.h>

struct built { int ruleset; struct namespaces namespaces; };   // -1: there is none

void built_none(struct built *built);
bool built_is_none(const struct built *built);
void built_close(struct built *built);

// One message on a SOCK_SEQPACKET socket: `head`, `bytes`, and the descriptors of `built` (NULL: none), which stay open here. Never
// waits. False if it was not sent, whole.
bool built_send(int socket, const struct built *built, const void *head, size_t head_length, const void *bytes, size_t length);

// Takes one such message; `*length`: its bytes behind the head. False with errno: EPIPE at the end of the socket, EBADMSG for what was
// cut off. `built` is the caller's to close.
bool built_receive(int socket, struct built *built, void *head, size_t head_length, void *bytes, size_t room, size_t *length, int flags);

#endif
