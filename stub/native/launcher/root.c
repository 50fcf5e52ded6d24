// The install root: where this file is installed, else in the home.
#include "launcher.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool home_directory(char home[PATH_MAX]) {
  const char *value = getenv("HOME");
  if (value == NULL || value[0] != '/') {
    struct passwd *user = getpwuid(geteuid());
    value = user == NULL ? NULL : user->pw_dir;
  }
  if (value == NULL || value[0] != '/') return false;
  path_join(home, "%s", value);
  return true;
}

static bool same_directory(const char *left, const char *right) {
  struct stat a, b;
  return stat(left, &a) == 0 && stat(right, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// `bin` directories that belong to the system or to the user, not to us: a copy there installs into the home.
static bool is_foreign(const char *root, const char *home) {
  char local[PATH_MAX];
  if (root[0] == 0 || strcmp(root, "/usr") == 0 || strcmp(root, "/usr/local") == 0) return true;
  if (home[0] == 0) return false;
  path_join(local, "%s/.local", home);
  return same_directory(root, home) || same_directory(root, local);
}

// `given` (--install-root) as it is; else the parent of the directory bin/ that holds this file; else below the home.
void install_root(char root[PATH_MAX], const char *given) {
  char home[PATH_MAX] = "", self[PATH_MAX];
  bool has_home = home_directory(home);
  if (given != NULL) {
    if (given[0] == '~' && given[1] == '/' && has_home) return path_join(root, "%s/%s", home, given + 2);
    if (given[0] != '/') fail(EXIT_USAGE, "--install-root needs an absolute path");
    return path_join(root, "%s", given);
  }
  self_path(self);
  char *name = strrchr(self, '/');
  if (name != NULL) {
    *name = 0;
    char *directory = strrchr(self, '/');
    if (directory != NULL && strcmp(directory, "/bin") == 0) {
      *directory = 0;
      struct stat status;
      if (!is_foreign(self, home) && stat(self, &status) == 0 && status.st_uid == geteuid())
        return path_join(root, "%s", self);
    }
  }
  if (!has_home) fail(EXIT_INSTALL_FAILED, "no home directory: set HOME or give --install-root DIR");
  path_join(root, "%s/.opencode-remote-ssh", home);
}

// Makes the directory, and its parents where they are missing, and takes write permission from everybody else.
void make_private_directory(const char *path) {
  char partial[PATH_MAX];
  path_join(partial, "%s", path);
  for (char *at = partial + 1; *at; at++) {
    if (*at != '/') continue;
    *at = 0;
    if (mkdir(partial, 0700) < 0 && errno != EEXIST && access(partial, F_OK) < 0) fail_writing(partial, errno);
    *at = '/';
  }
  if (mkdir(path, 0700) < 0 && errno != EEXIST) fail_writing(path, errno);
  struct stat status;
  if (stat(path, &status) < 0) fail_writing(path, errno);
  if (!S_ISDIR(status.st_mode)) fail_writing(path, ENOTDIR);
  if (status.st_uid != geteuid() && status.st_uid != 0)
    fail(EXIT_INSTALL_FAILED, "%s belongs to another user: set installRoot to a directory of your own", path);
  if ((status.st_mode & 022) != 0 && chmod(path, status.st_mode & 07755) < 0 && (status.st_mode & 02) != 0)
    fail(EXIT_INSTALL_FAILED, "%s can be written by everybody: %s", path, strerror(errno));
}
