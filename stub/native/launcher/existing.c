// Is there a good unpack already? Cheap, on every start: `complete` says what this file's index says, and the sizes fit.
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

// `complete` is our index, then the line `dir PATH`: the loader's path inside `stub` starts with it.
static bool complete_fits(const struct container *container, int fd, const char *directory) {
  static char text[64 * 1024 + PATH_MAX + 16];
  ssize_t length = pread(fd, text, sizeof text - 1, 0);
  if (length < 0 || (size_t)length <= container->index_length) return false;
  text[length] = 0;
  if (memcmp(text, container->index, container->index_length) != 0) return false;
  char *line = text + container->index_length;
  size_t size = strlen(line);
  if (strncmp(line, "dir /", 5) != 0 || line[size - 1] != '\n') return false;
  line[size - 1] = 0;
  // Another name of the same directory (an automounted home) is as good; a directory that was moved is not.
  struct stat recorded, actual;
  return strcmp(line + 4, directory) == 0 || (stat(line + 4, &recorded) == 0 && stat(directory, &actual) == 0 &&
                                               recorded.st_dev == actual.st_dev && recorded.st_ino == actual.st_ino);
}

static bool part_fits(const struct part *part, const char *directory, bool deep) {
  char path[PATH_MAX], hex[SHA256_HEX];
  path_join(path, "%s/%s", directory, part->name);
  struct stat status;
  if (lstat(path, &status) < 0 || !S_ISREG(status.st_mode) || (uint64_t)status.st_size != part->size ||
      (status.st_mode & 0777) != part->mode)
    return false;
  if (!deep) return true;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return false;
  bool fits = sha256_file(fd, 0, part->size, part->patch_offset, part->patch_length, hex) &&
              strcmp(hex, part->sha256) == 0;
  close(fd);
  return fits;
}

// A descriptor of `complete` with a shared lock: as long as it is open, nobody removes the directory. Else why not.
// `deep`: the parts' contents are compared too.
int use_existing(const struct container *container, const char *directory, bool deep) {
  char path[PATH_MAX];
  path_join(path, "%s/complete", directory);
  int fd = open(path, O_RDWR | O_NOFOLLOW); // for writing: some network file systems want it for the lock of a sweep
  if (fd < 0 && errno == EROFS) fd = open(path, O_RDONLY | O_NOFOLLOW);
  if (fd < 0) {
    struct stat status;
    return lstat(directory, &status) == 0 ? UNPACK_DAMAGED : UNPACK_ABSENT;
  }
  // Where locks do not work (some network file systems) nobody removes anything either. EWOULDBLOCK: it is being removed.
  if (flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
    close(fd);
    return UNPACK_ABSENT;
  }
  struct stat opened, named;
  bool good = fstat(fd, &opened) == 0 && lstat(path, &named) == 0 && opened.st_ino == named.st_ino &&
              opened.st_dev == named.st_dev && opened.st_uid == geteuid() && complete_fits(container, fd, directory);
  for (size_t i = 0; good && i < container->part_count; i++) good = part_fits(&container->parts[i], directory, deep);
  if (good) return fd;
  close(fd);
  return UNPACK_DAMAGED;
}
