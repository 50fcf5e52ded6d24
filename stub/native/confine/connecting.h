// connect(2) of a supervised command. Here, and only here, the supervisor enforces: no rule set of the kernel knows unix sockets by
// their names. So the call never goes on by itself, of whatever family the socket is: while it is looked at, another thread could put
// a unix socket into its place, and another address behind its pointer. The supervisor takes the socket and the address, once, and
// connects that socket to that address.
//   A unix socket is connected where its path (pinned) may be written to, or is named as a socket in the policy; never to an abstract
//   name. Sockets that are sent to without connecting (datagrams) are not made in the first place (filter.c).
//   All others are connected as they are: what holds the network is not here. The peer sees the user, and the helper's pid.
#ifndef CONNECTING_H
#define CONNECTING_H
#include "kernel.h"
#include "notify.h"

void connecting(int listener, const struct seccomp_notif *call, const struct notify_hooks *hooks);

#endif
