// A program at level `mount`: in namespaces, and in a pid namespace of its own. The first process there is not the program but a reaper:
// it takes in whatever the program leaves behind. When it is killed, the kernel kills all of the namespace. It ends when its parent dies.
// Where there can be no pid namespace (see namespace.h) there is no reaper, and the program is a child like any other.
#ifndef FIRST_H
#define FIRST_H
#include "confine.h"
#include <sys/stat.h>
#include <sys/types.h>

struct start_failure {
  const char *stage;                      // "exec", "cwd", "fork", "pipe" or "confine"
  const char *part;                       // of "confine": what failed
  int error;
};

struct first {
  const struct confinement *confinement;
  const char *cwd;                        // canonical, as the view shows it
  const struct stat *place;               // what has to lie there; NULL: whatever does
  bool outlives;                          // what the program has left behind goes on without the caller
  char **argv;                            // the caller's own, wiped in the reaper: none of the program's business; NULL: let it be
  // In the process that becomes the program: executes it in the directory `cwd`, or writes why not to memory that it shares with its
  // parent (as after vfork) and ends. Does not return.
  void (*become)(void *context, int cwd);
  void *context;
};

struct reaper { pid_t pid; int gate; };   // pid 0: there is none

// Ahead of a program, which is then begun in half the time: enters the namespaces (which stay the caller's to close) by a child that
// waits in them, with the reaper and its /proc. It has run nothing and ends with this process. False: nothing is prepared.
bool first_prepare(const struct namespaces *namespaces);

// What was prepared was for another policy: it ends. Nothing may be prepared.
void first_unprepare(void);

// In what was prepared, if something was. Returns the program's pid, a child of this process as is the reaper; -1 with `*failure`, and
// nothing is left. From here on nobody looks into this process: the reaper is a copy of it.
pid_t first_begin(const struct first *first, struct reaper *reaper, struct start_failure *failure);

// The program has ended: whether nothing else of it lives. False where that cannot be known.
bool first_alone(const struct reaper *reaper);

// The same: the reaper is to end by itself once nothing is left.
void first_ended(struct reaper *reaper);

// SIGTERM (and SIGCONT) to all that lives in the namespace; not certain. Only a system call.
void first_terminate(pid_t reaper);

#endif
