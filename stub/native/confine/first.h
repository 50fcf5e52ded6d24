// The first process of a command at level `mount`: pid 1 of its namespace, which starts the program, takes in whatever it leaves behind,
// and stays as long as anything of it lives. When it is killed, the kernel kills all of them; it is killed when its parent dies.
// Where there can be no pid namespace (see namespace.h) it is their subreaper, and none of that is certain.
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

enum { FIRST_KEEPS = 4 };

struct first {
  const struct confinement *confinement;
  const char *cwd;                        // canonical, as the view shows it
  const struct stat *place;               // what has to lie there; NULL: whatever does
  bool session;                           // it leads one of its own; else it stays in the caller's, with its terminal
  bool outlives;                          // when the program has ended, what it left goes on without the caller
  int keep[FIRST_KEEPS];                  // open in `start`, besides 0 to 2; -1: none
  char **argv;                            // the caller's own, wiped in this process: what it says of the host is none of the command's
  // Starts the program in the directory `cwd`. Returns its pid, or -1 with `*failure`.
  pid_t (*start)(void *context, int cwd, struct start_failure *failure);
  void *context;
};

enum first_news {
  FIRST_RUNNING = 1,                      // the program was started
  FIRST_FAILED,                           // it was not: `failure`, and nothing is left
  FIRST_ENDED,                            // it ended: `status` as wait has it, `last`: nothing else of it lives
};

struct first_said { enum first_news news; int status; bool last; struct start_failure failure; };

// Returns its pid, a child of this process, and `*channel` to hear it by; -1 with `*failure`.
pid_t first_begin(const struct first *first, int *channel, struct start_failure *failure);

// The next that it says. Waits for it with `wait`. False with errno: EAGAIN if there is nothing yet, EPIPE if nothing
// more will come.
bool first_hear(int channel, bool wait, struct first_said *said);

// SIGTERM (and SIGCONT) to all that lives in the namespace; not certain, and only where there is a pid namespace.
void first_terminate(pid_t first);

#endif
