// The seccomp filter of a command: what no level needs and no level holds by itself. Built once per policy, applied by a system call.
// Of every level: other ABIs (i386: killed, x32: ENOSYS), io_uring (ENOSYS: it acts without system calls), keyctl and friends, TIOCSTI
// and TIOCLINUX, open_by_handle_at, bpf, perf_event_open, userfaultfd, kexec, modules, ptrace attachments as the level needs.
#ifndef FILTER_H
#define FILTER_H
#include "kernel.h"                        // the few structures and numbers of the kernel that no C library has
#include <stdbool.h>

enum filter_want {
  FILTER_NO_TRUNCATE = 1,                 // truncate(2): Landlock below ABI 3 lets it pass
  FILTER_NO_UNIX = 2,                     // socket(AF_UNIX): EPERM; socketpair stays
  FILTER_NO_NAMESPACES = 4,               // mount family, unshare, setns, clone with CLONE_NEW*; clone3: ENOSYS
  FILTER_NOTIFY = 8,                      // calls with a path, and connect: to a supervisor (notify.h)
  FILTER_TRACE = 16,                      // calls with a path, kill, connect: to the tracer (guard.h)
  FILTER_NO_PTRACE = 32,
  FILTER_NO_NETWORK = 64,                 // socket(AF_INET…): EACCES, where no rule set and no network namespace does it
};

struct filter { struct sock_filter code[384]; unsigned short length; };

void filter_build(struct filter *filter, unsigned wants);

// Applies it to this thread; only a system call. With `listener` not NULL it gets the notification descriptor (the filter must have
// FILTER_NOTIFY). 0 or an errno.
int filter_apply(const struct filter *filter, int *listener);

#endif
