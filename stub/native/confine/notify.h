// The supervisor of one command: its calls that name a file come here first (seccomp user notification, FILTER_NOTIFY). Nothing is
// enforced here. What the policy covers goes on, and the kernel decides; so does what is not there. What is outside asks, and the
// call waits: where the answer allows it, what was pinned is opened for the command and handed to it; else it fails with EACCES.
// What cannot be handed over (exec, mkdir, rename…) goes on to be refused by the kernel, and is only noted.
//
// While nobody serves, calls wait. Once the supervisor is dead, the kernel answers ENOSYS: nothing opens, nothing is let through.
#ifndef NOTIFY_H
#define NOTIFY_H
#include "policy.h"
#include <sys/types.h>

struct notify_question {
  const char *path;                       // real, as this process sees it
  bool directory;                         // it is one
  bool write;
  const char *operation;                  // "open", "chmod"…
  pid_t pid;                              // who waits
};

struct notify_hooks {
  // A call is to wait: returns the number of the ask it waits for; 0: nobody is to be asked, it is refused.
  unsigned (*ask)(const struct notify_question *question);
  // Something was refused, or will be by the kernel.
  void (*blocked)(const char *path, bool write, const char *operation);
};

// `listener` (filter_apply's) is closed in the end. `level`: enum confine_level. `policy` stays in use.
void notify_begin(int listener, const struct policy *policy, unsigned level, const struct notify_hooks *hooks);

// To be polled for reading; -1 once no process of the command is left.
int notify_fd(void);
void notify_serve(short revents);

// The calls that wait for this ask look again at what is granted (grants.h).
void notify_answered(unsigned ask);

// How many of them still wait: a process may have died, or have been interrupted.
unsigned notify_waiting(unsigned ask);

void notify_end(void);

// Hands the listener from the process that applied the filter to its supervisor, over a socket pair; the first only makes a system
// call. False with errno.
bool notify_send(int socket, int listener);
int notify_receive(int socket);

#endif
