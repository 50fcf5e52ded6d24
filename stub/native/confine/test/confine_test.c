// The parts together, applied by the kernel: what a command that is confined so may still call.
#define _GNU_SOURCE
#include "../confine.h"
#include "../capabilities.h"
#include "../descriptors.h"
#include "../landlock.h"
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define POLICY "confine 1\0sys - /usr\0sys - /proc\0dev - /dev/ptmx\0dev - /dev/pts"

static struct confinement built;

static void need_landlock(void) {
  if (landlock_abi() == 0) check_skip("no Landlock here");
}

static int build(unsigned level) {
  static char bytes[] = POLICY;
  const char *stage = "", *path = NULL;
  return confine_build(&built, level, bytes, sizeof bytes, &stage, &path);
}

static void restrict_now(int *listener) {
  const char *stage = "";
  EQUAL(confine_restrict(&built, listener, &stage), 0);
}

static long error_of(long result) { return result < 0 ? errno : 0; }

static void closes_calls(void) {
  need_landlock();
  int pair[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  EQUAL(build(LEVEL_LANDLOCK), 0);
  restrict_now(NULL);
  EQUAL(error_of(syscall(SYS_keyctl, 0, 0, 0, 0, 0)), EPERM);
  EQUAL(error_of(syscall(SYS_bpf, 0, 0, 0)), EPERM);
  EQUAL(error_of(syscall(SYS_open_by_handle_at, -1, 0, 0)), EPERM);
  EQUAL(error_of(syscall(SYS_userfaultfd, 0)), EPERM);
  EQUAL(error_of(syscall(SYS_io_uring_setup, 1, 0)), ENOSYS);
  EQUAL(error_of(syscall(SYS_clone3, 0, 0)), ENOSYS);
  EQUAL(error_of(syscall(SYS_unshare, 0x10000000)), EPERM);
  EQUAL(error_of(mount("x", "/usr", "tmpfs", 0, NULL)), EPERM);
  EQUAL(error_of(chroot("/usr")), EPERM);
  EQUAL(error_of(socket(AF_UNIX, SOCK_STREAM, 0)), EPERM);
  EQUAL(error_of(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair)), EPERM);
  EQUAL(error_of(socketpair(AF_UNIX, SOCK_STREAM, 0, pair)), 0);
  EQUAL(error_of(write(pair[1], "x", 1)), 0);
  pid_t pid = fork();
  if (pid == 0) _exit(0);
  CHECK(pid > 0 && waitpid(pid, NULL, 0) == pid);
}

static void leaves_others_their_limits(void) {
  need_landlock();
  struct rlimit limit;
  EQUAL(error_of(prlimit(getppid(), RLIMIT_CORE, NULL, &limit)), 0);
  EQUAL(error_of(prlimit(getppid(), RLIMIT_CORE, &limit, NULL)), 0);        // the control
  EQUAL(build(LEVEL_LANDLOCK), 0);
  restrict_now(NULL);
  EQUAL(error_of(prlimit(getppid(), RLIMIT_CORE, &limit, NULL)), EPERM);
  EQUAL(error_of(prlimit(0, RLIMIT_CORE, &limit, NULL)), 0);
  EQUAL(error_of(setrlimit(RLIMIT_CORE, &limit)), 0);
}

static void types_into_no_terminal(void) {
  need_landlock();
  char typed = 'x';
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) check_skip("no terminals here");
  setsid();
  int terminal = open(ptsname(master), O_RDWR);
  CHECK(terminal >= 0);
  ioctl(terminal, TIOCSCTTY, 0);
  EQUAL(build(LEVEL_LANDLOCK), 0);
  restrict_now(NULL);
  EQUAL(error_of(ioctl(terminal, TIOCSTI, &typed)), EPERM);
  struct winsize size;
  EQUAL(error_of(ioctl(terminal, TIOCGWINSZ, &size)), 0);
}

static void kills_other_abis(void) {
#if defined(__x86_64__)
  need_landlock();
  EQUAL(build(LEVEL_LANDLOCK), 0);
  pid_t pid = fork();
  if (pid == 0) {
    long result = 20;                     // getpid of i386
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory");
    _exit(result == -ENOSYS ? 77 : 0);
  }
  int status;
  waitpid(pid, &status, 0);
  if (WIFSIGNALED(status) || WEXITSTATUS(status) == 77) check_skip("this kernel runs nothing of i386");
  pid = fork();
  if (pid == 0) {
    restrict_now(NULL);
    errno = 0;
    if (syscall(0x40000000 | SYS_getpid) >= 0 || errno != ENOSYS) _exit(1); // x32
    long result = 20;
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory");
    _exit(0);
  }
  waitpid(pid, &status, 0);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
#else
  check_skip("AArch32 cannot be called from here");
#endif
}

static void refuses_what_it_cannot_hold(void) {
  landlock_limit(0);
  EQUAL(build(LEVEL_LANDLOCK), EOPNOTSUPP);
  EQUAL(built.ruleset, -1);
  CHECK(built.policy.entries == NULL);
  static char wrong[] = "confine 1\0wr - /usr";
  const char *stage = "", *path = NULL;
  EQUAL(confine_build(&built, LEVEL_LANDLOCK, wrong, sizeof wrong, &stage, &path), EINVAL);
  CHECK(strcmp(stage, "policy") == 0);
  EQUAL(confine_build(&built, 0, wrong, sizeof wrong, &stage, &path), 0);   // nothing is asked
  EQUAL(confine_restrict(&built, NULL, &stage), 0);
  EQUAL(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
}

static void adopts_what_was_built(void) {
  need_landlock();
  EQUAL(build(LEVEL_LANDLOCK), 0);
  static char bytes[] = POLICY;
  struct confinement again;
  EQUAL(confine_adopt(&again, LEVEL_LANDLOCK, bytes, sizeof bytes, built.ruleset, built.namespaces), 0);
  built = again;
  restrict_now(NULL);
  CHECK(open("/etc", O_RDONLY) < 0 && errno == EACCES);
  CHECK(open("/usr", O_RDONLY) >= 0);
}

static void hands_out_a_listener(void) {
  need_landlock();
  int listener = -1;
  EQUAL(build(LEVEL_LANDLOCK | LEVEL_ASK), 0);
  const char *stage = "";
  int error = confine_restrict(&built, &listener, &stage);
  if (error == EINVAL) check_skip("no user notification here");
  EQUAL(error, 0);
  CHECK(listener >= 0);
}

static void takes_roots_powers(void) {
  if (geteuid() != 0) check_skip("not root");
  CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  EQUAL(capabilities_drop(), 0);
  EQUAL(error_of(mount("x", "/usr", "tmpfs", 0, NULL)), EPERM);
  EQUAL(error_of(chroot("/usr")), EPERM);
  CHECK(system("grep -q 'CapEff:.00000000000004fb' /proc/self/status") == 0);          // not by exec either
  make_file(in_scratch("f"), "");
  EQUAL(error_of(chown(in_scratch("f"), 1000, 1000)), 0);   // ordinary work goes on
  EQUAL(error_of(chmod(in_scratch("f"), 0600)), 0);
  int fd = open(in_scratch("f"), O_RDWR);
  CHECK(fd >= 0);                         // of another's
  EQUAL(error_of(setgid(1000)), 0);
  EQUAL(error_of(setuid(1000)), 0);
}

static void knows_harmless_descriptors(void) {
  int pair[2];
  CHECK(pipe(pair) == 0 && dup2(pair[0], 0) == 0 && dup2(pair[1], 1) == 1 && dup2(open("/dev/null", O_RDWR), 2) == 2);
  CHECK(descriptors_harmless());
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && dup2(pair[0], 0) == 0);
  CHECK(descriptors_harmless());
  close(0);
  CHECK(descriptors_harmless());
  static const char *const wrong[] = { "/usr", "/etc/passwd", "/dev/zero", "/proc/self/status" };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    int fd = open(wrong[i], O_RDONLY);
    CHECK(fd == 0 && !descriptors_harmless());
    close(fd);
  }
  CHECK(open("/usr", O_PATH) == 0 && !descriptors_harmless());
  int inherited = open("/etc/passwd", O_RDONLY);
  EQUAL(descriptors_close_on_exec(), 0);
  CHECK((fcntl(inherited, F_GETFD) & FD_CLOEXEC) != 0 && (fcntl(2, F_GETFD) & FD_CLOEXEC) == 0);
}

const struct test confine_tests[] = {
  { "confine", "the kernel refuses the calls that no level needs, and lets the others pass", closes_calls },
  { "confine", "the limits of other processes, the stub for one, stay theirs", leaves_others_their_limits },
  { "confine", "nothing is typed into a terminal", types_into_no_terminal },
  { "confine", "calls by other ABIs kill, or are not there", kills_other_abis },
  { "confine", "what cannot be held is an error, never less", refuses_what_it_cannot_hold },
  { "confine", "what was built before is adopted", adopts_what_was_built },
  { "confine", "a command that asks hands out its listener", hands_out_a_listener },
  { "root", "root loses what leaves the confinement and keeps what ordinary work needs", takes_roots_powers },
  { "confine", "a file, a directory or another device as 0, 1 or 2 is noticed; what is above ends with exec", knows_harmless_descriptors },
  { 0 },
};
