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
#include "policy.h"
#include <sys/types.h>

struct guard_call {
  pid_t task;                             // stopped until it is answered
  const char *path;                       // the real one
  bool write;
  const char *operation;                  // "open", "rename", … (calls.h), "connect", "bind", "kill"
  bool askable;                           // false: no approval could cover it (/proc, signals)
};

enum guard_answer {
  GUARD_REFUSE,
  GUARD_ALLOW,
  GUARD_WAIT,                             // the task stays stopped, the others go on, until guard_look_again or guard_refuse
};

// Asked for everything outside the policy. Both must stay valid.
void guard_begin(const struct policy *policy, enum guard_answer (*outside)(const struct guard_call *call));

// Whether what was approved is still what lies there: 0, or ESTALE with `*path`, or another errno.
int guard_check(const struct policy *policy, const char **path);

// Makes a process that waits before its exec, and all that it will ever start, tracees of this process; if this process ends, they
// are killed. 0 or an errno.
int guard_seize(pid_t process);

// After waitpid(…, __WALL) said that `task` has stopped. Lets it go on, unless an answer is awaited.
void guard_stopped(pid_t task, int status);

// The answer: the same call is judged again (it may name a second path), or refused. Nothing happens if the task has gone.
void guard_look_again(pid_t task);
void guard_refuse(pid_t task);

// From now on whatever stops is killed: nothing can fork faster than it is killed.
void guard_end(void);

// For a program that becomes the command itself: a tracer in the background, which no `wait` of the command's sees and which stays
// as long as anything of it lives. One line per refusal to the descriptor `report` (-1: none). 0 or an errno.
int guard_background(const struct policy *policy, int report);

#endif
