#define _GNU_SOURCE
#include "../resolve.h"
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DIRECTORY = 40, PIPE = 41, REMOVED = 42 };          // descriptors of the other process

static pid_t other;
static bool absent;

// In scratch: dir/sub/file, out/secret, dir/link -> ../out, dir/round -> round, dir/nowhere -> ../out/new. The other process stands in
// dir; this one does not.
static void lay_out(void) {
  int ready[2], ends[2];
  char byte = 0;
  make_directory(in_scratch("dir"));
  make_directory(in_scratch("dir/sub"));
  make_directory(in_scratch("out"));
  make_file(in_scratch("dir/sub/file"), "x");
  make_file(in_scratch("out/secret"), "x");
  CHECK(symlink("../out", in_scratch("dir/link")) == 0);
  CHECK(symlink("round", in_scratch("dir/round")) == 0);
  CHECK(symlink("../out/new", in_scratch("dir/nowhere")) == 0);
  CHECK(symlink("/proc/self/cwd/sub", in_scratch("dir/mine")) == 0);
  CHECK(pipe(ready) == 0 && pipe(ends) == 0);
  other = fork();
  CHECK(other >= 0);
  if (other == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int removed = open(in_scratch("gone"), O_RDWR | O_CREAT, 0600), directory = open(in_scratch("dir/sub"), O_RDONLY);
    if (chdir(in_scratch("dir")) != 0 || unlink(in_scratch("gone")) != 0) _exit(1);
    if (dup2(directory, DIRECTORY) < 0 || dup2(ends[0], PIPE) < 0 || dup2(removed, REMOVED) < 0) _exit(1);
    if (write(ready[1], &byte, 1) == 1) pause();
    _exit(1);
  }
  CHECK(read(ready[0], &byte, 1) == 1);
}

static const char *meaning(struct meant meant) {
  static char real[REAL_ROOM];
  meant.task = other;
  return resolve(&meant, real, &absent) ? real : "nothing";
}

static const char *read_of(const char *path) { return meaning((struct meant){ .directory = AT_FDCWD, .path = path }); }
static const char *name_of_it(const char *path) { return meaning((struct meant){ .directory = AT_FDCWD, .path = path, .name = true }); }
static const char *new_of(const char *path) { return meaning((struct meant){ .directory = AT_FDCWD, .path = path, .create = true }); }
static bool same(const char *a, const char *b) {
  if (strcmp(a, b) != 0) printf("# %s is not %s\n", a, b);
  return strcmp(a, b) == 0;
}

static void starts_where_the_other_stands(void) {
  lay_out();
  CHECK(same(read_of("sub/file"), in_scratch("dir/sub/file")));
  CHECK(same(read_of("."), in_scratch("dir")));
  CHECK(same(read_of("../out/secret"), in_scratch("out/secret")));
  CHECK(same(read_of("./sub//../sub/./file"), in_scratch("dir/sub/file")));
  CHECK(same(meaning((struct meant){ .directory = DIRECTORY, .path = "file" }), in_scratch("dir/sub/file")));
  CHECK(same(meaning((struct meant){ .directory = DIRECTORY, .path = "../../out/secret" }), in_scratch("out/secret")));
  CHECK(same(meaning((struct meant){ .directory = DIRECTORY, .path = in_scratch("out") }), in_scratch("out")));
  CHECK(same(read_of("/"), "/"));
  CHECK(realpath("sub/file", NULL) == NULL);                // the naive way: from where we stand
}

static void follows_links_as_the_kernel_does(void) {
  lay_out();
  CHECK(same(read_of("link/secret"), in_scratch("out/secret")));
  CHECK(same(read_of("link/../out/secret"), in_scratch("out/secret")));
  CHECK(same(read_of(in_scratch("dir/link")), in_scratch("out")));
  CHECK(same(read_of("link"), in_scratch("out")));
  CHECK(same(name_of_it("link"), in_scratch("dir/link")));
  CHECK(same(name_of_it("link/secret"), in_scratch("out/secret")));
  CHECK(same(name_of_it("sub/."), in_scratch("dir/sub")));
  CHECK(same(name_of_it("sub/"), in_scratch("dir/sub")));
  CHECK(same(read_of("round"), "nothing"));
}

static void knows_what_will_be_made(void) {
  lay_out();
  CHECK(same(new_of("sub/new"), in_scratch("dir/sub/new")));
  CHECK(same(new_of("link/new"), in_scratch("out/new")));
  CHECK(same(new_of("nowhere"), in_scratch("out/new")));    // a link to nothing: the file appears where it leads
  CHECK(same(new_of("sub/file"), in_scratch("dir/sub/file")));
  CHECK(absent == false);
  CHECK(same(name_of_it("sub/new"), in_scratch("dir/sub/new")));
  CHECK(absent);
  CHECK(same(name_of_it("nowhere"), in_scratch("dir/nowhere")));
  CHECK(!absent);                                           // the link itself is there
  CHECK(same(new_of("none/new"), "nothing"));
  CHECK(same(read_of("nowhere"), "nothing"));
}

static void reads_proc_as_the_other_does(void) {
  char own[64];
  lay_out();
  snprintf(own, sizeof own, "/proc/%d/status", (int)other);
  CHECK(same(read_of("/proc/self/status"), own));
  CHECK(same(read_of("/proc/self/cwd/sub/file"), in_scratch("dir/sub/file")));
  CHECK(same(read_of("/proc/self/root/proc/self/status"), own));
  CHECK(same(read_of("/proc/thread-self/cwd"), in_scratch("dir")));
  CHECK(same(read_of("mine/file"), in_scratch("dir/sub/file")));
  CHECK(same(read_of("/dev/fd/40/file"), in_scratch("dir/sub/file")));
  snprintf(own, sizeof own, "/proc/%d/fd/40", (int)other);
  CHECK(same(name_of_it("/proc/self/fd/40"), own));
  char *naive = realpath(in_scratch("dir/mine"), NULL);     // the naive way: our own working directory
  CHECK(naive == NULL || strcmp(naive, in_scratch("dir/sub")) != 0);
}

static bool nobody(pid_t process) { return process == 0; }

static void ends_at_links_of_strangers(void) {
  char link[64], path[96];
  lay_out();
  snprintf(link, sizeof link, "/proc/%d/root", (int)getppid());
  snprintf(path, sizeof path, "%s/etc", link);
  CHECK(same(read_of(path), "/etc"));
  CHECK(same(meaning((struct meant){ .directory = AT_FDCWD, .path = path, .reaches = nobody }), link));
  CHECK(same(meaning((struct meant){ .directory = AT_FDCWD, .path = "/proc/self/cwd/sub", .reaches = nobody }), in_scratch("dir/sub")));
}

static void passes_over_what_has_no_name(void) {
  lay_out();
  CHECK(same(read_of("/proc/self/fd/41"), "nothing"));
  CHECK(same(read_of("/proc/self/fd/42"), "nothing"));
  CHECK(same(read_of("/proc/self/fd/77"), "nothing"));
  make_file(in_scratch("dir/kept (deleted)"), "x");
  CHECK(same(read_of("kept (deleted)"), in_scratch("dir/kept (deleted)")));
}

const struct test resolve_tests[] = {
  { "resolve", "a path starts where the other process stands, or at its descriptor", starts_where_the_other_stands },
  { "resolve", "links are followed where the call would, and not at the end of a name", follows_links_as_the_kernel_does },
  { "resolve", "what is not there yet is known by its directory, also behind a link to nothing", knows_what_will_be_made },
  { "resolve", "/proc/self and /dev/fd are the other's, also behind links", reads_proc_as_the_other_does },
  { "resolve", "what others have open is not looked into: the path ends there", ends_at_links_of_strangers },
  { "resolve", "pipes and removed files have no name; a file called (deleted) has", passes_over_what_has_no_name },
  { 0 },
};
