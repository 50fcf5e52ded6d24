// What the login shell of the user gives to programs. Run by that shell (stub/commands/environment.ts), it prints between
// two random markers, so that banners and other noise of rc files do not matter. A program of ours, because `env -0` is not
// everywhere and variables may hold newlines.
#define _GNU_SOURCE
#include "environment.h"
#include <stdio.h>
#include <sys/stat.h>

int environment_print(const char *marker, char **envp) {
  mode_t mask = umask(0);
  printf("%s%03o%c", marker, (unsigned)mask, 0);
  for (char **e = envp; *e; e++) printf("%s%c", *e, 0);
  printf("%s", marker);
  return fflush(stdout) == 0 ? 0 : 1;
}
