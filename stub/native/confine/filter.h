// The seccomp filter of a command: what no level needs and no level holds by itself. Built once per policy, applied by a system call.
// Of every level: other ABIs (i386, AArch32: killed, x32: ENOSYS), io_uring (ENOSYS: it acts without system calls), keyctl and friends,
// TIOCSTI and TIOCLINUX, limits of other processes, open_by_handle_at, bpf, perf_event_open, userfaultfd, kexec, modules, ptrace attachments as the level needs.
#ifndef FILTER_H
#define FILTER_H
#include "kernel.h"                        // the few structures and numbers of the kernel that no C library has
#include <stdbool.h>

enum filter_want {
  FILTER_NO_TRUNCATE = 1,                 // truncate(2), and O_TRUNC where nothing is written: Landlock below ABI 3 lets them pass
  FILTER_NO_UNIX = 2,                     // socket(AF_UNIX), socketpair of datagrams (they can be sent anywhere): EPERM; other pairs stay
  FILTER_NO_NAMESPACES = 4,               // mount family, unshare, setns, clone with CLONE_NEW*; clone3: ENOSYS
  FILTER_NOTIFY = 8,                      // calls with a path but exec, and connect: to a supervisor (notify.h)
  FILTER_TRACE = 16,                      // calls with a path, signals, connect: to the tracer (calls.h)
  FILTER_NO_PTRACE = 32,
  FILTER_NO_NETWORK = 64,                 // sockets but unix and netlink: EACCES, where no network namespace does it
  FILTER_OWN_NETWORK = 128,               // in a network namespace: what it does not hold (vsock for one): EACCES
  FILTER_NOTIFY_EXEC = 256,               // with FILTER_NOTIFY, execve too
};

// A fourth argument of execve, which has three: the launcher's own, which nobody is told of, because its supervisor sleeps in vfork until
// that very call is done. A command that says it hides what it executes from the record, and nothing else: the kernel decides as ever.
#define EXEC_UNSEEN 0x6f637273u

struct filter { struct sock_filter code[384]; unsigned short length; };

void filter_build(struct filter *filter, unsigned wants);

// Applies it to this thread; only a system call. With `listener` not NULL it gets the notification descriptor (the filter must have
// FILTER_NOTIFY). 0 or an errno.
int filter_apply(const struct filter *filter, int *listener);

#endif
