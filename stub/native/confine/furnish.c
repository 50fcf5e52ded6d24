// Mounts go from descriptor to descriptor (/proc/self/fd/N): a path that was checked and is then walked again could lead elsewhere.
#define _GNU_SOURCE
#include "furnish.h"
#include "mountinfo.h"
#include "pin.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define WALK (O_PATH | O_NOFOLLOW | O_CLOEXEC)

static const char *by_fd(int fd, char text[32]) {
  snprintf(text, 32, "/proc/self/fd/%d", fd);
  return text;
}

// What is mounted over in a bound directory stays behind there, and is seen where the same is not shown: nobody may read it as empty.
// A file's place is a socket, which cannot be opened, a directory's has no permissions (view_is_stand_in).
static int make_stand_in(int at, const char *name, bool directory) {
  return directory ? mkdirat(at, name, 0) : mknodat(at, name, S_IFSOCK, 0);
}

static int make(int at, const char *name, bool directory) {
  if (directory) return mkdirat(at, name, 0755);
  int fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
  if (fd < 0) return -1;
  return close(fd);
}

// The directory or file at `path` below `root`, following no link; made where it is missing and lies in what is ours. -1 with errno.
static int reach(int root, const struct view *view, const char *path, bool directory, int above) {
  char part[NAME_MAX + 1], link[32];
  size_t given = above < 0 ? 0 : strlen(view->places[above].path);      // what is there already
  bool lasting = above >= 0 && view->places[above].kind == PLACE_BOUND; // what is made there stays
  int at = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  for (const char *p = path; at >= 0 && *(p += strspn(p, "/")) != 0;) {
    size_t length = strcspn(p, "/");
    bool last = p[length] == 0;
    if (length > NAME_MAX) { close(at); errno = ENAMETOOLONG; return -1; }
    memcpy(part, p, length);
    part[length] = 0;
    p += length;
    int next = openat(at, part, WALK);
    if (next < 0 && errno == ENOENT && (size_t)(p - path) > given && view_is_ours(view, above) &&
        ((lasting && last ? make_stand_in(at, part, directory) : make(at, part, directory || !last)) == 0 || errno == EEXIST))
      next = openat(at, part, WALK);
    struct stat found;
    int error = next < 0 ? errno : fstat(next, &found) != 0 ? errno : S_ISLNK(found.st_mode) ? ELOOP : 0;
    bool leads_on = error == 0 && lasting && !last && (size_t)(p - path) > given && S_ISDIR(found.st_mode) && view_is_stand_in(&found);
    if (leads_on && chmod(by_fd(next, link), 0755) != 0) error = errno;
    close(at);
    if (error != 0) {
      if (next >= 0) close(next);
      errno = error;
      return -1;
    }
    at = next;
  }
  return at;
}

static int mount_own(const char *path, const char *where, bool processes) {
  const unsigned long plain = MS_NOSUID | MS_NODEV;
  const char *mode = "mode=755";
  if (strcmp(path, "/proc") == 0) {
    if (!processes) return mount("/proc", where, NULL, MS_BIND | MS_REC, NULL);
    return mount("proc", where, "proc", plain | MS_NOEXEC, NULL);
  }
  if (strcmp(path, "/dev/pts") == 0)
    return mount("devpts", where, "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620");
  if (strcmp(path, "/dev/shm") == 0) mode = "mode=1777";
  return mount("tmpfs", where, "tmpfs", plain, mode);
}

static int hide(const char *where, bool directory, int empty) {
  char text[32];
  if (directory) return mount("tmpfs", where, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755,size=1m");
  return mount(by_fd(empty, text), where, NULL, MS_BIND, NULL);
}

static int put(int root, const struct view *view, const struct place *place, bool processes, int empty) {
  char from[32], to[32];
  int target = reach(root, view, place->path, place->directory, place->above);
  if (target < 0) return errno;
  by_fd(target, to);
  int failed;
  if (place->kind == PLACE_OWN) failed = mount_own(place->path, to, processes);
  else if (place->kind == PLACE_HIDDEN) failed = hide(to, place->directory, empty);
  else failed = mount(by_fd(place->source, from), to, NULL, MS_BIND | MS_REC, NULL);   // MS_REC: what is mounted there may not be uncovered
  int error = failed ? errno : 0;
  close(target);
  return error;
}

static int put_link(int root, const struct view *view, const struct place *place) {
  char parent[PATH_MAX];
  const char *name = strrchr(place->path, '/') + 1;
  size_t length = (size_t)(name - place->path);
  snprintf(parent, sizeof parent, "%.*s", (int)(length > 1 ? length - 1 : 1), place->path);
  int at = reach(root, view, parent, true, place->above);
  if (at < 0) return errno;
  int error = symlinkat(place->target, at, name) == 0 || errno == EEXIST ? 0 : errno;
  close(at);
  return error;
}

static int make_empty(int root) {
  int fd = openat(root, FURNISH_EMPTY + 1, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
  if (fd < 0) return -1;
  close(fd);
  return openat(root, FURNISH_EMPTY + 1, WALK);
}

// Hidden files come last: what is shown in their place lies in the view.
int furnish(int root, const struct view *view, bool processes, const char **path) {
  int empty = -1, error = 0;
  mode_t mask = umask(0);
  for (int pass = 0; pass < 2 && error == 0; pass++) {
    if (pass == 1 && (empty = make_empty(root)) < 0) error = errno;
    for (size_t i = 0; i < view->count && error == 0; i++) {
      const struct place *place = &view->places[i];
      if (strcmp(place->path, "/") == 0 || (place->kind == PLACE_HIDDEN && !place->directory) != (pass == 1)) continue;
      error = place->kind == PLACE_LINK ? put_link(root, view, place) : put(root, view, place, processes, empty);
      if (error != 0) *path = place->path;
    }
  }
  umask(mask);
  if (empty >= 0) close(empty);
  return error;
}

// ---- read-only -----------------------------------------------------------------------------------------------------

static unsigned long wanted(const struct view *view, const char *path) {
  int nearest = view_nearest(view, path);
  if (nearest < 0) return MS_RDONLY | MS_NOSUID | MS_NODEV;
  const struct place *place = &view->places[nearest];
  bool itself = strcmp(place->path, path) == 0;
  switch (place->kind) {
  case PLACE_WRITE: case PLACE_BOUND: return MS_NOSUID | MS_NODEV;
  case PLACE_DEVICE: return MS_RDONLY | MS_NOSUID;
  case PLACE_OWN:
    if (strcmp(place->path, "/proc") == 0) return MS_RDONLY | MS_NOSUID;
    return itself && strcmp(path, "/dev") == 0 ? MS_RDONLY | MS_NOSUID : 0;
  default: return MS_RDONLY | MS_NOSUID | MS_NODEV;
  }
}

struct locking { const struct view *view; bool check; const char *at; };

// One mount. What another mount covers cannot be reached, by nobody inside: it may stay as it is.
static int lock_one(const struct mounted *mounted, void *context) {
  struct locking *locking = context;
  unsigned long want = wanted(locking->view, mounted->path);
  if ((mounted->flags & want) == want) return 0;
  int fd = pin_open(AT_FDCWD, mounted->path);
  if (fd < 0) return pin_absent(errno) || errno == ELOOP ? 0 : errno;
  char text[32];
  int error = 0;
  if (mountinfo_id(fd) == mounted->id) {
    // flags that the mount has are repeated: taking one away would be refused; access times stay as they are without any
    bool failed = locking->check || mount(NULL, by_fd(fd, text), NULL, MS_REMOUNT | MS_BIND | mounted->flags | want, NULL) != 0;
    error = !failed ? 0 : locking->check ? EPERM : errno;
    if (error != 0) snprintf((char *)locking->at, PATH_MAX, "%s", mounted->path);
  }
  close(fd);
  return error;
}

int furnish_lock(const struct view *view, const char **path) {
  static char at[PATH_MAX];
  int error = 0;
  for (int pass = 0; pass < 2 && error == 0; pass++) {
    struct locking locking = { view, pass == 1, at };
    error = mountinfo_each(lock_one, &locking);
  }
  *path = at;
  return error;
}
