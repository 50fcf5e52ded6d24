// Built in two processes: the first is in the new user namespace, the second the first of a new pid namespace, which a /proc of its own
// needs. Both end; what stays are the descriptors of the namespaces.
#define _GNU_SOURCE
#include "namespace.h"
#include "built.h"
#include "capabilities.h"
#include "furnish.h"
#include "kernel.h"
#include "landlock.h"
#include "pin.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Where the new root is mounted until it is the root; all that is shown was opened before.
static const char *const BASES[] = { "/tmp", "/usr", "/etc", "/run" };

struct outcome { int32_t error; char stage[24]; };

struct building {
  const struct policy *policy;
  bool landlock, processes;
  const char *stage, *path;
};

// ---- in the processes that build -----------------------------------------------------------------------------------

enum { REPLACED_MAX = 10 };

static int write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  int error = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : errno ? errno : EIO;
  close(fd);
  return error;
}

static int write_map(const char *path, unsigned id) {
  char text[64];
  snprintf(text, sizeof text, "%u %u 1", id, id);
  return write_file(path, text);
}

// A network namespace is born with its loopback down.
static void loopback_up(void) {
  struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;                     // no IPv4 at all
  ioctl(fd, SIOCSIFFLAGS, &request);
  close(fd);
}

// Every id as this process has it, for the user namespace of another: what root does for others (chown, tar, su) goes on. 0 or an errno.
static int map_all(pid_t pid, const char *name) {
  char path[64], text[4096];
  unsigned inside, outside, count;
  size_t n = 0;
  snprintf(path, sizeof path, "/proc/self/%s", name);
  FILE *own = fopen(path, "re");
  if (own == NULL) return errno;
  while (n < sizeof text - 64 && fscanf(own, "%u %u %u", &inside, &outside, &count) == 3)
    n += (size_t)snprintf(text + n, sizeof text - n, "%u %u %u\n", inside, inside, count);
  fclose(own);
  snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
  return write_file(path, text);
}

// Only from outside can more than one id be mapped. Without the right to do so (some containers) root maps itself, as others do.
static void map_for(pid_t pid, int socket) {
  char byte;
  if (recv(socket, &byte, 1, MSG_PEEK | MSG_TRUNC) != 1) return;       // its outcome already: it could not even get so far
  recv(socket, &byte, 1, 0);
  byte = map_all(pid, "uid_map") == 0 && map_all(pid, "gid_map") == 0;
  send(socket, &byte, 1, MSG_NOSIGNAL);
}

static bool is_mapped(int socket) {
  char byte = 0;
  return send(socket, &byte, 1, MSG_NOSIGNAL) == 1 && recv(socket, &byte, 1, 0) == 1 && byte == 1;
}

static int unshare_all(struct building *b, int socket) {
  uid_t uid = geteuid();
  gid_t gid = getegid();
  b->stage = "unshare";
  int flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | (b->processes ? CLONE_NEWPID : 0) | (b->policy->no_network ? CLONE_NEWNET : 0);
  if (unshare(flags) != 0) return errno;
  b->stage = "id map";
  int error = 0;
  if (uid != 0 || !is_mapped(socket)) {
    write_file("/proc/self/setgroups", "deny");            // older than 3.19: needs none
    error = write_map("/proc/self/uid_map", uid);
    if (error == 0) error = write_map("/proc/self/gid_map", gid);
  }
  if (b->policy->no_network) loopback_up();
  return error;
}

// The root of the view: an empty tmpfs, or the host's own if that was approved.
static int mount_root(const struct view *view, const char **base, int *root) {
  char source[32];
  for (size_t i = 0; i < sizeof BASES / sizeof *BASES; i++) {
    *base = BASES[i];
    if (mount("tmpfs", *base, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=8m") != 0) continue;
    bool whole = view->count > 0 && strcmp(view->places[0].path, "/") == 0;
    snprintf(source, sizeof source, "/proc/self/fd/%d", whole ? view->places[0].source : -1);
    if (whole && mount(source, *base, NULL, MS_BIND | MS_REC, NULL) != 0) return errno;
    *root = open(*base, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return *root < 0 ? errno : 0;
  }
  return errno;
}

static int change_root(int root) {
  if (fchdir(root) != 0) return errno;
  if (syscall(SYS_pivot_root, ".", ".") == 0) return umount2(".", MNT_DETACH) != 0 || chdir("/") != 0 ? errno : 0;
  if (errno != EINVAL) return errno;
  // "/" is the initramfs itself, which cannot be moved: it stays below, where nobody without capabilities gets
  return mount(".", "/", NULL, MS_MOVE, NULL) != 0 || chroot(".") != 0 || chdir("/") != 0 ? errno : 0;
}

// Who enters a mount namespace stands in the topmost mount on its root: that must be the view, and is not yet certain because this
// process stands in it. 0 or an errno.
static int check_root(void) {
  struct stat ours, entered;
  int fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
  int error = fd < 0 || stat("/", &ours) != 0 || setns(fd, CLONE_NEWNS) != 0 || stat("/", &entered) != 0 ? errno : 0;
  if (fd >= 0) close(fd);
  if (error != 0) return error;
  return ours.st_dev == entered.st_dev && ours.st_ino == entered.st_ino ? 0 : EXDEV;
}

// What the rule set has to let pass in the view, where all that is shown may be read: the second wall is for what is not shown.
static int build_rules(const struct building *b, struct built *built, const char **path) {
  static const struct entry MORE[] = {
    { .kind = ENTRY_SYS, .path = "/" }, { .kind = ENTRY_DEV, .path = "/dev/pts" }, { .kind = ENTRY_RW, .path = "/dev/shm" } };
  const size_t more = sizeof MORE / sizeof *MORE;
  struct policy inner = *b->policy;
  inner.entries = calloc(inner.count + more, sizeof *inner.entries);
  if (inner.entries == NULL) return ENOMEM;
  memcpy(inner.entries, b->policy->entries, inner.count * sizeof *inner.entries);
  for (size_t i = 0; i < inner.count; i++) {
    struct entry *e = &inner.entries[i];
    if (e->kind == ENTRY_BIND) {
      e->kind = ENTRY_RW;
      e->path = e->shown;
    }
    // what was approved is what was mounted; the parent of a single file is ours here
    if (e->kind == ENTRY_RO_FILE || e->kind == ENTRY_RW_FILE) e->identified = false;
  }
  memcpy(inner.entries + inner.count, MORE, sizeof MORE);
  inner.count += more;
  built->ruleset = landlock_build(&inner, path);
  return built->ruleset < 0 ? errno : 0;
}

static int open_namespaces(const struct building *b, struct namespaces *out) {
  const int flags = O_RDONLY | O_CLOEXEC;
  out->processes = b->processes;
  out->user = open("/proc/self/ns/user", flags);
  out->mount = open("/proc/self/ns/mnt", flags);
  out->ipc = open("/proc/self/ns/ipc", flags);
  if (b->policy->no_network) out->network = open("/proc/self/ns/net", flags);
  return out->user < 0 || out->mount < 0 || out->ipc < 0 || (b->policy->no_network && out->network < 0) ? errno : 0;
}

static int build(struct building *b, struct built *built) {
  struct view view;
  const char *base = "";
  int root = -1, error;
  b->stage = "private";
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return errno;    // nothing propagates, in neither direction
  b->stage = "approvals";
  if ((error = view_make(b->policy, &view, &b->path)) != 0) return error;
  b->stage = "root";
  if ((error = mount_root(&view, &base, &root)) != 0) return error;
  b->stage = "mount";
  if ((error = furnish(root, &view, b->processes, &b->path)) != 0) return error;
  b->stage = "pivot_root";
  if ((error = change_root(root)) != 0 || (error = check_root()) != 0) return error;
  write_file("/proc/sys/user/max_user_namespaces", "0");   // the filter refuses them, too
  b->stage = "read-only";
  if ((error = furnish_lock(&view, &b->path)) != 0) return error;
  b->stage = "landlock";
  if (b->landlock && (error = build_rules(b, built, &b->path)) != 0) return error;
  b->stage = "namespace";
  return open_namespaces(b, &built->namespaces);
}

static void tell(int socket, int error, const struct building *b, const struct built *built) {
  struct outcome outcome = { .error = error };
  snprintf(outcome.stage, sizeof outcome.stage, "%s", b->stage);
  built_send(socket, error == 0 ? built : NULL, &outcome, sizeof outcome, b->path, strlen(b->path) + 1);
}

static void build_in_child(int socket, struct building *b) {
  struct built built;
  built_none(&built);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_DUMPABLE, 1);              // else its own id maps are root's
  int error = unshare_all(b, socket);
  if (error != 0) return tell(socket, error, b, NULL);
  b->stage = "fork";
  pid_t pid = fork();
  if (pid < 0) return tell(socket, errno, b, NULL);
  if (pid > 0) {
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
    return;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  error = build(b, &built);
  tell(socket, error, b, &built);
}

// ---- in the process that wants it ----------------------------------------------------------------------------------

static int try_build(struct building *b, struct built *out) {
  static char stage[sizeof ((struct outcome *)0)->stage], path[PATH_MAX + 1];
  struct outcome outcome = { .error = EIO };
  int pair[2];
  b->stage = "fork";
  b->path = "";
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return errno;
  pid_t pid = fork();
  if (pid == 0) {
    close(pair[0]);
    build_in_child(pair[1], b);
    _exit(0);
  }
  int error = pid < 0 ? errno : 0;
  close(pair[1]);
  if (error == 0 && geteuid() == 0) map_for(pid, pair[0]);
  if (error == 0) {
    size_t length;
    if (built_receive(pair[0], out, &outcome, sizeof outcome, path, sizeof path - 1, &length, 0)) {
      error = outcome.error;
      memcpy(stage, outcome.stage, sizeof stage);
      stage[sizeof stage - 1] = path[length] = 0;
      b->stage = stage;
      b->path = path;
    } else {
      error = errno;                      // EPIPE: killed, by whom ever
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
  }
  close(pair[0]);
  if (error != 0) built_close(out);
  return error;
}

int namespace_build(const struct policy *policy, bool landlock, struct built *out, const char **stage, const char **path) {
  struct building b = { policy, landlock, true, "", "" };
  built_none(out);
  int error = try_build(&b, out);
  // a file of the base set was replaced (a new user) between being opened and being shown: what is deleted cannot be mounted
  for (int again = 0; again < REPLACED_MAX && error == ENOENT && strcmp(b.stage, "mount") == 0; again++) error = try_build(&b, out);
  // a container shows a /proc of its own with parts of it covered: there no other can be mounted
  if (error == EPERM && strcmp(b.stage, "mount") == 0 && strcmp(b.path, "/proc") == 0) {
    b.processes = false;
    error = try_build(&b, out);
  }
  *stage = b.stage;
  *path = b.path;
  return error;
}

// ---- each command --------------------------------------------------------------------------------------------------

int namespace_enter(const struct namespaces *in) {
  if (setns(in->user, CLONE_NEWUSER) != 0 || setns(in->mount, CLONE_NEWNS) != 0) return errno;
  if (in->ipc >= 0 && setns(in->ipc, CLONE_NEWIPC) != 0) return errno;
  if (in->network >= 0 && setns(in->network, CLONE_NEWNET) != 0) return errno;
  return unshare(CLONE_NEWNS | (in->processes ? CLONE_NEWPID : 0)) == 0 ? 0 : errno;
}

// Whether what lies there is ours: the empty file, or a directory that is mounted. (Nothing else is ever mounted here: host's mounts
// do not come in.)
static bool is_masked(int fd, const struct stat *found) {
  struct stat other;
  if (!S_ISDIR(found->st_mode)) return stat(FURNISH_EMPTY, &other) == 0 && other.st_dev == found->st_dev && other.st_ino == found->st_ino;
  return fstatat(fd, "..", &other, 0) == 0 && other.st_dev != found->st_dev;
}

// What was hidden and then replaced on the host is seen again: a mount goes with what it covers, not with the name.
static int hide_again(const char *path) {
  char text[32];
  struct stat found;
  int fd = pin_open(AT_FDCWD, path), error = 0;
  if (fd < 0) return pin_absent(errno) ? 0 : errno;
  snprintf(text, sizeof text, "/proc/self/fd/%d", fd);
  if (fstat(fd, &found) != 0) error = errno;
  else if (!is_masked(fd, &found)) {
    bool failed = S_ISDIR(found.st_mode) ? mount("tmpfs", text, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755,size=1m")
                                         : mount(FURNISH_EMPTY, text, NULL, MS_BIND, NULL);
    if (failed) error = errno;
  }
  close(fd);
  return error;
}

// All of them: they were given for the view, and would open it again. Root keeps what its ordinary work needs.
int namespace_drop_capabilities(void) {
  if (geteuid() == 0) return capabilities_drop();
  struct kernel_cap_header header = { CAPABILITY_VERSION_3, 0 };
  struct kernel_cap_data none[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
  return syscall(SYS_capset, &header, none) == 0 ? 0 : errno;
}

int namespace_show_processes(const struct namespaces *in) {
  // read-only: much of it goes by the user, and root's own may set what the kernel runs as the host's root
  if (in->processes && mount("proc", "/proc", "proc", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0) return errno;
  return 0;
}

int namespace_settle(const struct policy *policy) {
  for (size_t i = 0; i < policy->count; i++) {
    int error = policy->entries[i].kind == ENTRY_HIDE ? hide_again(policy->entries[i].path) : 0;
    if (error != 0) return error;
  }
  return namespace_drop_capabilities();
}
