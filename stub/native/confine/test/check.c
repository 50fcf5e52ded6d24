#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PASSED = 0, FAILED = 1, SKIPPED = 77 };

static char folder[PATH_MAX];

void check_failed(const char *file, int line, const char *what) {
  printf("# %s:%d: does not hold: %s (errno: %s)\n", file, line, what, strerror(errno));
  fflush(stdout);
  _exit(FAILED);
}

void check_equal(const char *file, int line, const char *what, long long a, long long b) {
  if (a == b) return;
  printf("# %s:%d: %s is %lld, not %lld\n", file, line, what, a, b);
  fflush(stdout);
  _exit(FAILED);
}

void check_skip(const char *reason) {
  printf("# skipped: %s\n", reason);
  fflush(stdout);
  _exit(SKIPPED);
}

const char *scratch(void) { return folder; }

const char *in_scratch(const char *name) {
  static char buffers[8][PATH_MAX + 256];
  static unsigned turn;
  char *out = buffers[turn++ % 8];
  snprintf(out, sizeof buffers[0], "%s/%s", folder, name);
  return out;
}

void make_directory(const char *path) { CHECK(mkdir(path, 0755) == 0); }

void make_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

static int remove_one(const char *path, const struct stat *found, int type, struct FTW *place) {
  (void)found; (void)type; (void)place;
  return remove(path);
}

static int run_one(const struct test *test) {
  char made[] = "/tmp/confine-test-XXXXXX";
  CHECK(mkdtemp(made) != NULL && realpath(made, folder) != NULL && chmod(folder, 0755) == 0);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    test->run();
    fflush(stdout);
    _exit(PASSED);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  int result = WIFEXITED(status) ? WEXITSTATUS(status) : FAILED;
  if (WIFSIGNALED(status)) printf("# died of signal %d\n", WTERMSIG(status));
  printf("%s %s: %s\n", result == PASSED ? "ok" : result == SKIPPED ? "skip" : "not ok", test->group, test->sentence);
  fflush(stdout);
  return result;
}

// usage: confine_test [GROUP…]     all groups without one
int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOFBF, 1 << 16);
  int failed = 0, ran = 0;
  for (const struct test *const *group = groups; *group != NULL; group++)
    for (const struct test *test = *group; test->run != NULL; test++) {
      bool wanted = argc == 1;
      for (int i = 1; i < argc; i++) wanted |= strcmp(argv[i], test->group) == 0;
      if (!wanted) continue;
      ran++;
      failed += run_one(test) == FAILED;
    }
  if (ran == 0) fprintf(stderr, "no such group\n");
  return failed > 0 || ran == 0;
}
