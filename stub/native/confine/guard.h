// Level `guard`, for kernels that have nothing better (CentOS 7; RHEL 8 hardened by STIG): the seccomp filter stops every call that
// names a file (calls.h), a tracer looks where the path leads and refuses what the policy does not cover.
//
// It stops what an honest command does wrong, and names it. It is no boundary against a hostile one. What it does not hold:
//   race                     another thread changes the path after the look (half of all tries get through)
//   stub-reachable           a command that gets through is the stub's own user
//   stat                     stat, access and readlink are not looked at; command lines of others (`proc-cmdline`) neither
//   pre-existing-hard-links  a name in an approved directory is that directory's
//   network                  TCP and UDP, unless the filter denies them all; datagrams to unix sockets that were not connected
//   ipc                      System V shared memory, semaphores, queues
// And what it takes away: ptrace (gdb, strace, LeakSanitizer: EPERM, a process has one tracer), openat2 (ENOSYS), abstract sockets of
// others and of its own (EPERM), programs that make themselves unreadable (ssh-agent) open nothing.
#ifndef GUARD_H
#define GUARD_H
#include "notify.h"
#include "policy.h"
#include <stdbool.h>
#include <sys/types.h>

// `hooks` (notify.h): asked for everything outside the policy that an approval could cover; while a task waits for an answer it stays
// stopped and the others go on. Both must stay valid.
void guard_begin(const struct policy *policy, const struct notify_hooks *hooks);

// Whether what was approved is still what lies there: 0, or ESTALE with `*path`, or another errno.
int guard_check(const struct policy *policy, const char **path);

// Makes a process that waits before its exec, and all that it will ever start, tracees of this process; if this process ends, they
// are killed. 0 or an errno.
int guard_seize(pid_t process);

// Lets a seized process run until it has executed its program; what that needs is not asked about. False: it has ended before.
bool guard_until_exec(pid_t process);

// After waitpid(…, __WALL) said that `task` has stopped. Lets it go on, unless it is to wait for an answer.
void guard_stopped(pid_t task, int status);

// After it said that `task` has ended.
void guard_ended(pid_t task);

// As notify_answered and notify_waiting.
void guard_answered(unsigned ask);
unsigned guard_waiting(unsigned ask);

// From now on whatever stops is killed: nothing can fork faster than it is killed.
void guard_end(void);

// For a program that becomes the command itself: a tracer in the background, which no `wait` of the command's sees and which stays
// as long as anything of it lives. One line per refusal to the descriptor `report` (-1: none). 0 or an errno.
int guard_background(const struct policy *policy, int report);

#endif
