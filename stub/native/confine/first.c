#define _GNU_SOURCE
#include "first.h"
#include "kernel.h"
#include "pin.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  OPEN_MAX_BEFORE_5_9 = 1024,             // descriptors of ours are few, and low
  STACK = 1 << 16,
};

// ---- the reaper ----------------------------------------------------------------------------------------------------

static void close_between(int first, int last) {
  if (first > last || syscall(SYS_close_range, (unsigned)first, (unsigned)last, 0u) == 0) return;
  for (int fd = first; fd <= last && fd < OPEN_MAX_BEFORE_5_9; fd++) close(fd);
}

static int listen_to_signals(void) {
  sigset_t awaited;
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGCHLD);
  sigaddset(&awaited, SIGTERM);
  sigprocmask(SIG_BLOCK, &awaited, NULL);
  return signalfd(-1, &awaited, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void take_signals(int signals) {
  struct signalfd_siginfo info;
  while (read(signals, &info, sizeof info) == (ssize_t)sizeof info) {
    if (info.ssi_signo != SIGTERM || info.ssi_pid != 0) continue;        // 0: from outside the namespace
    kill(-1, SIGTERM);                    // at once to all, but to this process
    kill(-1, SIGCONT);
  }
}

// Until nothing is left, once the program has ended; or its parent has gone. Before the program is executed this process has closed
// nothing yet, but nobody can look into it (first_begin).
static void reap(const struct first *f, int gate) {
  close_between(0, gate - 1);
  close_between(gate + 1, ~0u >> 1);
  if (namespace_drop_capabilities() != 0) return;
  if (!f->outlives) prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_NAME, "init", 0, 0, 0);
  for (char **a = f->argv; a != NULL && *a != NULL; a++) memset(*a, 0, strlen(*a));
  setsid();
  int signals = listen_to_signals();
  for (bool ended = false;;) {
    pid_t pid;
    do pid = waitpid(-1, NULL, WNOHANG);
    while (pid > 0);
    if (ended && pid < 0 && errno == ECHILD) return;
    struct pollfd fds[2] = { { signals, POLLIN, 0 }, { ended ? -1 : gate, POLLIN, 0 } };
    if (poll(fds, 2, -1) < 0) continue;
    char byte;
    if (fds[0].revents != 0) take_signals(signals);
    if (fds[1].revents == 0) continue;
    if (read(gate, &byte, 1) != 1) return;
    ended = true;
  }
}

// ---- the program, until it is executed --------------------------------------------------------------------------------

struct entering {
  const struct first *first;
  int gate;
  bool furnished;                         // /proc is there
  volatile pid_t reaper, program;
  struct start_failure failure;
};

static int enter_directory(const struct first *f) {
  struct stat found;
  int fd = pin_open(AT_FDCWD, f->cwd);
  if (fd < 0 || f->place == NULL) return fd;
  if (fstat(fd, &found) == 0 && found.st_dev == f->place->st_dev && found.st_ino == f->place->st_ino) return fd;
  close(fd);
  errno = ESTALE;
  return -1;
}

static int become(void *argument) {
  struct entering *e = argument;
  const struct first *f = e->first;
  e->failure.part = "namespace";
  e->failure.error = e->furnished ? 0 : namespace_show_processes(&f->confinement->namespaces);
  if (e->failure.error == 0) e->failure.error = namespace_settle(&f->confinement->policy);
  if (e->failure.error != 0) _exit(1);
  e->failure.part = "directory";
  int cwd = enter_directory(f);
  if (cwd < 0) {
    e->failure.error = errno;
    _exit(1);
  }
  f->become(f->context, cwd);
  _exit(1);
}

// In a child of the parent's (CLONE_PARENT) that is in the namespaces, as the program is then.
static void begin(struct entering *e) {
  static char stack[STACK] __attribute__((aligned(16)));
  const int flags = CLONE_VM | CLONE_VFORK | CLONE_PARENT | CLONE_PARENT_SETTID | SIGCHLD;
  if (clone(become, stack + sizeof stack, flags, e, &e->program) < 0) e->failure.error = errno;
}

// ---- ahead of the program --------------------------------------------------------------------------------------------

enum { READY_MS = 2000 };                 // it takes half a millisecond

static struct {
  pid_t between;                          // 0: nothing is prepared
  int gate[2], go[2], ready[2];           // pipes
  struct entering entering;
  pid_t parent;
  const struct namespaces *namespaces;    // until it is ready
} ahead;

static void tell_ready(int error) {
  int32_t said = error;
  if (write(ahead.ready[1], &said, sizeof said) != sizeof said) _exit(1);
}

// Shares memory and descriptors with its parent, which is waiting whenever this one goes on (they share `errno`, too).
static int wait_inside(void *nothing) {
  (void)nothing;
  struct entering *e = &ahead.entering;
  const struct first none = { 0 };
  char byte;
  int error = namespace_enter(ahead.namespaces);
  // entering a user namespace forgets it
  if (error == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != ahead.parent)) error = ESRCH;
  long reaper = error == 0 ? syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0) : -1;
  if (reaper == 0) {
    error = namespace_show_processes(ahead.namespaces);
    tell_ready(error);
    if (error == 0) reap(&none, ahead.gate[0]);
    _exit(0);
  }
  if (reaper < 0) {
    tell_ready(error != 0 ? error : errno);
    _exit(1);
  }
  e->reaper = (pid_t)reaper;
  while (read(ahead.go[0], &byte, 1) != 1)
    if (errno != EINTR) _exit(1);
  begin(e);
  _exit(0);
}

// ---- their parent --------------------------------------------------------------------------------------------------

// A process between enters the namespaces: the parent itself stays outside. It borrows the parent's memory, as does the program until it
// is executed; only the reaper gets a copy. Both are the parent's own children (CLONE_PARENT).
__attribute__((noinline))
static pid_t enter(struct entering *e) {
  pid_t pid = vfork();
  if (pid != 0) return pid;
  e->failure.error = namespace_enter(&e->first->confinement->namespaces);
  if (e->failure.error != 0) _exit(1);
  if (e->first->confinement->namespaces.processes) {
    long reaper = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
    if (reaper == 0) {
      reap(e->first, e->gate);
      _exit(0);
    }
    if (reaper < 0) {
      e->failure.error = errno;
      _exit(1);
    }
    e->reaper = (pid_t)reaper;
  }
  begin(e);
  _exit(0);
}

static void wait_for(pid_t pid) {
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
}

static void end_of(pid_t pid) {
  if (pid <= 0) return;
  kill(pid, SIGKILL);
  wait_for(pid);
}

static void close_pipe(const int ends[2]) {
  close(ends[0]);
  close(ends[1]);
}

static void end_prepared(void) {
  end_of(ahead.between);
  end_of(ahead.entering.reaper);
  close_pipe(ahead.gate);
  close_pipe(ahead.go);
  ahead.between = 0;
}

void first_unprepare(void) {
  if (ahead.between > 0) end_prepared();
}

static bool make_pipes(void) {
  int *pipes[3] = { ahead.gate, ahead.go, ahead.ready };
  for (int made = 0; made < 3; made++) {
    if (pipe2(pipes[made], O_CLOEXEC) == 0) continue;
    while (made > 0) close_pipe(pipes[--made]);
    return false;
  }
  return true;
}

static bool is_ready(int fd) {
  struct pollfd ready = { fd, POLLIN, 0 };
  int32_t error;
  return poll(&ready, 1, READY_MS) == 1 && read(fd, &error, sizeof error) == sizeof error && error == 0;
}

bool first_prepare(const struct namespaces *namespaces) {
  static char stack[STACK] __attribute__((aligned(16)));
  if (!namespaces->processes || !make_pipes()) return false;
  prctl(PR_SET_DUMPABLE, 0);              // as in first_begin
  ahead.entering = (struct entering){ .gate = ahead.gate[0], .furnished = true, .program = -1 };
  ahead.parent = getpid();
  ahead.namespaces = namespaces;
  ahead.between = clone(wait_inside, stack + sizeof stack, CLONE_VM | CLONE_FILES | SIGCHLD, NULL);
  bool prepared = ahead.between > 0 && is_ready(ahead.ready[0]);
  close_pipe(ahead.ready);
  if (prepared) return true;
  end_prepared();
  return false;
}

// False: what waited has been killed meanwhile, and nothing has begun.
static bool begin_prepared(struct entering *out, int *gate) {
  pid_t between = ahead.between;
  struct entering *e = &ahead.entering;
  e->first = out->first;
  e->failure = out->failure;
  if (write(ahead.go[1], "", 1) != 1) kill(between, SIGKILL);
  wait_for(between);
  ahead.between = 0;
  if (e->program <= 0) {
    end_prepared();
    return false;
  }
  *out = *e;
  *gate = ahead.gate[1];
  close(ahead.gate[0]);
  close_pipe(ahead.go);
  return true;
}

static int begin_now(struct entering *e, int *gate_of_reaper) {
  int gate[2];
  if (pipe2(gate, O_CLOEXEC) != 0) return errno;
  prctl(PR_SET_DUMPABLE, 0);              // what is inside could look into its copy before that has closed anything
  e->gate = gate[0];
  pid_t between = enter(e);
  if (between < 0) e->failure.error = errno;
  else wait_for(between);
  close(gate[0]);
  *gate_of_reaper = gate[1];
  return 0;
}

pid_t first_begin(const struct first *first, struct reaper *reaper, struct start_failure *failure) {
  int gate = -1;
  struct entering e = { .first = first, .program = -1, .failure = { "confine", "enter", 0 } };
  *reaper = (struct reaper){ 0, -1 };
  if (ahead.between == 0 || !begin_prepared(&e, &gate)) {
    int error = begin_now(&e, &gate);
    if (error != 0) e.failure.error = error;
  }
  *failure = e.failure;
  if (failure->error == 0) {
    *reaper = (struct reaper){ e.reaper, gate };
    return e.program;
  }
  if (e.program > 0) wait_for(e.program);
  if (gate >= 0) close(gate);
  end_of(e.reaper);
  return -1;
}

bool first_alone(const struct reaper *reaper) {
  char path[64], text;
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)reaper->pid, (int)reaper->pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t n = read(fd, &text, 1);         // what the program left behind was given to the reaper before the program was seen to have ended
  close(fd);
  return n == 0;
}

void first_ended(struct reaper *reaper) {
  while (write(reaper->gate, "", 1) < 0 && errno == EINTR) continue;
  close(reaper->gate);
  reaper->gate = -1;
}

void first_terminate(pid_t reaper) { kill(reaper, SIGTERM); }
