#define _GNU_SOURCE
#include "guard.h"
#include "calls.h"
#include "guard_process.h"
#include "kernel.h"
#include "pin.h"
#include "registers.h"
#include "resolve.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif
enum { WAITS = -1 };                      // beside errnos and 0, which lets it pass

static const struct policy *policy;
static enum guard_answer (*outside)(const struct guard_call *call);
static char **linked;                     // where the entries of the base set that are links lead to, by the entry; NULL: not yet looked
static char *trusted;                     // by the entry: 'y' or 'n' once looked at
static int64_t began;
static bool ending;

void guard_begin(const struct policy *given, enum guard_answer (*ask)(const struct guard_call *call)) {
  policy = given;
  outside = ask;
  began = (int64_t)time(NULL);
  trusted = calloc(given->count + 1, 1);
}

int guard_check(const struct policy *given, const char **path) {
  for (const struct entry *e = given->entries; e < given->entries + given->count; e++) {
    if (!e->identified) continue;
    int fd = pin_entry(e);
    if (fd >= 0) close(fd);
    else if (errno == ESTALE) {
      *path = e->path;
      return ESTALE;
    }
  }
  return 0;
}

// ---- what the policy covers --------------------------------------------------------------------------------------------

static bool is_base(const struct entry *e) { return e->kind == ENTRY_SYS || e->kind == ENTRY_DEV || e->kind == ENTRY_SOCK; }

// Only root changes what is there: then an honest program's path leads where it seems to.
static bool is_trusted(size_t i) {
  struct stat found;
  if (trusted == NULL) return false;
  if (trusted[i] == 0) {
    bool roots = stat(policy->entries[i].path, &found) == 0 && found.st_uid == 0 && (found.st_mode & 022) == 0;
    trusted[i] = roots ? 'y' : 'n';
  }
  return trusted[i] == 'y';
}

// The short way for what most programs open most of the time.
static bool covers_by_spelling(const char *path) {
  if (path[0] != '/' || strstr(path, "/..") != NULL || policy_below(path, "/proc") || policy_below(path, "/dev")) return false;
  for (size_t i = 0; i < policy->count; i++)
    if (policy->entries[i].kind == ENTRY_SYS && policy_below(path, policy->entries[i].path) && is_trusted(i))
      return policy_covers(policy, path, false);
  return false;
}

static void look_at_links(void) {
  linked = calloc(policy->count + 1, sizeof *linked);
  for (size_t i = 0; linked != NULL && i < policy->count; i++) {
    const struct entry *e = &policy->entries[i];
    linked[i] = is_base(e) ? realpath(e->path, NULL) : NULL;
  }
}

// /etc/resolv.conf, /bin and others lead elsewhere; looked at when something is not covered by its name.
static bool covers_by_link(const char *real, bool write) {
  if (linked == NULL) look_at_links();
  for (size_t i = 0; linked != NULL && i < policy->count; i++)
    if (linked[i] != NULL && !(write && policy->entries[i].kind == ENTRY_SYS) && policy_below(real, linked[i])) return true;
  return false;
}

static int ask(pid_t task, const char *real, bool write, const char *operation, bool askable) {
  struct guard_call call = { task, real, write, operation, askable };
  switch (outside(&call)) {
  case GUARD_ALLOW: return 0;
  case GUARD_WAIT: return WAITS;
  case GUARD_REFUSE: break;
  }
  return askable || real[0] == '/' ? EACCES : EPERM;
}

static int judge_real(pid_t task, const char *real, bool write, const char *operation) {
  pid_t process;
  if (process_path(real, &process)) {
    if (process_is_ours(process) || (!write && process_look_is_harmless(real))) return 0;
    return ask(task, real, write, operation, false);
  }
  if (policy_covers(policy, real, write) || covers_by_link(real, write) || process_owns_terminal(task, real, began)) return 0;
  return ask(task, real, write, operation, !policy_below(real, "/proc"));
}

// ---- calls with a path -------------------------------------------------------------------------------------------------

static int judge_path(const struct meant *meant, bool write, const char *operation) {
  char real[REAL_ROOM];
  if (!write && covers_by_spelling(meant->path)) return 0;
  if (resolve(meant, real)) return judge_real(meant->task, real, write, operation);
  return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? errno : 0;
}

static int judge_argument(pid_t task, const struct registers *regs, const struct call *call, const struct call_path *at, int flags) {
  char path[PATH_MAX], itself[40];
  struct meant meant = { .task = task, .path = path, .reaches = process_is_ours };
  meant.directory = at->directory < 0 ? AT_FDCWD : (int)regs->arguments[at->directory];
  bool write = at->how & CALL_WRITE, first = at == call->paths;
  meant.name = at->how & CALL_NAME;
  int error = process_read_text(task, regs->arguments[at->path], path, sizeof path);
  if (error == EPERM) return EACCES;      // nothing can be said about it
  if (error != 0) return 0;               // the kernel answers: no path, or too long
  if (path[0] == 0) {
    if (!(flags & AT_EMPTY_PATH) || meant.directory < 0 || !first) return 0;
    snprintf(itself, sizeof itself, "/proc/self/fd/%d", meant.directory);
    meant.path = itself;
    meant.name = false;
  }
  if (at->how & CALL_OPEN) {
    if (flags & O_PATH) return 0;         // a look: whatever is done with it comes by here again
    write = (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC);
    meant.create = flags & O_CREAT;
    meant.name = flags & O_NOFOLLOW || (flags & O_CREAT && flags & O_EXCL);
  }
  if (call->flags_kind == FLAGS_AT && flags & AT_SYMLINK_NOFOLLOW) meant.name = true;
  if (call->flags_kind == FLAGS_LINK && first && flags & AT_SYMLINK_FOLLOW) meant.name = false;
  return judge_path(&meant, write, call->operation);
}

static int judge_call(pid_t task, const struct registers *regs, const struct call *call) {
  if (call->flags_kind == FLAGS_HOW) return ENOSYS;         // its flags change what a path means; every program has another way
  int flags = call->flags_kind == FLAGS_NONE ? O_CREAT | O_WRONLY | O_TRUNC : (int)regs->arguments[call->flags];
  if (call->flags_kind == FLAGS_NONE && !(call->paths[0].how & CALL_OPEN)) flags = 0;
  int error = judge_argument(task, regs, call, &call->paths[0], flags);
  if (error != 0 || call->paths[1].how == 0) return error;
  return judge_argument(task, regs, call, &call->paths[1], flags);
}

// ---- sockets and signals -----------------------------------------------------------------------------------------------

static int judge_socket(pid_t task, const struct registers *regs, bool connects) {
  struct sockaddr_un address = { 0 };
  char path[sizeof address.sun_path + 1] = { 0 };
  size_t length = regs->arguments[2] < sizeof address ? (size_t)regs->arguments[2] : sizeof address;
  if (length < sizeof address.sun_family || process_read(task, regs->arguments[1], &address, length) != 0) return 0;
  if (address.sun_family != AF_UNIX || length == sizeof address.sun_family) return 0;
  memcpy(path, address.sun_path, length - offsetof(struct sockaddr_un, sun_path));
  if (path[0] == 0) {                     // abstract: nobody can say whose it is
    path[0] = '@';
    return connects ? ask(task, path, true, "connect", false) : 0;
  }
  struct meant meant = { .task = task, .directory = AT_FDCWD, .path = path, .name = !connects, .reaches = process_is_ours };
  return judge_path(&meant, true, connects ? "connect" : "bind");
}

static int judge_signal(pid_t task, long number, pid_t target) {
  char path[32];
  if (number == SYS_kill && target == 0) return 0;          // its own group
  if (number == SYS_kill && target == -1) return ask(task, "/proc", true, "kill", false) == 0 ? 0 : EPERM;
  bool group = number == SYS_kill && target < 0;
  if (group ? process_group_is_ours(-target) : target <= 0 || process_is_ours(target)) return 0;
  snprintf(path, sizeof path, "/proc/%d", (int)(group ? -target : target));
  return ask(task, path, true, "kill", false) == 0 ? 0 : EPERM;
}

// 0: it may go on. WAITS. Else the errno that it returns.
static int judge(pid_t task, const struct registers *regs) {
  const struct call *call = call_find(regs->number);
  if (call != NULL) return judge_call(task, regs, call);
  if (regs->number == SYS_connect || regs->number == SYS_bind) return judge_socket(task, regs, regs->number == SYS_connect);
  for (size_t i = 0; i < traced_call_count; i++)
    if (traced_calls[i] == regs->number) return judge_signal(task, regs->number, (pid_t)regs->arguments[0]);
  return 0;
}

// ---- stops -------------------------------------------------------------------------------------------------------------

int guard_seize(pid_t process) {
  long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
  return ptrace(PTRACE_SEIZE, process, NULL, (void *)options) == 0 ? 0 : errno;
}

// Fails only where the task is gone: waitpid will say so.
static void go_on(pid_t task, int signal) { ptrace(PTRACE_CONT, task, NULL, (void *)(long)signal); }

void guard_look_again(pid_t task) {
  struct registers regs;
  if (!registers_read(task, &regs)) return;
  int error = judge(task, &regs);
  if (error == WAITS || (error != 0 && !registers_refuse(task, error))) return;
  go_on(task, 0);
}

void guard_refuse(pid_t task) {
  if (registers_refuse(task, EACCES)) go_on(task, 0);
}

void guard_end(void) { ending = true; }

void guard_stopped(pid_t task, int status) {
  int event = status >> 16, signal = WSTOPSIG(status);
  if (ending) {
    kill(task, SIGKILL);
    return;
  }
  switch (event) {
  case 0: return go_on(task, signal);     // a signal on its way to it
  case PTRACE_EVENT_SECCOMP: return guard_look_again(task);
  case PTRACE_EVENT_STOP:
    // A stop of its whole group stays one until SIGCONT; anything else is the first stop of a new task.
    if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU) {
      ptrace(PTRACE_LISTEN, task, NULL, NULL);
      return;
    }
    return go_on(task, 0);
  default: return go_on(task, 0);         // fork, clone, exec: the new ones are tracees already
  }
}
