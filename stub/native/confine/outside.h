// What stays of `helper confine` at level `mount` while its command runs in a view: it waits, passes signals on, and ends as the command
// did. Not even then does it end what the command left running.
#ifndef OUTSIDE_H
#define OUTSIDE_H
#include "first.h"

struct outside {
  const struct confinement *confinement;
  const char *cwd;                        // NULL: where this process stands, or "/" where the view does not show that
  char **argv;                            // see first.h
  // In the process that becomes the command; does not return.
  void (*become)(void *what);
  void *what;
};

// Does not return if the command ran, or said itself why it did not. Else what failed, as struct start_failure has it.
struct start_failure outside_run(const struct outside *outside);

#endif
