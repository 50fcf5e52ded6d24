// vfork and exec: the child borrows this process's memory until it executes, which copies nothing and brings errors back. (At level
// `guard` it is fork and exec, see launch_traced.)
// Between the two only system calls are made. What a new program inherits is set right here: signal mask, process group,
// directory, umask, descriptors.
#define _GNU_SOURCE
#include "launch.h"
#include "../confine/guard.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4u
#endif
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

struct failure { volatile int error; const char *volatile stage; };
static struct failure borrowed;           // the child writes here while it borrows this memory
static struct failure *failure = &borrowed;

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
  failure->stage = "cwd";
  if (fchdir(cwd) != 0) return false;
  failure->stage = "pipe";
  if (in < 0) in = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (in < 0) return false;
  if (in == 0) fcntl(0, F_SETFD, 0);
  if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) return false;
  syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC);   // all of ours have the flag anyway; older kernels lack the call
  return true;
}

static bool restrict_itself(const struct confinement *confinement) {
  const char *part;
  failure->stage = "confine";
  errno = confine_restrict(confinement, NULL, &part);
  return errno == 0;
}

// In the child. Ends it if the command cannot be executed.
static void become(const struct start_request *request, const struct confinement *confinement, int cwd, int in, int out, int err) {
  if (prepare(request, cwd, in, out, err) && restrict_itself(confinement)) {
    failure->stage = "exec";
    execute(request->argv, request->envp, request->alternative != NULL);
    if (request->alternative != NULL) execute(request->alternative, request->envp, false);
  }
  failure->error = errno ? errno : EIO;
  _exit(127);
}

// A tracer cannot lend its memory to its tracee, because it would sleep until that has executed. So this child is forked, waits until
// it is traced, and says what fails in memory that both see.
static pid_t launch_traced(const struct start_request *request, const struct confinement *confinement, int cwd, int in, int out, int err) {
  int gate[2];
  struct failure *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return -1;
  if (pipe2(gate, O_CLOEXEC) != 0) return -1;
  failure = shared;
  *failure = borrowed;
  pid_t pid = fork();
  if (pid == 0) {
    char byte;
    close(gate[1]);
    if (read(gate[0], &byte, 1) != 1) _exit(127);
    become(request, confinement, cwd, in, out, err);
  }
  close(gate[0]);
  int error = pid < 0 ? errno : guard_seize(pid);
  if (pid > 0 && error != 0) failure->stage = "confine";
  if (error == 0 && write(gate[1], "", 1) != 1) error = errno;
  close(gate[1]);                         // nothing was written: it ends by itself
  if (error == 0 && !guard_until_exec(pid) && failure->error == 0) error = ECHILD;
  else if (pid > 0 && error != 0) waitpid(pid, NULL, 0);
  borrowed = *shared;
  failure = &borrowed;
  munmap(shared, sizeof *shared);
  if (error != 0) failure->error = error;
  return pid;
}

__attribute__((noinline))
static pid_t launch_lent(const struct start_request *request, const struct confinement *confinement, int cwd, int in, int out, int err) {
  pid_t pid = vfork();
  if (pid == 0) become(request, confinement, cwd, in, out, err);
  return pid;
}

pid_t launch(const struct start_request *request, const struct confinement *confinement, int cwd, int in, int out, int err,
             const char **stage) {
  borrowed = (struct failure){ 0, "fork" };
  bool traced = confinement->level & LEVEL_GUARD;
  pid_t pid = (traced ? launch_traced : launch_lent)(request, confinement, cwd, in, out, err);
  *stage = borrowed.stage;
  if (pid < 0 || borrowed.error == 0) return pid;
  errno = borrowed.error;                 // it never became the command; whoever reaps it need not know it
  return -1;
}
