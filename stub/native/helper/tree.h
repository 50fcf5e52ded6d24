// All descendants of this process. As a child subreaper it inherits what its children leave behind, so a process that
// called setsid or was orphaned is still found here: nothing that a command started can leave this tree.
#ifndef TREE_H
#define TREE_H
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
  pid_t pid, parent, group;
  char state;
  uint64_t start;                         // field 22 of /proc/PID/stat: with the pid it names one process for ever
};

// Fills `out` with at most `limit` living descendants (zombies are not living); returns how many there are.
size_t tree_descendants(struct process *out, size_t limit);

// Sends `signal` to every living descendant outside the process group `except` (0: to all). Returns how many there are.
size_t tree_signal(int signal, pid_t except);

// Start time of a process; 0 if it does not exist or /proc is not there.
uint64_t tree_start_time(pid_t pid);

#endif
