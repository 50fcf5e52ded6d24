#define _GNU_SOURCE
#include "guard.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PR_SET_PTRACER
#define PR_SET_PTRACER 0x59616d61
#define PR_SET_PTRACER_ANY ((unsigned long)-1)
#endif

static int report = -1;

static unsigned ask_nobody(const struct notify_question *question) {
  (void)question;
  return 0;
}

static void tell(const char *path, bool write, const char *operation) {
  if (report >= 0) dprintf(report, "refused %s %s %s\n", operation, write ? "write" : "read", path);
}

static const struct notify_hooks hooks = { .ask = ask_nobody, .blocked = tell };

// Whoever reads what the command prints must see its end when the command ends.
static void keep_only(int one, int other) {
  DIR *open_ones = opendir("/proc/self/fd");
  for (struct dirent *entry; open_ones != NULL && (entry = readdir(open_ones)) != NULL;) {
    int fd = atoi(entry->d_name);
    if (entry->d_name[0] != '.' && fd != one && fd != other && fd != dirfd(open_ones)) close(fd);
  }
  if (open_ones != NULL) closedir(open_ones);
}

static void trace(const struct policy *policy, pid_t command, int done) {
  sigset_t all;
  sigfillset(&all);                       // signals of the terminal are for the command
  sigprocmask(SIG_SETMASK, &all, NULL);
  setsid();
  keep_only(done, report);
  if (chdir("/") != 0) _exit(1);
  guard_begin(policy, &hooks);
  int error = guard_seize(command), status;
  if (write(done, &error, sizeof error) != sizeof error || error != 0) _exit(1);
  close(done);
  for (pid_t task; (task = waitpid(-1, &status, __WALL)) > 0;)
    if (WIFSTOPPED(status)) guard_stopped(task, status);
  _exit(0);
}

int guard_background(const struct policy *policy, int to) {
  int done[2], error = 0;
  pid_t command = getpid();
  if (pipe2(done, O_CLOEXEC) != 0) return errno;
  report = to;
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);       // where Yama lets only ancestors trace
  pid_t between = fork();
  if (between == 0) {
    if (fork() == 0) trace(policy, command, done[1]);
    _exit(0);                             // so that the tracer is no child of the command
  }
  close(done[1]);
  if (between < 0) error = errno;
  else waitpid(between, NULL, 0);
  if (error == 0 && read(done[0], &error, sizeof error) != sizeof error) error = ESRCH;
  close(done[0]);
  prctl(PR_SET_PTRACER, 0, 0, 0, 0);
  return error;
}
