#define _GNU_SOURCE
#include "guard.h"
#include "calls.h"
#include "grants.h"
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
enum {
  WAITS = -1,                             // beside errnos and 0, which lets it pass
  HELD_MAX = 256,                         // tasks that wait for an answer; more are refused
};

static const struct policy *policy;
static const struct notify_hooks *hooks;
static char *trusted;                     // by the entry: 'y' or 'n' once looked at
static int64_t began;
static bool launching, ending;
static struct { pid_t task; unsigned ask; } held[HELD_MAX];             // ask 0: free

void guard_begin(const struct policy *of, const struct notify_hooks *with) {
  policy = of;
  hooks = with;
  began = (int64_t)time(NULL);
  trusted = calloc(of->count + 1, 1);
  grants_begin(of);
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

static bool hold(pid_t task, unsigned ask) {
  for (size_t i = 0; ask != 0 && i < HELD_MAX; i++) {
    if (held[i].ask != 0) continue;
    held[i].task = task;
    held[i].ask = ask;
    return true;
  }
  return false;
}

static int refuse(const char *path, bool write, const char *operation, int error) {
  hooks->blocked(path, write, operation);
  return error;
}

static int ask(pid_t task, const char *real, bool write, const char *operation) {
  struct stat found;
  bool directory = stat(real, &found) == 0 && S_ISDIR(found.st_mode);
  struct notify_question question = { real, directory, write, operation, task };
  return !launching && hold(task, hooks->ask(&question)) ? WAITS : refuse(real, write, operation, EACCES);
}

// Below /proc nothing is asked: no approval covers a process. Nor is it named: ps and lsof try all of them.
static int judge_process(pid_t process, const char *real, bool write) {
  return process_is_ours(process) || (!write && process_look_is_harmless(real)) ? 0 : EACCES;
}

static int judge_real(pid_t task, const char *real, bool write, const char *operation) {
  pid_t process;
  if (process_path(real, &process)) return judge_process(process, real, write);
  switch (grants_look(real, write)) {
  case VERDICT_COVERED: case VERDICT_GRANTED: return 0;
  case VERDICT_REFUSED: return refuse(real, write, operation, EACCES);
  case VERDICT_OPEN: break;
  }
  if (process_owns_terminal(task, real, began)) return 0;
  return policy_below(real, "/proc") ? refuse(real, write, operation, EACCES) : ask(task, real, write, operation);
}

// What it needs of the path, as far as it is known before the path is.
struct need {
  bool write;
  uint8_t how;                            // CALL_MAKES, CALL_INTO
  int flags;                              // of open
};

// The kernel has an answer of its own, before anybody asks whether it may.
static bool fails_anyway(const struct meant *meant, const struct need *need, bool absent) {
  if (need->how & CALL_MAKES) return !absent;
  if (need->flags & O_CREAT) return need->flags & O_EXCL && !absent;
  return meant->name && absent && !(need->how & CALL_INTO);
}

static int judge_path(const struct meant *meant, const struct need *need, const char *operation) {
  char real[REAL_ROOM];
  bool absent, write = need->write;
  if (!write && !meant->create && covers_by_spelling(meant->path)) return 0;
  if (!resolve(meant, real, &absent)) return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? errno : 0;
  if (fails_anyway(meant, need, absent)) return 0;
  return judge_real(meant->task, real, write || (meant->create && absent), operation);
}

// ---- calls with a path -------------------------------------------------------------------------------------------------

static void read_flags(const struct call *call, bool first, int flags, struct meant *meant, struct need *need) {
  if (call->flags_kind == FLAGS_AT && flags & AT_SYMLINK_NOFOLLOW) meant->name = true;
  if (call->flags_kind == FLAGS_LINK && first && flags & AT_SYMLINK_FOLLOW) meant->name = false;
  if (!(need->how & CALL_OPEN)) return;
  need->flags = flags;
  need->write = (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
  meant->create = flags & O_CREAT;
  meant->name = flags & O_NOFOLLOW || (flags & O_CREAT && flags & O_EXCL);
}

static int judge_argument(pid_t task, const struct registers *regs, const struct call *call, const struct call_path *at, int flags) {
  char path[PATH_MAX], itself[40];
  bool first = at == call->paths;
  struct meant meant = { .task = task, .path = path, .name = at->how & CALL_NAME, .reaches = process_is_ours };
  struct need need = { .write = at->how & CALL_WRITE, .how = at->how };
  meant.directory = at->directory < 0 ? AT_FDCWD : (int)regs->arguments[at->directory];
  int error = process_read_text(task, regs->arguments[at->path], path, sizeof path);
  if (error == EPERM) return EACCES;      // nothing can be said about it
  if (error != 0) return 0;               // the kernel answers: no path, or too long
  read_flags(call, first, flags, &meant, &need);
  if (need.flags & O_PATH) return 0;      // a look: whatever is done with it comes by here again
  if (path[0] == 0) {
    if (need.how & CALL_OPEN || !(flags & AT_EMPTY_PATH) || meant.directory < 0 || !first) return 0;
    snprintf(itself, sizeof itself, "/proc/self/fd/%d", meant.directory);
    meant.path = itself;
    meant.name = false;
  }
  return judge_path(&meant, &need, call->operation);
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
    return connects ? refuse(path, true, "connect", EPERM) : 0;
  }
  struct meant meant = { .task = task, .directory = AT_FDCWD, .path = path, .name = !connects, .reaches = process_is_ours };
  struct need need = { .write = true, .how = connects ? 0 : CALL_MAKES };
  return judge_path(&meant, &need, connects ? "connect" : "bind");
}

static int judge_signal(long number, pid_t target) {
  char path[32];
  if (number == SYS_kill && target == 0) return 0;          // its own group
  if (number == SYS_kill && target == -1) return refuse("/proc", true, "kill", EPERM);
  bool group = number == SYS_kill && target < 0;
  if (group ? process_group_is_ours(-target) : target <= 0 || process_is_ours(target)) return 0;
  snprintf(path, sizeof path, "/proc/%d", (int)(group ? -target : target));
  return refuse(path, true, "kill", EPERM);
}

// 0: it may go on. WAITS. Else the errno that it returns.
static int judge(pid_t task, const struct registers *regs) {
  const struct call *call = call_find(regs->number);
  if (call != NULL) return judge_call(task, regs, call);
  if (regs->number == SYS_connect || regs->number == SYS_bind) return judge_socket(task, regs, regs->number == SYS_connect);
  for (size_t i = 0; i < traced_call_count; i++)
    if (traced_calls[i] == regs->number) return judge_signal(regs->number, (pid_t)regs->arguments[0]);
  return 0;
}

// ---- stops -------------------------------------------------------------------------------------------------------------

int guard_seize(pid_t process) {
  long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
  return ptrace(PTRACE_SEIZE, process, NULL, (void *)options) == 0 ? 0 : errno;
}

// Fails only where the task is gone: waitpid will say so.
static void go_on(pid_t task, int signal) { ptrace(PTRACE_CONT, task, NULL, (void *)(long)signal); }

static void look(pid_t task) {
  struct registers regs;
  if (!registers_read(task, &regs)) return;
  int error = judge(task, &regs);
  if (error == WAITS || (error != 0 && !registers_refuse(task, error))) return;
  go_on(task, 0);
}

// The same call is judged again: what was granted covers it now, or its second path is to be asked about, or it is refused.
void guard_answered(unsigned ask) {
  for (size_t i = 0; i < HELD_MAX; i++) {
    if (held[i].ask != ask) continue;
    held[i].ask = 0;
    look(held[i].task);
  }
}

unsigned guard_waiting(unsigned ask) {
  unsigned waiting = 0;
  for (size_t i = 0; i < HELD_MAX; i++) waiting += held[i].ask == ask;
  return waiting;
}

void guard_ended(pid_t task) {
  for (size_t i = 0; i < HELD_MAX; i++)
    if (held[i].task == task) held[i].ask = 0;
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
  case PTRACE_EVENT_SECCOMP: return look(task);
  case PTRACE_EVENT_STOP:
    // A stop of its whole group stays one until SIGCONT; anything else is the first stop of a new task.
    if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU) {
      ptrace(PTRACE_LISTEN, task, NULL, NULL);
      return;
    }
    return go_on(task, 0);
  case PTRACE_EVENT_EXEC:
    guard_ended(task);                    // if another thread of it has executed, the one that had this number is gone
    return go_on(task, 0);
  default: return go_on(task, 0);         // fork, clone: the new ones are tracees already
  }
}

bool guard_until_exec(pid_t process) {
  int status = 0;
  launching = true;
  while (waitpid(process, &status, __WALL) == process && WIFSTOPPED(status)) {
    guard_stopped(process, status);
    if (status >> 16 != PTRACE_EVENT_EXEC) continue;
    launching = false;
    return true;
  }
  return false;
}
