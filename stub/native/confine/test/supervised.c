#define _GNU_SOURCE
#include "supervised.h"
#include "../confine.h"
#include "../notify.h"
#include "check.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct supervised *now;
static unsigned waiting;                  // an ask to be answered behind the notification

static unsigned ask(const struct notify_question *question) {
  now->asked++;
  now->write = question->write;
  now->directory = question->directory;
  strcpy(now->path, question->path);
  now->operation = question->operation;
  return waiting = now->asked;
}

static void blocked(const char *path, bool write, const char *operation) {
  now->refused++;
  now->write = write;
  strcpy(now->blocked, path);
  now->operation = operation;
}

static const struct notify_hooks hooks = { ask, blocked };

// The path of what was asked, or its directory.
static void answer(void) {
  char path[4096];
  unsigned number = waiting;
  waiting = 0;
  strcpy(path, now->path);
  if (now->scope != GRANT_FILE && !now->directory) *strrchr(path, '/') = 0;
  CHECK(grants_keep(path, now->scope, now->write, now->allow));
  EQUAL(notify_waiting(number), 1);
  notify_answered(number);
}

static void serve_one(short revents) {
  struct seccomp_notif q;
  if (now->serve == NULL || !(revents & POLLIN)) return notify_serve(revents);
  memset(&q, 0, sizeof q);
  if (ioctl(notify_fd(), SECCOMP_IOCTL_NOTIF_RECV, &q) == 0) now->serve(notify_fd(), &q);
}

static size_t write_policy(char *text, size_t room, const char *root) {
  int n = snprintf(text, room, "confine 1%csys - /usr%cdev - /dev/null%crw - %s", 0, 0, 0, root);
  return (size_t)n + 1;
}

int supervise_status(struct supervised *run, void (*body)(void)) {
  static char text[8192];
  static struct confinement confinement;
  const char *stage, *path;
  int pair[2], status;
  now = run;
  EQUAL(confine_build(&confinement, run->level, text, write_policy(text, sizeof text, run->root), &stage, &path), 0);
  EQUAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  pid_t pid = fork();
  if (pid == 0) {
    int listener = -1;
    EQUAL(confine_restrict(&confinement, &listener, &stage), 0);
    CHECK(notify_send(pair[1], listener));
    close(listener);
    close(pair[1]);
    body();
    _exit(0);
  }
  close(pair[1]);
  int listener = notify_receive(pair[0]);
  CHECK(listener >= 0);
  notify_begin(listener, &confinement.policy, run->level, &hooks);
  while (notify_fd() >= 0) {
    struct pollfd fds[2] = { { notify_fd(), POLLIN, 0 }, { run->drain[0] > 0 ? run->drain[0] : -1, POLLIN, 0 } };
    poll(fds, 2, -1);
    if (fds[0].revents != 0) serve_one(fds[0].revents);
    int fd = fds[1].revents != 0 ? accept4(run->drain[0], NULL, NULL, SOCK_CLOEXEC) : -1;
    if (fd >= 0) close(fd);
    if (waiting != 0) answer();
  }
  EQUAL(waitpid(pid, &status, 0), pid);
  CHECK(WIFEXITED(status));
  return WEXITSTATUS(status);
}

void supervise(struct supervised *run, void (*body)(void)) { EQUAL(supervise_status(run, body), 0); }
