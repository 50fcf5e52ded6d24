#define _GNU_SOURCE
#include "confining.h"
#include "cache.h"
#include "clock.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct outcome { int32_t error; char part[32]; };

static const struct built *built_of(const struct confinement *c, struct built *out) {
  out->ruleset = c->ruleset;
  out->namespaces = c->namespaces;
  return out;
}

static void build(const struct start_request *request, int socket) {
  struct confinement made;
  struct built built;
  struct outcome outcome;
  const char *part = "", *path = NULL;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  outcome.error = confine_build(&made, request->level, request->policy, request->policy_length, &part, &path);
  snprintf(outcome.part, sizeof outcome.part, "%s", part);
  size_t length = outcome.error != 0 && path != NULL ? strlen(path) + 1 : 0;
  built_send(socket, outcome.error == 0 ? built_of(&made, &built) : NULL, &outcome, sizeof outcome, path, length);
}

int confining_wait(int fd, int signals, uint64_t until) {
  for (;;) {
    uint64_t now = now_ms();
    if (until != 0 && now >= until) return ETIMEDOUT;
    uint64_t left = until == 0 ? 3600000 : until - now;
    struct pollfd fds[2] = { { fd, POLLIN, 0 }, { signals, POLLIN, 0 } };
    if (poll(fds, 2, left > 3600000 ? 3600000 : (int)left) < 0) continue;
    if (fds[0].revents != 0) return 0;
    struct signalfd_siginfo info;
    while (fds[1].revents != 0 && read(signals, &info, sizeof info) == (ssize_t)sizeof info)
      if (info.ssi_signo == SIGTERM) return ECANCELED;
  }
}

// A child builds: this process stays one that can be told to stop.
static bool build_apart(const struct start_request *request, int signals, struct built *out, struct confining_failure *failure) {
  static struct outcome outcome;
  static char path[PATH_MAX + 1];
  int pair[2];
  *failure = (struct confining_failure){ 0, "fork", NULL };
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) { failure->error = errno; return false; }
  uint64_t until = request->timeout_ms ? now_ms() + request->timeout_ms : 0;
  pid_t pid = fork();
  if (pid == 0) {
    close(pair[0]);
    build(request, pair[1]);
    _exit(0);
  }
  if (pid < 0) failure->error = errno;
  close(pair[1]);
  if (pid > 0) failure->error = confining_wait(pair[0], signals, until);
  if (failure->error == 0) {
    size_t length;
    if (built_receive(pair[0], out, &outcome, sizeof outcome, path, sizeof path - 1, &length, 0)) {
      path[length] = 0;
      *failure = (struct confining_failure){ outcome.error, outcome.part, path[0] != 0 ? path : NULL };
    } else {
      failure->error = errno;
    }
    waitpid(pid, NULL, 0);
  } else if (pid > 0) {
    kill(pid, SIGKILL);                   // it may never hear it, in the middle of a call; nobody waits for it
  }
  close(pair[0]);
  return failure->error == 0;
}

bool confining_prepare(const struct start_request *request, struct built *kept, int signals, struct confinement *out,
                       struct confining_failure *failure) {
  *failure = (struct confining_failure){ 0, "policy", NULL };
  if ((request->level & BUILT_LEVELS) == 0) {
    failure->error = confine_build(out, request->level, request->policy, request->policy_length, &failure->part, &failure->path);
    return failure->error == 0;
  }
  if (built_is_none(kept)) {
    if (!build_apart(request, signals, kept, failure)) return false;
    cache_donate(request->level, request->key, kept);
  }
  failure->error = confine_adopt(out, request->level, request->policy, request->policy_length, kept->ruleset, kept->namespaces);
  return failure->error == 0;
}
