#define _GNU_SOURCE
#include "run.h"
#include "descriptors.h"
#include "guard.h"
#include "outside.h"
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

static void become(void *command) {
  char **argv = command;
  execvp(argv[0], argv);
  int error = errno;
  _exit(say(error == ENOENT || error == ENOTDIR ? 127 : 126, argv[0], NULL, error));
}

struct becoming { const struct confinement *confinement; char **command; };

static void restrict_and_become(void *what) {
  const struct becoming *b = what;
  const char *stage = "";
  int error = confine_restrict(b->confinement, NULL, &stage);
  if (error != 0) _exit(cannot(stage, NULL, error));
  become(b->command);
}

static int run_in_view(const struct run *what, const struct confinement *built) {
  struct becoming becoming = { built, what->command };
  struct outside outside = { built, what->cwd, what->argv, restrict_and_become, &becoming };
  struct start_failure failure = outside_run(&outside);
  bool directory = failure.part != NULL && strcmp(failure.part, "directory") == 0;
  if (directory) return say(CONFINE_USAGE, "--cwd", what->cwd, failure.error);
  return cannot(failure.part != NULL ? failure.part : failure.stage, NULL, failure.error);
}

int run(const struct run *what) {
  struct confinement built;
  const char *stage = "", *path = NULL;
  if (!descriptors_harmless()) {
    fprintf(stderr, "confine: a file or directory is open as 0, 1 or 2: a pipe, a terminal or /dev/null is needed\n");
    return CONFINE_DESCRIPTOR;
  }
  int error = descriptors_close_on_exec();
  if (error != 0) return say(CONFINE_UNAVAILABLE, "descriptors", NULL, error);
  error = confine_build(&built, what->level, what->policy, what->length, &stage, &path);
  if (error != 0) return cannot(stage, path, error);
  if (what->level & LEVEL_MOUNT) return run_in_view(what, &built);
  if (what->cwd != NULL && (error = stand_in(what->cwd)) != 0) return say(CONFINE_USAGE, "--cwd", what->cwd, error);
  if (what->level & LEVEL_GUARD && (error = guard_background(&built.policy, what->report ? STDERR_FILENO : -1)) != 0)
    return cannot("ptrace", NULL, error);
  restrict_and_become(&(struct becoming){ &built, what->command });
  return CONFINE_UNAVAILABLE;
}
