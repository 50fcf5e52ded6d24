// vfork and exec: the child borrows this process's memory until it executes, which copies nothing and brings errors back.
// Between the two only system calls are made. What a new program inherits is set right here: signal mask, process group,
// directory, umask, descriptors.
#define _GNU_SOURCE
#include "launch.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4u
#endif
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

static volatile int child_error;
static const char *volatile child_stage;

static const char *path_of(char **envp) {
  for (char **e = envp; *e; e++)
    if (strncmp(*e, "PATH=", 5) == 0) return *e + 5;
  return DEFAULT_PATH;
}

// As execvp does it, but with the PATH of the command. Returns only with errno set. With `plain` a script without "#!"
// is not tried with sh: there is an alternative that knows better.
static void execute(char **argv, char **envp, bool plain) {
  const char *name = argv[0];
  if (strchr(name, '/') != NULL) {
    execve(name, argv, envp);
  } else {
    static char candidate[4096 + 256];
    bool denied = false;
    size_t length = strlen(name);
    errno = ENOENT;
    if (length == 0 || length > 255) return;
    for (const char *p = path_of(envp);; p++) {
      size_t folder = strcspn(p, ":");
      if (folder < 4096) {
        memcpy(candidate, p, folder);
        size_t at = folder;
        if (folder > 0) candidate[at++] = '/';              // an empty entry means the working directory
        memcpy(candidate + at, name, length + 1);
        // a failed execve costs ten times what the look does
        if (access(candidate, F_OK) == 0) execve(candidate, argv, envp);
        if (errno == EACCES) denied = true;
        else if (errno == ENOEXEC) { name = candidate; break; }
        else if (errno != ENOENT && errno != ENOTDIR && errno != ESTALE && errno != ENODEV) return;
      }
      p += folder;
      if (*p == 0) break;
    }
    if (errno != ENOEXEC) { errno = denied ? EACCES : ENOENT; return; }
  }
  if (errno != ENOEXEC || plain) return;
  char **script = argv - 1;               // a script without "#!": sh reads it, as execvp would have it
  char *first = argv[0];
  script[0] = (char *)"sh";
  script[1] = (char *)name;
  execve("/bin/sh", script, envp);
  script[1] = first;
}

static bool prepare(const struct start_request *request, int cwd, int in, int out, int err) {
  sigset_t none;                          // dispositions: the spawner has set them all to their default
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  setpgid(0, 0);
  if (request->umask != UMASK_INHERITED) umask((mode_t)request->umask);
  child_stage = "cwd";
  if (fchdir(cwd) != 0) return false;
  child_stage = "pipe";
  if (in < 0) in = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (in < 0) return false;
  if (in == 0) fcntl(0, F_SETFD, 0);
  if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) return false;
  syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC);   // all of ours have the flag anyway; older kernels lack the call
  return true;
}

__attribute__((noinline))
pid_t launch(const struct start_request *request, int cwd, int in, int out, int err, const char **stage) {
  child_error = 0;
  child_stage = "fork";
  pid_t pid = vfork();
  if (pid == 0) {
    if (prepare(request, cwd, in, out, err)) {
      child_stage = "exec";
      execute(request->argv, request->envp, request->alternative != NULL);
      if (request->alternative != NULL) execute(request->alternative, request->envp, false);
    }
    child_error = errno ? errno : EIO;
    _exit(127);
  }
  *stage = child_stage;
  if (pid < 0 || child_error == 0) return pid;
  errno = child_error;                    // it never became the command; whoever reaps it need not know it
  return -1;
}
