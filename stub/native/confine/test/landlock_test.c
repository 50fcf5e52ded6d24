#define _GNU_SOURCE
#include "../landlock.h"
#include "check.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct entry entries[16];
static struct policy policy = { entries, 0, false };

static void need_abi(int abi) {
  char reason[64];
  snprintf(reason, sizeof reason, "the ABI of Landlock is %d here", landlock_abi());
  if (landlock_abi() < abi) check_skip(reason);
}

static void approve(enum entry_kind kind, const char *path) {
  entries[policy.count++] = (struct entry){ .kind = kind, .path = strdup(path) };
}

static void lay_out(void) {
  static const char *const directories[] = { "ro", "rw", "rw/a", "rw/b", "out" };
  for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) make_directory(in_scratch(directories[i]));
  make_file(in_scratch("ro/f"), "text");
  make_file(in_scratch("rw/a/f"), "text");
  make_file(in_scratch("out/f"), "text");
  make_file(in_scratch("out/g"), "text");
  approve(ENTRY_RO, in_scratch("ro"));
  approve(ENTRY_RW, in_scratch("rw"));
  approve(ENTRY_RW_FILE, in_scratch("out/f"));
}

static int build(void) {
  const char *path = NULL;
  int ruleset = landlock_build(&policy, &path);
  CHECK(ruleset >= 0);
  CHECK((fcntl(ruleset, F_GETFD) & FD_CLOEXEC) != 0);
  return ruleset;
}

static void restrict_to(int ruleset) {
  CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  EQUAL(landlock_apply(ruleset), 0);
}

static int error_of(const char *path, int flags) {
  int fd = open(path, flags | O_CLOEXEC, 0644);
  if (fd >= 0) close(fd);
  return fd < 0 ? errno : 0;
}
static int error_if(int failed) { return failed ? errno : 0; }

static void holds(void) {
  EQUAL(error_of(in_scratch("ro/f"), O_RDONLY), 0);
  EQUAL(error_of(in_scratch("ro"), O_RDONLY | O_DIRECTORY), 0);
  EQUAL(error_of(in_scratch("ro/f"), O_WRONLY), EACCES);
  EQUAL(error_of(in_scratch("ro/new"), O_WRONLY | O_CREAT), EACCES);
  EQUAL(error_if(unlink(in_scratch("ro/f"))), EACCES);
  EQUAL(error_of(in_scratch("rw/new"), O_RDWR | O_CREAT), 0);
  EQUAL(error_if(mkdir(in_scratch("rw/d"), 0755)), 0);
  EQUAL(error_if(rmdir(in_scratch("rw/d"))), 0);
  EQUAL(error_if(symlink("x", in_scratch("rw/l"))), 0);
  EQUAL(error_if(unlink(in_scratch("rw/l"))), 0);
  EQUAL(error_if(mkfifo(in_scratch("rw/p"), 0644)), 0);
  EQUAL(error_if(unlink(in_scratch("rw/p"))), 0);
  EQUAL(error_of(in_scratch("out/f"), O_RDWR), 0);
  EQUAL(error_of(in_scratch("out/g"), O_RDONLY), EACCES);
  EQUAL(error_of(in_scratch("out"), O_RDONLY | O_DIRECTORY), EACCES);
  EQUAL(error_if(rename(in_scratch("out/f"), in_scratch("out/h"))), EACCES);
  CHECK(mknod(in_scratch("rw/null"), S_IFCHR | 0666, 0x103) != 0);
}

static void gives_what_was_approved(void) {
  need_abi(1);
  lay_out();
  EQUAL(error_of(in_scratch("out/g"), O_RDWR), 0);          // the control
  restrict_to(build());
  holds();
}

static void works_at_every_abi(void) {
  need_abi(1);
  lay_out();
  for (int abi = 1, newest = landlock_abi(); abi <= newest; abi++) {
    pid_t pid = fork();
    if (pid == 0) {
      landlock_limit(abi);
      EQUAL(landlock_abi(), abi);
      restrict_to(build());
      holds();
      EQUAL(error_if(rename(in_scratch("rw/a/f"), in_scratch("rw/b/f"))), abi < 2 ? EXDEV : 0);
      if (abi >= 2) EQUAL(error_if(rename(in_scratch("rw/b/f"), in_scratch("rw/a/f"))), 0);
      EQUAL(error_if(rename(in_scratch("rw/a/f"), in_scratch("out/f2"))), EACCES);
      EQUAL(error_if(truncate(in_scratch("out/g"), 1)), abi < 3 ? 0 : EACCES);          // filter.h closes it
      fflush(stdout);
      _exit(0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
}

static void is_applied_again_and_again(void) {
  need_abi(1);
  lay_out();
  int ruleset = build();
  for (int i = 0; i < 3; i++) {
    pid_t pid = vfork();                  // as a command is started
    if (pid == 0) {
      if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || landlock_apply(ruleset) != 0) _exit(2);
      _exit(open(in_scratch("out/g"), O_RDONLY) < 0 && errno == EACCES ? 0 : 1);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  EQUAL(error_of(in_scratch("out/g"), O_RDONLY), 0);        // it never held this process
}

static void says_what_has_moved(void) {
  need_abi(1);
  lay_out();
  approve(ENTRY_SYS, in_scratch("absent"));
  approve(ENTRY_RO, in_scratch("absent too"));
  close(build());
  CHECK(rename(in_scratch("ro"), in_scratch("ro2")) == 0 && symlink("out", in_scratch("ro")) == 0);
  const char *path = NULL;
  CHECK(landlock_build(&policy, &path) < 0);
  EQUAL(errno, ESTALE);
  CHECK(path != NULL && strcmp(path, in_scratch("ro")) == 0);
  CHECK(open("/dev/null", O_RDONLY) == 3);                  // nothing was left open
}

static void passes_over_pipes(void) {
  need_abi(1);
  int pair[2];
  CHECK(pipe(pair) == 0 && dup2(pair[0], 0) == 0);
  approve(ENTRY_DEV, "/proc/self/fd/0");
  restrict_to(build());
  EQUAL(error_of("/dev/null", O_RDONLY), EACCES);
}

static void scopes_signals(void) {
  need_abi(6);
  restrict_to(build());
  EQUAL(error_if(kill(getppid(), 0)), EPERM);
  EQUAL(error_if(kill(getpid(), 0)), 0);
}

static void denies_tcp(void) {
  need_abi(4);
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  int control = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);
  EQUAL(error_if(bind(control, (struct sockaddr *)&address, sizeof address)), 0);
  policy.no_network = true;
  restrict_to(build());
  EQUAL(error_if(bind(fd, (struct sockaddr *)&address, sizeof address)), EACCES);
  address.sin_port = htons(9);
  EQUAL(error_if(connect(fd, (struct sockaddr *)&address, sizeof address)), EACCES);
}

const struct test landlock_tests[] = {
  { "landlock", "what was approved is given, and nothing beside it, to root neither", gives_what_was_approved },
  { "landlock", "it holds at every ABI that this kernel can play; what each lacks is known", works_at_every_abi },
  { "landlock", "a rule set is built once and applied by any number of processes", is_applied_again_and_again },
  { "landlock", "what has moved is named, what is absent passed over", says_what_has_moved },
  { "landlock", "a device that is a pipe needs no rule", passes_over_pipes },
  { "landlock", "signals reach nobody outside, from ABI 6", scopes_signals },
  { "landlock", "without network there is no TCP, from ABI 4", denies_tcp },
  { 0 },
};
