// The kernel resolves, by an O_PATH open of ours. Only what a link of /proc means depends on who asks; so where any link was on the
// way (the result is not what the text says), the path is walked again component by component, and those links are read as the
// other process's.
#define _GNU_SOURCE
#include "resolve.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PROC_MAGIC 0x9fa0
enum { LINKS_MAX = 40, ON_PATH = O_PATH | O_CLOEXEC };

// ---- names of descriptors --------------------------------------------------------------------------------------------

static bool read_link(const char *path, char real[REAL_ROOM]) {
  ssize_t n = readlink(path, real, REAL_ROOM - 1);
  if (n <= 0 || n >= PATH_MAX) return false;
  real[n] = 0;
  return real[0] == '/';                  // else a pipe, a socket, an inode without a name
}

static bool name_of(int fd, char real[REAL_ROOM]) {
  char link[40];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  return read_link(link, real);
}

// Not the name of what was removed: that leads nowhere, or to something new.
static bool living_name_of(int fd, char real[REAL_ROOM]) {
  static const char mark[] = " (deleted)";
  struct stat found;
  if (!name_of(fd, real)) return false;
  size_t length = strlen(real);
  return length < sizeof mark || strcmp(real + length - (sizeof mark - 1), mark) != 0 || fstat(fd, &found) != 0 || found.st_nlink > 0;
}

static bool append(char real[REAL_ROOM], const char *name, size_t length) {
  size_t at = strlen(real);
  if (at == 1) at = 0;                    // the root
  if (at + 1 + length >= REAL_ROOM) return false;
  real[at] = '/';
  memcpy(real + at + 1, name, length);
  real[at + 1 + length] = 0;
  return true;
}

// Where a relative path starts.
static void start_of(const struct meant *meant, char link[48]) {
  if (meant->directory == AT_FDCWD) snprintf(link, 48, "/proc/%d/cwd", (int)meant->task);
  else snprintf(link, 48, "/proc/%d/fd/%d", (int)meant->task, meant->directory);
}

// ---- the quick way ---------------------------------------------------------------------------------------------------

// `path` behind `real`, as if there were no links.
static bool spell(char real[REAL_ROOM], const char *path) {
  for (; *(path += strspn(path, "/")) != 0; path += strcspn(path, "/")) {
    size_t length = strcspn(path, "/");
    if (length == 1 && path[0] == '.') continue;
    if (length == 2 && path[0] == '.' && path[1] == '.') {
      char *slash = strrchr(real, '/');
      slash[slash == real ? 1 : 0] = 0;
    } else if (!append(real, path, length)) {
      return false;
    }
  }
  return true;
}

// True: no link was on the way.
static bool resolve_plain(const struct meant *meant, char real[REAL_ROOM]) {
  char from[48], whole[PATH_MAX + 64], spelled[REAL_ROOM] = "/";
  const char *path = meant->path;
  if (path[0] != '/') {
    start_of(meant, from);
    if (!read_link(from, spelled)) return false;
    snprintf(whole, sizeof whole, "%s/%s", from, path);
    path = whole;
  }
  if (!spell(spelled, meant->path)) return false;
  int fd = open(path, ON_PATH);
  if (fd < 0) return false;
  bool plain = name_of(fd, real) && strcmp(real, spelled) == 0;
  close(fd);
  errno = 0;
  return plain;
}

// ---- the exact way ---------------------------------------------------------------------------------------------------

struct walk {
  const struct meant *meant;
  int at;                                 // where it stands
  int links;
  char rest[2 * PATH_MAX];
};

static pid_t process_of(pid_t task) {
  char path[40], text[512];
  int process = task;
  snprintf(path, sizeof path, "/proc/%d/status", (int)task);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  if (n <= 0) return task;
  text[n] = 0;
  const char *line = strstr(text, "\nTgid:");
  if (line != NULL) sscanf(line, "\nTgid: %d", &process);
  return process;
}

static bool move(struct walk *w, int next) {
  if (next < 0) return false;
  close(w->at);
  w->at = next;
  return true;
}

static bool insert(struct walk *w, const char *target) {
  size_t length = strlen(target), rest = strlen(w->rest);
  if (length + 1 + rest >= sizeof w->rest || ++w->links > LINKS_MAX) return false;
  memmove(w->rest + length + 1, w->rest, rest + 1);
  memcpy(w->rest, target, length);
  w->rest[length] = '/';
  return target[0] != '/' || move(w, open("/", ON_PATH));
}

static bool is_in_proc(int at) {
  struct statfs system;
  return fstatfs(at, &system) == 0 && system.f_type == PROC_MAGIC;
}

// Links that the kernel follows without a text are those below /proc/PID. The directory's name in `real`, and whose it is; else 0.
static pid_t owner_of_links(int at, char real[REAL_ROOM]) {
  if (!is_in_proc(at) || !name_of(at, real) || strncmp(real, "/proc/", 6) != 0) return 0;
  return (pid_t)atoi(real + 6);
}

static bool follow_text(struct walk *w, int link, const char *name) {
  char target[PATH_MAX];
  pid_t task = w->meant->task;
  bool whose = is_in_proc(w->at);
  ssize_t n;
  if (whose && strcmp(name, "self") == 0) n = snprintf(target, sizeof target, "%d", (int)process_of(task));
  else if (whose && strcmp(name, "thread-self") == 0) n = snprintf(target, sizeof target, "%d/task/%d", (int)process_of(task), (int)task);
  else n = readlinkat(link, "", target, sizeof target - 1);
  if (n <= 0) return false;
  target[n] = 0;
  return insert(w, target);
}

// The link `name`, opened as `link`, in the directory where the walk stands. As `step`.
static bool follow(struct walk *w, int link, const char *name, char real[REAL_ROOM], bool *found) {
  pid_t owner = owner_of_links(w->at, real);
  if (owner == 0) return follow_text(w, link, name);
  if (w->meant->reaches == NULL || owner == process_of(w->meant->task) || w->meant->reaches(owner))
    return ++w->links <= LINKS_MAX && move(w, openat(w->at, name, ON_PATH));
  *found = append(real, name, strlen(name));
  return false;
}

// One component. True: there is more to do. Else `*found` says whether `real` is the answer.
static bool step(struct walk *w, char real[REAL_ROOM], bool *found) {
  char name[NAME_MAX + 1];
  char *text = w->rest + strspn(w->rest, "/");
  size_t length = strcspn(text, "/");
  *found = length == 0 && living_name_of(w->at, real);
  if (length == 0 || length > NAME_MAX) return false;
  memcpy(name, text, length);
  name[length] = 0;
  memmove(w->rest, text + length, strlen(text + length) + 1);
  bool last = w->rest[strspn(w->rest, "/")] == 0;
  if (strcmp(name, ".") == 0) return true;

  int next = openat(w->at, name, ON_PATH | O_NOFOLLOW);
  if (next < 0) {
    *found = errno == ENOENT && last && w->meant->create && name_of(w->at, real) && append(real, name, length);
    return false;
  }
  struct stat kind;
  if (fstat(next, &kind) != 0 || !S_ISLNK(kind.st_mode)) return move(w, next);
  bool more = follow(w, next, name, real, found);
  close(next);
  return more;
}

static bool resolve_exactly(const struct meant *meant, char real[REAL_ROOM]) {
  struct walk w = { .meant = meant, .links = 0 };
  char from[48] = "/";
  bool found = false;
  if (meant->path[0] != '/') start_of(meant, from);
  if (strlen(meant->path) >= PATH_MAX) return false;
  strcpy(w.rest, meant->path);
  w.at = open(from, ON_PATH);
  if (w.at < 0) return false;
  while (step(&w, real, &found)) {}
  close(w.at);
  return found;
}

// ----------------------------------------------------------------------------------------------------------------------

static bool depends_on_asker(const char *path) {
  return strncmp(path, "/proc/self", 10) == 0 || strncmp(path, "/proc/thread-self", 17) == 0 || strncmp(path, "/dev/", 5) == 0;
}

static bool resolve_name(const struct meant *meant, char real[REAL_ROOM]);

// What will be new where nothing is yet: its directory is there. False also where a link to nothing lies there.
static bool resolve_new(const struct meant *meant, char real[REAL_ROOM]) {
  if (!resolve_name(meant, real)) return false;
  int fd = open(real, ON_PATH | O_NOFOLLOW);
  if (fd < 0) return errno == ENOENT;
  close(fd);
  return false;
}

static bool resolve_followed(const struct meant *meant, char real[REAL_ROOM]) {
  if (!depends_on_asker(meant->path)) {
    if (resolve_plain(meant, real)) return true;
    if (errno == ENOENT && resolve_new(meant, real)) return meant->create;
  }
  return resolve_exactly(meant, real);
}

// The directory that a name lies in, and the name behind it.
static bool resolve_name(const struct meant *meant, char real[REAL_ROOM]) {
  char parent[PATH_MAX];
  size_t end = strlen(meant->path);
  if (end >= PATH_MAX) return false;
  while (end > 0 && meant->path[end - 1] == '/') end--;
  size_t begin = end;
  while (begin > 0 && meant->path[begin - 1] != '/') begin--;
  const char *name = meant->path + begin;
  size_t length = end - begin;
  if (length == 0 || (name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.')))) return resolve_followed(meant, real);
  memcpy(parent, meant->path, begin);
  parent[begin] = 0;
  struct meant above = { .task = meant->task, .directory = meant->directory, .path = begin > 0 ? parent : "." };
  return length <= NAME_MAX && resolve_followed(&above, real) && append(real, name, length);
}

// A name without a directory, the most usual case: where it starts has a canonical name, so one look at it says the rest.
// False: that does not say it.
static bool resolve_child(const struct meant *meant, char real[REAL_ROOM], struct stat *found, int *error) {
  char from[48];
  const char *name = meant->path;
  if (strchr(name, '/') != NULL || name[0] == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return false;
  start_of(meant, from);
  if (!read_link(from, real) || !append(real, name, strlen(name))) return false;
  *error = lstat(real, found) == 0 ? 0 : errno;
  return *error == ENOENT || (*error == 0 && (meant->name || !S_ISLNK(found->st_mode)));
}

bool resolve(const struct meant *meant, char real[REAL_ROOM], bool *absent) {
  struct stat found;
  int error = 0;
  bool may_be_absent = meant->name || meant->create;
  *absent = false;
  if (resolve_child(meant, real, &found, &error)) {
    *absent = error == ENOENT;
    errno = error;
    return !*absent || may_be_absent;
  }
  errno = 0;
  if (!(meant->name ? resolve_name(meant, real) : resolve_followed(meant, real))) return false;
  if (may_be_absent) *absent = lstat(real, &found) != 0 && errno == ENOENT;
  return true;
}
