// What the tracer asks about processes: whether they are its tracees, and what may be done to those that are not.
#ifndef GUARD_PROCESS_H
#define GUARD_PROCESS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// A tracee of this process, or one that has ended: it can be neither harmed nor read.
bool process_is_ours(pid_t pid);

// Every process of the group is.
bool process_group_is_ours(pid_t group);

// A path below /proc/PID. `*pid` is set if it is one.
bool process_path(const char *real, pid_t *pid);

// Of the files below /proc/PID those that ps needs: nothing of the process's memory, environment or files.
bool process_look_is_harmless(const char *real);

// A terminal of the task: its own, or one that was made since `since` (seconds of the epoch).
bool process_owns_terminal(pid_t task, const char *real, int64_t since);

// Memory of a stopped tracee. `read_text`: up to a NUL. 0 or an errno: EFAULT (nothing there), EPERM (it made itself unreadable).
int process_read(pid_t task, uint64_t at, void *out, size_t length);
int process_read_text(pid_t task, uint64_t at, char *out, size_t room);

#endif
