#define _GNU_SOURCE
#include "outside.h"
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile pid_t first, program;     // the reaper, 0 where there is none
static bool leads_terminal;               // the session of stdin's terminal is ours

static void terminate(int signal) {
  int error = errno;
  (void)signal;
  if (first > 0) first_terminate(first);
  else if (program > 0) kill(program, SIGTERM);
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

// A terminal's first program asks for its process group and gives the terminal back to it at its end (dash: "Cannot set tty process
// group"): ours lies outside its pid namespace, so it leads one of its own. Only where nobody else has this terminal's jobs in hand.
static void lead_terminal(void) {
  if (!leads_terminal) return;
  signal(SIGTTOU, SIG_IGN);
  if (setpgid(0, 0) == 0) tcsetpgrp(STDIN_FILENO, getpid());
  signal(SIGTTOU, SIG_DFL);
}

static void become(void *context, int cwd) {
  static const int ours[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT };
  const struct outside *outside = context;
  sigset_t none;
  for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) signal(ours[i], SIG_DFL);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  lead_terminal();
  if (fchdir(cwd) == 0) outside->become(outside->what);
  _exit(CONFINE_UNAVAILABLE);
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
  struct first what = { .confinement = outside->confinement, .cwd = cwd, .outlives = true, .argv = outside->argv, .become = become, .context = (void *)outside };
  struct start_failure failure;
  struct reaper reaper;
  int status;
  sigset_t ours, before;
  sigemptyset(&ours);
  sigaddset(&ours, SIGTERM);
  sigaddset(&ours, SIGHUP);
  sigprocmask(SIG_BLOCK, &ours, &before); // they wait until it is known whom they are for
  pass_signals_on();
  leads_terminal = getsid(0) == getpid() && tcgetpgrp(STDIN_FILENO) == getpgrp();
  pid_t pid = first_begin(&what, &reaper, &failure);
  first = reaper.pid;
  program = pid;
  sigprocmask(SIG_SETMASK, &before, NULL);
  if (pid < 0) return failure;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  if (reaper.pid != 0) first_ended(&reaper);
  end_like(status);
}

struct start_failure outside_run(const struct outside *outside) {
  char here[PATH_MAX];
  if (outside->cwd != NULL) return run_in(outside, outside->cwd);
  if (getcwd(here, sizeof here) == NULL) strcpy(here, "/");
  struct start_failure failure = run_in(outside, here);
  bool elsewhere = failure.part != NULL && strcmp(failure.part, "directory") == 0;
  return elsewhere && strcmp(here, "/") != 0 ? run_in(outside, "/") : failure;
}
