// What a command would have without opening it. No level looks at a descriptor that is already there.
#ifndef DESCRIPTORS_H
#define DESCRIPTORS_H
#include <stdbool.h>

// Whether 0, 1 and 2 are pipes, sockets, terminals or /dev/null, or closed. A file or directory there opens again by
// /proc/self/fd/0, with more rights than it was opened with, and leads to all that lies below it.
bool descriptors_harmless(void);

// Everything above 2 ends with exec. 0 or an errno.
int descriptors_close_on_exec(void);

#endif
