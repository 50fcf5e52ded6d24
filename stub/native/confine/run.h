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
};

// Returns only if nothing ran: an exit status (enum confine_exit, 126, 127), with the reason on stderr.
int run(const struct run *what);

#endif
