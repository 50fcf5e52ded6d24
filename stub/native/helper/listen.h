// Sockets beside the record of a command, for the stub: base.stdin, base.asks.
#ifndef LISTEN_H
#define LISTEN_H

// Listens at `base` with `suffix`, without blocking. Returns a descriptor, or -1 with errno.
int listen_beside(const char *base, const char *suffix);

#endif
