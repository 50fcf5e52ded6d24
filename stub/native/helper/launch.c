// vfork and exec: the child borrows this process's memory until it executes, which copies nothing and brings errors back. (At level
// `guard` it is fork and exec, see launch_traced.)
// Between the two only system calls are made. What a new program inherits is set right here: signal mask, process group,
// directory, umask, descriptors, confinement.
#define _GNU_SOURCE
#include "launch.h"
#include "../confine/guard.h"
#include "../confine/notify.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
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

static struct start_failure borrowed;    // the child writes here while it borrows this memory
static volatile struct start_failure *failed = &borrowed;

static const char *path_of(char **envp) {
  for (char **e = envp; *e; e++)
    if (strncmp(*e, "PATH=", 5) == 0) return *e + 5;
  return DEFAULT_PATH;
}

// Not told to the supervisor, which is this very process (EXEC_UNSEEN).
static void execute_unseen(const char *path, char **argv, char **envp) { syscall(SYS_execve, path, argv, envp, EXEC_UNSEEN); }

// As execvp does it, but with the PATH of the command. Returns only with errno set. With `plain` a script without "#!"
// is not tried with sh: there is an alternative that knows better.
static void execute(char **argv, char **envp, bool plain) {
  const char *name = argv[0];
  if (strchr(name, '/') != NULL) {
    execute_unseen(name, argv, envp);
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
        if (access(candidate, F_OK) == 0) execute_unseen(candidate, argv, envp);
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
  execute_unseen("/bin/sh", script, envp);
  script[1] = first;
}

static bool prepare(const struct program *p) {
  sigset_t none;                          // dispositions: the spawner has set them all to their default
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  if (p->confinement->level & LEVEL_MOUNT) setsid();       // the session of others has no number in its namespace
  else setpgid(0, 0);
  if (p->request->umask != UMASK_INHERITED) umask((mode_t)p->request->umask);
  failed->stage = "cwd";
  if (fchdir(p->cwd) != 0) return false;
  failed->stage = "pipe";
  int in = p->in;
  if (in < 0) in = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (in < 0) return false;
  if (in == 0) fcntl(0, F_SETFD, 0);
  if (dup2(in, 0) < 0 || dup2(p->out, 1) < 0 || dup2(p->err, 2) < 0) return false;
  syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC);   // all of ours have the flag anyway; older kernels lack the call
  return true;
}

// The last step: from here on it is the command's own.
static bool restrict_itself(const struct program *p) {
  const char *part = NULL;
  int listener = -1;
  failed->stage = "confine";
  int error = confine_restrict(p->confinement, &listener, &part);
  if (error == 0 && listener >= 0 && !notify_send(p->listener, listener)) error = errno;
  failed->part = part;
  errno = error;
  return error == 0;
}

// In the child. Ends it if the command cannot be executed.
static void become(const struct program *p) {
  if (prepare(p) && restrict_itself(p)) {
    failed->stage = "exec";
    failed->part = NULL;
    execute(p->request->argv, p->request->envp, p->request->alternative != NULL);
    if (p->request->alternative != NULL) execute(p->request->alternative, p->request->envp, false);
  }
  failed->error = errno ? errno : EIO;
  _exit(127);
}

// A tracer cannot lend its memory to its tracee, because it would sleep until that has executed. So this child is forked, waits until
// it is traced, and says what fails in memory that both see.
static pid_t launch_traced(const struct program *p) {
  int gate[2];
  struct start_failure *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return -1;
  if (pipe2(gate, O_CLOEXEC) != 0) return -1;
  *shared = borrowed;
  failed = shared;
  // The child is a copy: of a process that nobody may look into, only root could trace it. What it executes is its own again.
  prctl(PR_SET_DUMPABLE, 1);
  pid_t pid = fork();
  if (pid != 0) prctl(PR_SET_DUMPABLE, 0);
  if (pid == 0) {
    char byte;
    close(gate[1]);
    if (read(gate[0], &byte, 1) != 1) _exit(127);
    become(p);
  }
  close(gate[0]);
  int error = pid < 0 ? errno : guard_seize(pid);
  if (pid > 0 && error != 0) failed->stage = "confine";
  if (error == 0 && write(gate[1], "", 1) != 1) error = errno;
  close(gate[1]);                         // nothing was written: it ends by itself
  if (error == 0 && !guard_until_exec(pid) && failed->error == 0) error = ECHILD;
  else if (pid > 0 && error != 0) waitpid(pid, NULL, 0);
  borrowed = *shared;
  failed = &borrowed;
  munmap(shared, sizeof *shared);
  if (error != 0) borrowed.error = error;
  errno = borrowed.error;
  return pid;
}

__attribute__((noinline))
static pid_t launch_lent(const struct program *p) {
  pid_t pid = vfork();
  if (pid == 0) become(p);
  return pid;
}

static void become_inside(void *context, int cwd) {
  struct program inside = *(const struct program *)context;
  inside.cwd = cwd;
  become(&inside);
}

// In the directory that lies in the view where `cwd` lies here.
static pid_t launch_inside(const struct program *p) {
  struct stat place;
  struct start_failure entering;
  struct first first = { .confinement = p->confinement, .cwd = p->request->cwd, .place = &place, .become = become_inside,
                         .context = (void *)p };
  if (fstat(p->cwd, &place) != 0) return -1;
  pid_t pid = first_begin(&first, p->reaper, &entering);
  if (pid < 0) borrowed = entering;
  errno = borrowed.error;
  return pid;
}

pid_t launch(const struct program *p, struct start_failure *failure) {
  borrowed = (struct start_failure){ "fork", NULL, 0 };
  unsigned level = p->confinement->level;
  pid_t pid = level & LEVEL_GUARD ? launch_traced(p) : level & LEVEL_MOUNT ? launch_inside(p) : launch_lent(p);
  *failure = *failed;
  if (pid < 0) failure->error = errno;
  return failure->error == 0 ? pid : -1;  // it never became the command; whoever reaps it need not know it
}
