#define _GNU_SOURCE
#include "outside.h"
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile pid_t first = -1;

static void terminate(int signal) {
  int error = errno;
  (void)signal;
  if (first > 0) first_terminate(first);
  errno = error;
}

// Those of the keyboard reach the command by themselves.
static void pass_signals_on(void) {
  struct sigaction action = { .sa_handler = terminate };
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGHUP, &action, NULL);
  signal(SIGINT, SIG_IGN);
  signal(SIGQUIT, SIG_IGN);
}

static pid_t start(void *context, int cwd, struct start_failure *failure) {
  const struct outside *outside = context;
  pid_t pid = fork();
  if (pid == 0) {
    static const int ours[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT };
    sigset_t none;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) signal(ours[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (fchdir(cwd) == 0) outside->become(outside->what);
    _exit(CONFINE_UNAVAILABLE);
  }
  if (pid < 0) *failure = (struct start_failure){ "fork", NULL, errno };
  return pid;
}

_Noreturn static void end_like(int status) {
  if (WIFEXITED(status)) _exit(WEXITSTATUS(status));
  struct rlimit none = { 0, 0 };          // the command has dumped its own core
  setrlimit(RLIMIT_CORE, &none);
  signal(WTERMSIG(status), SIG_DFL);
  raise(WTERMSIG(status));
  _exit(128 + WTERMSIG(status));
}

static struct start_failure run_in(const struct outside *outside, const char *cwd) {
  struct first what = { .confinement = outside->confinement, .cwd = cwd, .outlives = true, .argv = outside->argv, .start = start };
  struct start_failure failure;
  struct first_said said;
  int channel;
  for (size_t i = 0; i < FIRST_KEEPS; i++) what.keep[i] = -1;
  what.context = (void *)outside;
  pass_signals_on();
  first = first_begin(&what, &channel, &failure);
  if (first < 0) return failure;
  while (first_hear(channel, true, &said)) {
    if (said.news == FIRST_ENDED) end_like(said.status);
    if (said.news == FIRST_FAILED) return said.failure;
  }
  return (struct start_failure){ "confine", "the first process", EPIPE };   // killed, with all the others
}

struct start_failure outside_run(const struct outside *outside) {
  char here[PATH_MAX];
  if (outside->cwd != NULL) return run_in(outside, outside->cwd);
  if (getcwd(here, sizeof here) == NULL) strcpy(here, "/");
  struct start_failure failure = run_in(outside, here);
  bool elsewhere = failure.part != NULL && strcmp(failure.part, "directory") == 0;
  return elsewhere && strcmp(here, "/") != 0 ? run_in(outside, "/") : failure;
}
