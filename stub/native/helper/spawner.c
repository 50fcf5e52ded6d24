// The one process that the stub starts. It forks a helper per command, without executing anything, which takes a tenth of
// the time that a fork of the stub takes, and blocks nobody; a few are forked in advance (pool.c). It is its helpers' parent and alone reaps them, so the pid it
// keeps for a command cannot be reused behind its back: a cancel reaches the right process or none.
// When the stub goes away the spawner ends; the helpers go on.
#define _GNU_SOURCE
#include "spawner.h"
#include "cache.h"
#include "clock.h"
#include "helper.h"
#include "pool.h"
#include "report.h"
#include "wire.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

// The spawner looks after its helpers when it is quiet. Beside a command's start it would compete for the processors, and beside
// its end it would push the stub aside that is about to answer. Only where the pool is empty there is no choice: while a command
// runs is best then.
enum {
  QUIET_US = 10000,                       // after the last hand-over; until then the end of a helper does not wake the spawner
  RUNNING_US = 300,                       // after a hand-over: its program is being executed
};

struct child { uint32_t id; pid_t pid; };
static struct child *children;
static size_t child_count, child_room;
static int signals;
static uint64_t quiet_at, empty_at;       // microseconds; 0: there is nothing to do then

static void close_inherited(void) {
  if (syscall(SYS_close_range, REPORT_FD + 1u, ~0u, 0u) == 0) return;
  struct rlimit limit;                    // before Linux 5.9; a limit of a million costs a tenth of a second, once
  rlim_t last = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < (1 << 20) ? limit.rlim_cur : 1 << 20;
  for (int fd = REPORT_FD + 1; (rlim_t)fd < last; fd++) close(fd);
}

// Dispositions as a login gives them; every signal that could end us blocked, here and in the helpers that inherit it.
static int own_signals(void) {
  struct sigaction plain = { .sa_handler = SIG_DFL };
  sigset_t blocked, wanted;
  for (int s = 1; s < 32; s++)
    if (s != SIGKILL && s != SIGSTOP) sigaction(s, &plain, NULL);
  sigemptyset(&blocked);
  int quiet[] = { SIGCHLD, SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGXFSZ };
  for (size_t i = 0; i < sizeof quiet / sizeof *quiet; i++) sigaddset(&blocked, quiet[i]);
  sigprocmask(SIG_SETMASK, &blocked, NULL);
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGCHLD);
  sigaddset(&wanted, SIGTERM);
  return signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void tell(uint32_t id, enum report_type type, const void *payload, size_t length) {
  report_open(REPORT_FD, id);
  report_queue(type, 0, 0, payload, length);
  report_finish();
}

// Room for one more child, before it is forked.
static bool make_room(void) {
  if (child_count < child_room) return true;
  size_t wanted = child_room ? child_room * 2 : 64;
  struct child *grown = realloc(children, wanted * sizeof *children);
  if (grown == NULL) return false;
  children = grown;
  child_room = wanted;
  return true;
}

static void reap(void) {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    if (pool_forget(pid)) continue;
    for (size_t i = 0; i < child_count; i++) {
      if (children[i].pid != pid) continue;
      uint32_t id = children[i].id;
      int32_t payload = status;
      children[i] = children[--child_count];
      if (status != 0) tell(id, REPORT_GONE, &payload, sizeof payload);
      break;
    }
  }
}

static void failed(uint32_t id, int error) {
  char text[64];
  int n = snprintf(text, sizeof text, "{\"stage\":\"fork\",\"errno\":%d}", error);
  tell(id, REPORT_FAILED, text, (size_t)n);
}

// What an earlier command left for one with this policy. A helper donates before its command runs, so who comes next finds it.
static const struct built *kept_for(const char *bytes, size_t length, uint64_t *number) {
  unsigned level;
  const char *key;
  *number = 0;
  if (!wire_level(bytes, length, &level, &key) || (level & BUILT_LEVELS) == 0) return NULL;
  cache_take();
  return cache_find(level, key, number);
}

// `bytes` holds a start request behind its kind. A helper that is forked here keeps this memory (copied on write) and uses
// it in place.
static void start(uint32_t id, char *bytes, size_t length) {
  if (!make_room()) return failed(id, ENOMEM);
  uint64_t number;
  const struct built *kept = kept_for(bytes, length, &number);
  pid_t pid = pool_hand_over(bytes, length, kept, number);
  quiet_at = now_us() + QUIET_US;
  if (pool_empty() && empty_at == 0) empty_at = now_us() + RUNNING_US;
  if (pid == 0) pid = fork();
  if (pid < 0) return failed(id, errno);
  if (pid == 0) {
    close(signals);
    pool_leave();
    struct built mine;
    built_none(&mine);
    if (kept != NULL) mine = *kept;
    cache_leave(kept);
    helper_prepare(NULL);
    _exit(helper_run(bytes, length, &mine));
  }
  children[child_count++] = (struct child){ id, pid };
}

static void cancel(uint32_t id, uint32_t reason) {
  union sigval value = { .sival_int = (int)reason };
  for (size_t i = 0; i < child_count; i++)
    if (children[i].id == id) sigqueue(children[i].pid, SIGTERM, value);
}

// One whole request. False if it makes no sense: then the stub is broken, and nothing it says can be trusted.
static bool serve(char *bytes, size_t length) {
  uint32_t kind, id, reason;
  if (length < 8) return false;
  memcpy(&kind, bytes, 4);
  memcpy(&id, bytes + 4, 4);
  if (kind == REQUEST_START) {
    start(id, bytes + 4, length - 4);
    return true;
  }
  if (kind != REQUEST_CANCEL || length < 12) return false;
  memcpy(&reason, bytes + 8, 4);
  cancel(id, reason);
  return true;
}

// What signals have told, and a full pool. False: the spawner is to end.
static bool keep_house(void) {
  struct signalfd_siginfo info;
  quiet_at = empty_at = 0;
  while (read(signals, &info, sizeof info) == (ssize_t)sizeof info)
    if (info.ssi_signo == SIGTERM) return false;
  reap();
  cache_take();
  cache_expire();
  pool_expire();
  if (pool_wants()) pool_fill(signals);
  return true;
}

// Until there is a request. False: the spawner is to end.
static bool wait_for_request(void) {
  for (;;) {
    uint64_t busy_until = empty_at != 0 ? empty_at : quiet_at;
    uint64_t due = busy_until != 0 ? busy_until : cache_due() * 1000, now = now_us();
    uint64_t left = due > now ? due - now : 0;
    struct timespec wait = { (time_t)(left / 1000000), (long)(left % 1000000 * 1000) };
    struct pollfd fds[2] = { { REPORT_FD, POLLIN, 0 }, { busy_until != 0 ? -1 : signals, POLLIN, 0 } };
    int ready = ppoll(fds, 2, due != 0 ? &wait : NULL, NULL);
    if (ready < 0) continue;
    bool late = due != 0 && now_us() >= due;           // requests without end must not keep it from its other duties
    if ((late || fds[1].revents != 0) && !keep_house()) return false;
    if (fds[0].revents != 0) return true;
  }
}

// What a command sees of its reaper's command line says nothing of the host.
static void forget_path(char *name) {
  size_t length = strlen(name);
  const char *slash = strrchr(name, '/');
  if (slash == NULL) return;
  size_t kept = strlen(slash + 1);
  memmove(name, slash + 1, kept);
  memset(name + kept, 0, length - kept);
}

int spawner_run(char **argv) {
  size_t room = 1 << 16, have = 0;
  char *bytes = malloc(room);
  int size = 1 << 18;
  if (bytes == NULL || chdir("/") != 0) return 1;
  close_inherited();
  if (fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC) != 0) {
    fprintf(stderr, "helper: --spawner is started by the stub, with a socket as descriptor 3\n");
    return 2;
  }
  setsockopt(REPORT_FD, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  prctl(PR_SET_NAME, "ocrs-helper", 0, 0, 0);
  signals = own_signals();
  if (signals < 0) return 1;
  cache_open();
  prctl(PR_SET_DUMPABLE, 0);              // nobody looks into the helpers: a command's reaper is a copy of one
  forget_path(argv[0]);
  pool_fill(signals);

  for (;;) {
    if (!wait_for_request()) return 0;
    ssize_t n = recv(REPORT_FD, bytes + have, room - have, MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) return 0;                 // the stub is gone
    have += (size_t)n;

    size_t at = 0;
    uint32_t length = 0;
    while (have - at >= 4) {
      memcpy(&length, bytes + at, 4);
      if (length > REQUEST_MAX) return 3;
      if (have - at - 4 < length) break;
      if (!serve(bytes + at + 4, length)) return 3;
      at += 4 + (size_t)length;
    }
    memmove(bytes, bytes + at, have - at);
    have -= at;
    size_t wanted = have >= 4 && (size_t)length + 4 > room ? (size_t)length + 4 : have == 0 ? 1 << 16 : room;
    if (wanted != room) {                 // a long request gets the room it needs, and gives it back
      char *moved = realloc(bytes, wanted);
      if (moved == NULL) return 1;
      bytes = moved;
      room = wanted;
    }
  }
}
