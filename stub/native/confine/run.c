#define _GNU_SOURCE
#include "run.h"
#include "descriptors.h"
#include "guard.h"
#include "pin.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int say(int status, const char *what, const char *path, int error) {
  fprintf(stderr, "confine: %s%s%s: %s\n", what, path ? " " : "", path ? path : "", strerror(error));
  return status;
}

static int cannot(const char *stage, const char *path, int error) {
  if (error != ESTALE) return say(strcmp(stage, "policy") == 0 ? CONFINE_USAGE : CONFINE_UNAVAILABLE, stage, path, error);
  fprintf(stderr, "confine: %s is no longer what was approved\n", path ? path : stage);
  return CONFINE_MOVED;
}

static int stand_in(const char *cwd) {
  int fd = pin_open(AT_FDCWD, cwd), error = 0;
  if (fd < 0) return errno;
  if (fchdir(fd) != 0) error = errno;
  close(fd);
  return error;
}

static int become(char **command) {
  execvp(command[0], command);
  int error = errno;
  return say(error == ENOENT || error == ENOTDIR ? 127 : 126, command[0], NULL, error);
}

static int guard_here(const struct confinement *built, bool report) {
  const char *path = NULL;
  int error = guard_check(&built->policy, &path);
  if (error == 0) error = guard_background(&built->policy, report ? STDERR_FILENO : -1);
  return error == 0 ? 0 : cannot("guard", path, error);
}

int run(const struct run *what) {
  struct confinement built;
  const char *stage = "", *path = NULL;
  int status = 0;
  if (!descriptors_harmless()) {
    fprintf(stderr, "confine: a file or directory is open as 0, 1 or 2: a pipe, a terminal or /dev/null is needed\n");
    return CONFINE_DESCRIPTOR;
  }
  int error = descriptors_close_on_exec();
  if (error != 0) return say(CONFINE_UNAVAILABLE, "descriptors", NULL, error);
  error = confine_build(&built, what->level, what->policy, what->length, &stage, &path);
  if (error != 0) return cannot(stage, path, error);
  if (what->cwd != NULL && (error = stand_in(what->cwd)) != 0) return say(CONFINE_USAGE, "--cwd", what->cwd, error);
  if (what->level & LEVEL_GUARD && (status = guard_here(&built, what->report)) != 0) return status;
  error = confine_restrict(&built, NULL, &stage);
  if (error != 0) return cannot(stage, NULL, error);
  return become(what->command);
}
