// `--daemonize`: a session of its own, no terminal, nothing inherited; needs neither setsid(1) nor nohup on the host.
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

static void close_from(int first) {
  if (syscall(SYS_close_range, (unsigned)first, ~0U, 0U) == 0) return;
  struct rlimit limit;
  long last = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536 ? (long)limit.rlim_cur : 65536;
  for (long fd = first; fd < last; fd++) close((int)fd);
}

static int open_log(const char *path) {
  char directory[PATH_MAX];
  path_join(directory, "%s", path);
  char *slash = strrchr(directory, '/');
  if (path[0] != '/' || slash == directory) fail(EXIT_USAGE, "--log-file needs an absolute path");
  *slash = 0;
  make_private_directory(directory);
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) fail_writing(path, errno);
  return fd;
}

// What the daemon does before it becomes the stub; any failure is told by its errno. Moves `*report` with it.
static int become(int log, int in_use, int *report, char **arguments, char **environment) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  // A chroot may have no /dev: an empty stdin is as good, from a pipe whose other end is closed.
  int ends[2];
  if (null < 0) {
    if (pipe(ends) < 0) return errno;
    close(ends[1]);
    null = ends[0];
  }
  // Above what is overwritten, then down to fixed places: 0 1 2, 3 the lock, 4 the report.
  int safe_log = fcntl(log, F_DUPFD_CLOEXEC, 10), safe_lock = fcntl(in_use, F_DUPFD_CLOEXEC, 10);
  int safe_report = fcntl(*report, F_DUPFD_CLOEXEC, 10), safe_null = fcntl(null, F_DUPFD_CLOEXEC, 10);
  if (safe_log < 0 || safe_lock < 0 || safe_report < 0 || safe_null < 0) return errno;
  *report = safe_report;
  if (dup2(safe_null, 0) < 0 || dup2(safe_log, 1) < 0 || dup2(safe_log, 2) < 0 || dup2(safe_lock, 3) < 0 ||
      dup3(safe_report, 4, O_CLOEXEC) < 0)
    return errno;
  *report = 4;
  close_from(5);
  if (chdir("/") < 0) return errno;
  execve(arguments[0], arguments, environment);
  return errno;
}

// The report's descriptor closes by itself when the stub is executed; else it carries what went wrong.
static _Noreturn void run_daemon(int log, int in_use, int report, char **arguments, char **environment) {
  int error = become(log, in_use, &report, arguments, environment);
  _exit(write(report, &error, sizeof error) == sizeof error ? 1 : 2);
}

// Ends the caller: 0 once the daemon has executed the stub.
void daemonize_and_execute(const char *log_file, int in_use, char **arguments, char **environment) {
  int log = open_log(log_file);
  int report[2];
  if (pipe2(report, O_CLOEXEC) < 0) fail(EXIT_INSTALL_FAILED, "pipe: %s", strerror(errno));
  pid_t child = fork();
  if (child < 0) fail(EXIT_INSTALL_FAILED, "fork: %s", strerror(errno));
  if (child == 0) {
    // Two forks: the daemon leads no session, so that no terminal can become its own.
    setsid();
    pid_t daemon = fork();
    int error = errno;
    if (daemon == 0) run_daemon(log, in_use, report[1], arguments, environment);
    if (daemon < 0 && write(report[1], &error, sizeof error) < 0) _exit(1);
    _exit(0);
  }
  close(report[1]);
  while (waitpid(child, NULL, 0) < 0 && errno == EINTR) continue;
  int error = 0;
  ssize_t got;
  while ((got = read(report[0], &error, sizeof error)) < 0 && errno == EINTR) continue;
  if (got != 0) {
    fail_executing(arguments[0], error);
  }
  _exit(0);
}
