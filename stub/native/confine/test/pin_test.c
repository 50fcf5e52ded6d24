#define _GNU_SOURCE
#include "../pin.h"
#include "check.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

// What lies in a scratch directory: dir/sub/file, link -> dir, dir/out -> /etc, dir/f -> file.
static void lay_out(void) {
  make_directory(in_scratch("dir"));
  make_directory(in_scratch("dir/sub"));
  make_file(in_scratch("dir/sub/file"), "x");
  CHECK(symlink("dir", in_scratch("link")) == 0);
  CHECK(symlink("/etc", in_scratch("dir/out")) == 0);
  CHECK(symlink("sub/file", in_scratch("dir/f")) == 0);
}

static int error_of(const char *path) {
  int fd = pin_open(AT_FDCWD, path);
  if (fd < 0) return errno;
  struct stat pinned, there;
  CHECK(fstat(fd, &pinned) == 0 && stat(path, &there) == 0 && pinned.st_ino == there.st_ino);
  CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0 && (fcntl(fd, F_GETFL) & O_PATH) != 0);
  close(fd);
  return 0;
}

static void opens_files_and_directories(void) {
  lay_out();
  EQUAL(error_of("/"), 0);
  EQUAL(error_of(scratch()), 0);
  EQUAL(error_of(in_scratch("dir/sub")), 0);
  EQUAL(error_of(in_scratch("dir/sub/file")), 0);
}

static void refuses_links(void) {
  lay_out();
  EQUAL(error_of(in_scratch("link")), ELOOP);
  EQUAL(error_of(in_scratch("link/sub")), ELOOP);
  EQUAL(error_of(in_scratch("dir/out")), ELOOP);
  EQUAL(error_of(in_scratch("dir/out/passwd")), ELOOP);
  EQUAL(error_of(in_scratch("dir/f")), ELOOP);
  EQUAL(error_of("/proc/self/root"), ELOOP);
  int naive = open(in_scratch("dir/out/passwd"), O_PATH | O_CLOEXEC);
  CHECK(naive >= 0);                                        // the naive way leads out
}

static void names_other_errors(void) {
  lay_out();
  EQUAL(error_of(in_scratch("none")), ENOENT);
  EQUAL(error_of(in_scratch("none/x")), ENOENT);
  EQUAL(error_of(in_scratch("dir/sub/file/x")), ENOTDIR);
  EQUAL(error_of(in_scratch("dir/../dir")), EINVAL);
  EQUAL(error_of("dir"), EINVAL);
  char *lengthy = malloc(5000);
  memset(lengthy, 'x', 4999);
  lengthy[0] = '/';
  lengthy[4999] = 0;
  EQUAL(error_of(lengthy), ENAMETOOLONG);
}

static void stays_below_a_root(void) {
  lay_out();
  int root = open(in_scratch("dir"), O_PATH | O_DIRECTORY);
  int fd = pin_open(root, "/sub/file");
  struct stat pinned, there;
  CHECK(fd >= 0 && fstat(fd, &pinned) == 0 && stat(in_scratch("dir/sub/file"), &there) == 0 && pinned.st_ino == there.st_ino);
  fd = pin_open(root, "/");
  CHECK(fd >= 0 && fstat(fd, &pinned) == 0 && stat(in_scratch("dir"), &there) == 0 && pinned.st_ino == there.st_ino);
  CHECK(pin_open(root, "/out/passwd") < 0 && errno == ELOOP);
  CHECK(pin_open(root, "/etc") < 0 && errno == ENOENT);
}

static struct entry entry_of(enum entry_kind kind, const char *path, const char *identity_of) {
  struct entry entry = { .kind = kind, .path = strdup(path) };
  struct stat found;
  if (identity_of != NULL) {
    CHECK(stat(identity_of, &found) == 0);
    entry.identified = true;
    entry.dev = found.st_dev;
    entry.ino = found.st_ino;
  }
  return entry;
}

static int entry_error(struct entry entry) {
  int fd = pin_entry(&entry);
  if (fd >= 0) close(fd);
  return fd < 0 ? errno : 0;
}

static void notices_another_directory(void) {
  lay_out();
  struct entry entry = entry_of(ENTRY_RW, in_scratch("dir"), in_scratch("dir"));
  EQUAL(entry_error(entry), 0);
  CHECK(rename(in_scratch("dir"), in_scratch("old")) == 0);
  EQUAL(entry_error(entry), ENOENT);
  make_directory(in_scratch("dir"));
  EQUAL(entry_error(entry), ESTALE);
  CHECK(rmdir(in_scratch("dir")) == 0 && symlink("old", in_scratch("dir")) == 0);
  EQUAL(entry_error(entry), ESTALE);                        // a link, even to the very inode
  struct stat naive;
  CHECK(stat(in_scratch("dir"), &naive) == 0 && naive.st_ino == entry.ino);
}

static void pins_a_file_by_its_parent(void) {
  lay_out();
  struct entry entry = entry_of(ENTRY_RW_FILE, in_scratch("dir/sub/file"), in_scratch("dir/sub"));
  EQUAL(entry_error(entry), 0);
  CHECK(unlink(in_scratch("dir/sub/file")) == 0);
  EQUAL(entry_error(entry), ENOENT);                        // may be absent
  make_file(in_scratch("dir/sub/file"), "again");
  EQUAL(entry_error(entry), 0);                             // and another inode: editors replace
  CHECK(unlink(in_scratch("dir/sub/file")) == 0 && symlink("/etc/passwd", in_scratch("dir/sub/file")) == 0);
  EQUAL(entry_error(entry), ESTALE);
  CHECK(unlink(in_scratch("dir/sub/file")) == 0);
  make_directory(in_scratch("dir/sub/file"));
  EQUAL(entry_error(entry), ESTALE);                        // a whole tree was never approved
  CHECK(rename(in_scratch("dir/sub"), in_scratch("dir/moved")) == 0);
  make_directory(in_scratch("dir/sub"));
  make_file(in_scratch("dir/sub/file"), "");
  EQUAL(entry_error(entry), ESTALE);                        // another parent
  EQUAL(entry_error(entry_of(ENTRY_RO_FILE, "/.no-such-file", "/")), ENOENT);
}

static void follows_links_of_the_system(void) {
  lay_out();
  EQUAL(entry_error(entry_of(ENTRY_SYS, in_scratch("link"), NULL)), 0);
  EQUAL(entry_error(entry_of(ENTRY_DEV, "/dev/null", NULL)), 0);
  EQUAL(entry_error(entry_of(ENTRY_SYS, in_scratch("none"), NULL)), ENOENT);
  CHECK(symlink("round", in_scratch("round")) == 0);
  EQUAL(entry_error(entry_of(ENTRY_SYS, in_scratch("round"), NULL)), ENOENT);
  CHECK(pin_absent(ENOENT) && pin_absent(EACCES) && !pin_absent(ESTALE) && !pin_absent(EIO));
}

const struct test pin_tests[] = {
  { "pin", "files and directories are opened for their path alone", opens_files_and_directories },
  { "pin", "a link anywhere in the path is refused, also the last part", refuses_links },
  { "pin", "other errors have their names", names_other_errors },
  { "pin", "a path is looked up below the root that is given", stays_below_a_root },
  { "pin", "another directory in the place of the approved one is noticed, a link to it too", notices_another_directory },
  { "pin", "a file is known by its parent, may be absent or new, and is no link and no directory", pins_a_file_by_its_parent },
  { "pin", "entries of the system follow links, and may lead nowhere", follows_links_of_the_system },
  { 0 },
};
