#define _GNU_SOURCE
#include "notify.h"
#include "calls.h"
#include "confine.h"
#include "connecting.h"
#include "give.h"
#include "grants.h"
#include "kernel.h"
#include "named.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HELD_MAX = 256 };                  // calls that wait for an answer; more are refused

struct held {
  struct giving giving;
  struct named named;
  unsigned ask;
  bool write;
  const char *operation;
};

static int listener = -1;
static unsigned level;
static const struct notify_hooks *hooks;
static struct held *held[HELD_MAX];
static bool beyond_view;                  // a directory of the host was given: from there on the mounts do not say what may be changed

void notify_begin(int fd, const struct policy *policy, unsigned of, const struct notify_hooks *with) {
  uint64_t flags = SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP;
  listener = fd;
  level = of;
  hooks = with;
  grants_begin(policy);
  named_in_view(level & LEVEL_MOUNT ? policy : NULL);
  ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, flags);  // 6.6; without it a call only takes longer
}

int notify_fd(void) { return listener; }

static void go_on(uint64_t id) { give_answer(listener, id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE); }

static void refuse(const struct held *call) {
  hooks->blocked(call->named.real, call->write, call->operation);
  give_answer(listener, call->giving.id, -EACCES, 0);
}

static bool still_there(uint64_t id) { return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0; }

static bool hold(const struct held *call) {
  for (size_t i = 0; i < HELD_MAX; i++) {
    if (held[i] != NULL) continue;
    held[i] = malloc(sizeof *call);
    if (held[i] == NULL) return false;
    *held[i] = *call;
    return true;
  }
  return false;
}

// Without Landlock the view is the boundary, and a directory from beyond it would be a door: "..", from there, leads everywhere.
static bool may_be_given(const struct held *call) {
  if (call->giving.change.any) return true;
  bool directory = S_ISDIR(call->named.type) && !call->named.absent;
  return !directory || (level & LEVEL_LANDLOCK) != 0 || (level & LEVEL_MOUNT) == 0;
}

// Without Landlock nothing keeps a command from opening what it was given a second time (/proc/self/fd), for writing: where the user
// may do that, to read it is to write it, and that is what is asked for.
static bool reading_is_writing(const struct held *call) {
  struct stat found;
  char path[32];
  bool held_by_landlock = level & LEVEL_LANDLOCK || !(level & LEVEL_MOUNT);
  if (call->write || held_by_landlock || fstat(call->named.fd, &found) != 0) return call->write;
  snprintf(path, sizeof path, "/proc/self/fd/%d", call->named.fd);
  return found.st_uid == geteuid() || access(path, W_OK) == 0;
}

static void hand_out(const struct held *call) {
  beyond_view |= level & LEVEL_MOUNT && S_ISDIR(call->named.type) && !call->named.absent && !call->giving.change.any;
  give(listener, &call->giving, &call->named);
}

// Decides one call whose file is pinned. True if it holds on to it.
static bool decide(struct held *call) {
  switch (grants_look(call->named.real, call->write)) {
  case VERDICT_COVERED:
    // A file that is approved and not there is in no rule set and in no view: it can only be made here.
    if (call->giving.change.any || (call->named.absent && !grants_make_beside(call->named.real))) hand_out(call);
    else go_on(call->giving.id);
    return false;
  case VERDICT_GRANTED:
    if (!may_be_given(call)) refuse(call);
    else if (call->giving.change.any || still_there(call->giving.id)) hand_out(call);
    return false;
  case VERDICT_REFUSED:
    refuse(call);
    return false;
  case VERDICT_OPEN: break;
  }
  if (!still_there(call->giving.id)) return false;        // the pid may be another's by now: what was read means nothing
  struct notify_question question = {
    call->named.real, S_ISDIR(call->named.type) && !call->named.absent, call->write, call->operation, call->giving.pid,
  };
  call->ask = may_be_given(call) ? hooks->ask(&question) : 0;
  if (call->ask != 0 && hold(call)) return true;
  refuse(call);
  return false;
}

// ---- calls that open -----------------------------------------------------------------------------------------------

// What it asks for. False: it is none of ours.
static bool read_open(const struct seccomp_notif *q, const struct call *call, struct giving *out) {
  const uint64_t *args = q->data.args;
  struct kernel_open_how how = { 0 };
  switch (call->flags_kind) {
  case FLAGS_OPEN:
    how.flags = (uint32_t)args[call->flags];
    how.mode = args[call->flags + 1];
    break;
  case FLAGS_HOW:
    if (!named_copy((pid_t)q->pid, args[call->flags], &how, sizeof how)) return false;
    break;
  default:
    how.flags = O_CREAT | O_WRONLY | O_TRUNC;
    how.mode = args[call->paths[0].path + 1];
  }
  out->flags = how.flags;
  out->mode = (mode_t)how.mode & 07777;
  return (how.flags & O_PATH) == 0 && how.resolve == 0;
}

static bool serve_open(const struct seccomp_notif *q, const struct call *call, int at, const char *path) {
  struct held one = { .giving = { .id = q->id, .pid = (pid_t)q->pid }, .operation = call->operation };
  if (!read_open(q, call, &one.giving)) return false;
  uint64_t flags = one.giving.flags;
  bool changes = (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC || (flags & O_TMPFILE) == O_TMPFILE;
  unsigned how = (flags & O_NOFOLLOW ? NAMED_NOFOLLOW : 0) | (flags & O_CREAT ? NAMED_CREATE : 0);
  if (changes || flags & O_CREAT) how |= NAMED_WRITE;
  if (named_find(one.giving.pid, at, path, how, &one.named) != FOUND) return false;
  one.write = changes || one.named.absent;
  if (reading_is_writing(&one) && !one.write) {
    one.write = true;
    one.operation = "read";
  }
  bool fails = S_ISLNK(one.named.type) || S_ISSOCK(one.named.type) || (!one.named.absent && flags & O_EXCL && flags & O_CREAT);
  if (fails) go_on(q->id);                // with the kernel's own error
  if (fails || !decide(&one)) close(one.named.fd);
  return true;
}

// ---- calls that change what they name ------------------------------------------------------------------------------

// In a view the mounts say what may be changed, as long as it is all that the command has. False: it is none of ours.
static bool serve_change(const struct seccomp_notif *q, const struct call *call, const char *path) {
  struct held one = { .giving = { .id = q->id, .pid = (pid_t)q->pid, .change = { .any = true, .number = q->data.nr } } };
  if (level & LEVEL_MOUNT && !beyond_view) return false;
  one.write = true;
  one.operation = call->operation;
  memcpy(one.giving.change.args, q->data.args, sizeof q->data.args);
  int error = change_find(q, call, path, &one.named);
  if (error != 0) give_answer(listener, q->id, -error, 0);
  else if (!still_there(q->id) || !decide(&one)) close(one.named.fd);
  return true;
}

// ---- calls that are only noted -------------------------------------------------------------------------------------

static bool makes(const struct call *call, size_t which) {
  const char *operation = call->operation;
  if (strcmp(operation, "link") == 0) return which == 1;
  return strcmp(operation, "mkdir") == 0 || strcmp(operation, "mknod") == 0 || strcmp(operation, "symlink") == 0;
}

static void note(pid_t pid, const struct call *call, size_t which, int at, const char *path) {
  static struct named named;
  unsigned kind = call->paths[which].how;
  bool write = (kind & CALL_WRITE) != 0, into = strcmp(call->operation, "rename") == 0 && which == 1;
  unsigned how = (kind & CALL_NAME ? NAMED_NOFOLLOW : 0) | (write ? NAMED_WRITE : 0);
  if (makes(call, which) || into) how |= NAMED_CREATE;
  if (named_find(pid, at, path, how, &named) != FOUND) return;
  bool exists = makes(call, which) && !named.absent;      // the kernel says EEXIST
  if (!exists && grants_look(named.real, write) != VERDICT_COVERED) hooks->blocked(named.real, write, call->operation);
  close(named.fd);
}

// ---- one notification ----------------------------------------------------------------------------------------------

static int directory_of(const struct seccomp_notif *q, const struct call_path *path) {
  return path->directory < 0 ? AT_FDCWD : (int)q->data.args[path->directory];
}

// A change of something whose name cannot be read (the process lets nobody look) must not go on; without a name it is one by a
// descriptor. True: it is answered.
static bool unreadable(const struct seccomp_notif *q, const struct call_path *path) {
  if (q->data.args[path->path] == 0 || (level & LEVEL_MOUNT && !beyond_view)) return false;
  give_answer(listener, q->id, -EACCES, 0);
  return true;
}

static void serve(const struct seccomp_notif *q) {
  static char path[PATH_MAX];
  if (q->data.nr == SYS_connect) return connecting(listener, q, hooks);
  const struct call *call = call_find(q->data.nr);
  bool answered = false;
  for (size_t i = 0; call != NULL && i < 2 && call->paths[i].how != 0; i++) {
    const struct call_path *named = &call->paths[i];
    bool change = is_change(call);
    if (!named_read((pid_t)q->pid, q->data.args[named->path], path, sizeof path)) {
      answered = change && unreadable(q, named);
      continue;
    }
    int at = directory_of(q, named);
    if (named->how & CALL_OPEN) answered = serve_open(q, call, at, path);
    else if (change && serve_change(q, call, path)) answered = true;
    else note((pid_t)q->pid, call, i, at, path);
  }
  if (!answered) go_on(q->id);
}

void notify_serve(short revents) {
  struct seccomp_notif q;
  memset(&q, 0, sizeof q);
  if (revents & POLLIN) {
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &q) == 0) serve(&q);
  } else if (revents != 0) {
    notify_end();                         // no process is left that the filter holds
  }
}

// ---- answers -------------------------------------------------------------------------------------------------------

static void forget(size_t i) {
  close(held[i]->named.fd);
  free(held[i]);
  held[i] = NULL;
}

void notify_answered(unsigned ask) {
  for (size_t i = 0; i < HELD_MAX; i++) {
    struct held *call = held[i];
    if (call == NULL || call->ask != ask) continue;
    held[i] = NULL;
    if (!decide(call)) close(call->named.fd);
    free(call);                           // where it waits on, for another ask, it is held again
  }
}

unsigned notify_waiting(unsigned ask) {
  unsigned waiting = 0;
  for (size_t i = 0; i < HELD_MAX; i++) {
    if (held[i] == NULL || held[i]->ask != ask) continue;
    if (still_there(held[i]->giving.id)) waiting++;
    else forget(i);
  }
  return waiting;
}

void notify_end(void) {
  for (size_t i = 0; i < HELD_MAX; i++)
    if (held[i] != NULL) forget(i);
  if (listener >= 0) close(listener);
  listener = -1;
}
