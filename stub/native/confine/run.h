// This process becomes a confined command.
#ifndef RUN_H
#define RUN_H
#include "confine.h"

struct run {
  unsigned level;
  char *policy;                           // parsed in place
  size_t length;
  const char *cwd;                        // NULL: where it stands
  bool report;                            // guard: a line on stderr for each refusal
  char **command;
  char **argv;                            // all of this program's own words; at mount they are wiped from the view's first process
};

// Returns only if nothing ran: an exit status (enum confine_exit, 126, 127), with the reason on stderr.
int run(const struct run *what);

#endif
