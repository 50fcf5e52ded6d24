#define _GNU_SOURCE
#include "probe.h"
#include "confine.h"
#include "guard.h"
#include "kernel.h"
#include "landlock.h"
#include "named.h"
#include "notify.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT_MS 2000                     // of one trial: one that hangs does not work
#define POLICY "confine 1\0sys - /usr\0sys - /proc"
#define INSIDE "/usr"
#define OUTSIDE "/etc"
#define ASKED "/dev/null"

struct trial { int error; char reason[120]; bool shared; };            // error 0: it works; `shared`: without a pid namespace

static struct trial failed(const char *what, int error) {
  struct trial trial = { error ? error : EIO, "", false };
  snprintf(trial.reason, sizeof trial.reason, "%s: %s", what, strerror(trial.error));
  return trial;
}

static struct trial wrong(const char *what) {
  struct trial trial = { EIO, "", false };
  snprintf(trial.reason, sizeof trial.reason, "%s", what);
  return trial;
}

static bool opens(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

// What a confined process finds.
static struct trial look_around(void) {
  if (!opens(INSIDE)) return failed(INSIDE " is refused, although it was approved", errno);
  if (!opens("/proc/self/stat")) return failed("/proc is refused, although it was approved", errno);
  if (opens(OUTSIDE)) return wrong(OUTSIDE " opens, although it was not approved");
  return (struct trial){ 0, "", false };
}

// Returns in the first process of the view; the one that enters it waits for that.
static int enter_view(const struct confinement *built) {
  int error = namespace_enter(&built->namespaces);
  if (error != 0) return error;
  pid_t pid = fork();
  if (pid < 0) return errno;
  if (pid > 0) {
    waitpid(pid, NULL, 0);
    _exit(0);
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  error = namespace_show_processes(&built->namespaces);
  return error != 0 ? error : namespace_settle(&built->policy);
}

static struct trial try_level(unsigned level) {
  static char policy[] = POLICY;
  struct confinement built;
  const char *stage = "", *path = NULL;
  if (!opens(OUTSIDE)) return failed(OUTSIDE, errno);       // else its refusal would say nothing
  int error = confine_build(&built, level, policy, sizeof policy, &stage, &path);
  if (error != 0) return failed(stage, error);
  if (level & LEVEL_GUARD && (error = guard_background(&built.policy, -1)) != 0) return failed("ptrace", error);
  if (level & LEVEL_MOUNT && (error = enter_view(&built)) != 0) return failed("namespace", error);
  error = confine_restrict(&built, NULL, &stage);
  if (error != 0) return failed(stage, error);
  struct trial trial = look_around();
  trial.shared = level & LEVEL_MOUNT && !built.namespaces.processes;
  return trial;
}

// ---- asking ------------------------------------------------------------------------------------------------------------

// Opens what it is then given instead.
static void ask(int socket) {
  struct filter filter;
  struct stat found;
  int listener = -1;
  filter_build(&filter, FILTER_NOTIFY);
  int error = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? filter_apply(&filter, &listener) : errno;
  if (error != 0 || !notify_send(socket, listener)) _exit(error);
  close(listener);
  int fd = open(ASKED, O_RDONLY | O_CLOEXEC);
  _exit(fd >= 0 && fstat(fd, &found) == 0 && S_ISDIR(found.st_mode) ? 0 : EIO);
}

// What Yama, or a container's filter, may forbid a supervisor: to read what is asked for, to take a socket.
static bool may_look(const struct seccomp_notif *call) {
  char path[sizeof ASKED];
  int process = (int)syscall(SYS_pidfd_open, (pid_t)call->pid, 0);
  bool reads = named_read((pid_t)call->pid, call->data.args[call->data.nr == SYS_openat], path, sizeof path);
  return reads && strcmp(path, ASKED) == 0 && (syscall(SYS_pidfd_getfd, process, 0, 0) >= 0 || errno == EBADF);
}

static int answer(int listener) {
  struct seccomp_notif call;
  memset(&call, 0, sizeof call);          // the kernel insists
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) return errno;
  struct seccomp_notif_addfd add = { .id = call.id, .srcfd = (uint32_t)open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
  int error = may_look(&call) ? 0 : EPERM;
  int fd = error == 0 ? ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) : -1;
  if (fd < 0 && error == 0) error = errno;
  struct seccomp_notif_resp answer = { .id = call.id, .val = fd < 0 ? 0 : fd, .error = -error };
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) != 0 && error == 0) error = errno;
  return error;
}

static struct trial try_notify(unsigned unused) {
  int pair[2], status = 0;
  (void)unused;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return failed("socketpair", errno);
  pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(pair[0]);
    ask(pair[1]);
  }
  close(pair[1]);
  int listener = pid < 0 ? -1 : notify_receive(pair[0]);
  int error = listener < 0 ? 0 : answer(listener);
  if (pid > 0) waitpid(pid, &status, 0);
  if (error == 0) error = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
  return error == 0 ? (struct trial){ 0, "", false } : failed("seccomp notification", error);
}

// ---- each in a process of its own, which does not come back --------------------------------------------------------------

static struct trial in_child(struct trial (*attempt)(unsigned level), unsigned level) {
  struct trial trial = wrong("the trial ended early");
  int pair[2];
  if (pipe2(pair, O_CLOEXEC) != 0) return failed("pipe", errno);
  pid_t pid = fork();
  if (pid == 0) {
    close(pair[0]);
    trial = attempt(level);
    _exit(write(pair[1], &trial, sizeof trial) != sizeof trial);
  }
  close(pair[1]);
  struct pollfd ready = { .fd = pair[0], .events = POLLIN };
  if (pid < 0) trial = failed("fork", errno);
  else if (poll(&ready, 1, LIMIT_MS) != 1) trial = failed("trial", ETIMEDOUT);
  else if (read(pair[0], &trial, sizeof trial) != sizeof trial) trial = wrong("the trial ended early");
  close(pair[0]);
  if (pid > 0) {
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
  }
  return trial;
}

static void print(const char *name, const struct trial *trial, const char *end) {
  if (trial->error == 0) printf("\"%s\":{\"ok\":true%s}%s", name, trial->shared ? ",\"processes\":false" : "", end);
  else printf("\"%s\":{\"ok\":false,\"reason\":\"%s\",\"errno\":%d}%s", name, trial->reason, trial->error, end);
}

int probe(void) {
  struct trial notify = in_child(try_notify, 0);
  struct trial both = in_child(try_level, LEVEL_MOUNT | LEVEL_LANDLOCK), landlock = in_child(try_level, LEVEL_LANDLOCK);
  struct trial mount = in_child(try_level, LEVEL_MOUNT), guard = in_child(try_level, LEVEL_GUARD);
  printf("{\"landlockAbi\":%d,\"notify\":%s,\"levels\":{", landlock_abi(), notify.error == 0 ? "true" : "false");
  print("mount+landlock", &both, ",");
  print("landlock", &landlock, ",");
  print("mount", &mount, ",");
  print("guard", &guard, "}}\n");
  return fflush(stdout) == 0 ? 0 : 1;
}
