#define _GNU_SOURCE
#include "named.h"
#include "grants.h"
#include "kernel.h"
#include "view.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
  PAGE = 4096,
  PIECE = 256,                            // divides a page; most paths are shorter
  READ_ONLY = 8,                          // beside enum named_how: where reading it is approved, no more has to be known
};

static const struct policy *view;
static int view_root = -1;                // the same for all processes of a command: none of them may change its root

void named_in_view(const struct policy *policy) { view = policy; }

bool named_copy(pid_t pid, uint64_t address, void *out, size_t length) {
  struct iovec to = { out, length }, from = { (void *)(uintptr_t)address, length };
  return process_vm_readv(pid, &to, 1, &from, 1, 0) == (ssize_t)length;
}

// Piece by piece, none over the end of a page: the string may end right before one that is not there.
bool named_read(pid_t pid, uint64_t address, char *out, size_t room) {
  for (size_t have = 0; have < room;) {
    size_t unit = have == 0 ? PIECE : PAGE, piece = unit - ((address + have) & (unit - 1));
    if (piece > room - have) piece = room - have;
    struct iovec to = { out + have, piece }, from = { (void *)(uintptr_t)(address + have), piece };
    ssize_t n = process_vm_readv(pid, &to, 1, &from, 1, 0);
    if (n <= 0) return false;
    if (memchr(out + have, 0, (size_t)n) != NULL) return true;
    have += (size_t)n;
  }
  return false;
}

static int pin_path(int at, const char *path, unsigned how, unsigned flags, uint64_t resolve) {
  struct kernel_open_how open = { .flags = O_PATH | O_CLOEXEC | flags, .resolve = RESOLVE_NO_MAGICLINKS | resolve };
  if (how & NAMED_NOFOLLOW) open.flags |= O_NOFOLLOW;
  return (int)syscall(SYS_openat2, at, path, &open, sizeof open);
}

// Splits off the last component. False where it is none that could be made.
static bool split(const char *path, char *directory, char *name) {
  const char *slash = strrchr(path, '/'), *last = slash == NULL ? path : slash + 1;
  if (*last == 0 || strcmp(last, ".") == 0 || strcmp(last, "..") == 0 || strlen(last) > NAME_MAX) return false;
  strcpy(name, last);
  if (slash == NULL) strcpy(directory, ".");
  else if (slash == path) strcpy(directory, "/");
  else {
    memcpy(directory, path, (size_t)(slash - path));
    directory[slash - path] = 0;
  }
  return true;
}

// The real path of what is pinned. False where it has none, or a removed one, or it need not be told.
static bool name_it(struct named *out, unsigned how) {
  char link[32];
  struct stat found;
  snprintf(link, sizeof link, "/proc/self/fd/%d", out->fd);
  ssize_t n = readlink(link, out->real, sizeof out->real);
  if (n <= 0 || n >= (ssize_t)sizeof out->real || out->real[0] != '/') return false;
  out->real[n] = 0;
  if (how & READ_ONLY && !out->absent && grants_look(out->real, false) == VERDICT_COVERED) return false;
  if (fstat(out->fd, &found) != 0 || found.st_nlink == 0) return false;
  out->type = found.st_mode & S_IFMT;
  if (!out->absent) return true;
  size_t length = n == 1 ? 0 : (size_t)n;
  if (length + 1 + strlen(out->name) >= sizeof out->real) return false;
  out->real[length] = '/';
  strcpy(out->real + length + 1, out->name);
  return true;
}

static enum found let_go(struct named *out) {
  if (out->fd >= 0) close(out->fd);
  out->fd = -1;
  return FOUND_NOT;
}

// From the directory `at`, which with RESOLVE_IN_ROOT is the root, too.
static enum found look(int at, const char *path, unsigned how, uint64_t resolve, struct named *out) {
  char directory[PATH_MAX];
  struct stat there;
  out->absent = false;
  out->fd = pin_path(at, path, how, 0, resolve);
  if (out->fd < 0 && errno == ENOENT && how & NAMED_CREATE && split(path, directory, out->name)) {
    out->absent = true;
    out->fd = pin_path(at, directory, 0, O_DIRECTORY, resolve);
    // a link that leads nowhere: making what it names is beyond what can be done for the command
    if (out->fd >= 0 && fstatat(out->fd, out->name, &there, AT_SYMLINK_NOFOLLOW) == 0) return let_go(out);
  }
  return out->fd >= 0 && name_it(out, how) ? FOUND : let_go(out);
}

static bool open_root(pid_t pid) {
  char link[32];
  snprintf(link, sizeof link, "/proc/%d/root", (int)pid);
  if (view_root < 0) view_root = open(link, O_PATH | O_DIRECTORY | O_CLOEXEC);
  return view_root >= 0;
}

// What `directory` (of `pid`) leads to, with the path behind it.
static bool absolute(pid_t pid, int at, const char *path, char *out) {
  char link[48];
  if (path[0] == '/') { strcpy(out, path); return true; }
  if (at == AT_FDCWD) snprintf(link, sizeof link, "/proc/%d/cwd", (int)pid);
  else snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)pid, at);
  ssize_t n = readlink(link, out, PATH_MAX - 1);
  if (n <= 0 || out[0] != '/' || (size_t)n + 1 + strlen(path) >= PATH_MAX) return false;
  out[n] = '/';
  strcpy(out + n + 1, path);
  return true;
}

// What the view shows under another name is named as the policy has it.
static void unshow(char *path) {
  char host[PATH_MAX];
  for (size_t i = 0; i < view->count; i++) {
    const struct entry *entry = &view->entries[i];
    if (entry->kind != ENTRY_BIND || !policy_below(path, entry->shown)) continue;
    if (snprintf(host, sizeof host, "%s%s", entry->path, path + strlen(entry->shown)) < (int)sizeof host) strcpy(path, host);
    return;
  }
}

// Whether the mount under what is pinned in the view is one to write to: an approved one, or one that is the command's alone.
static bool on_writable_mount(const struct named *named) {
  struct statvfs mount;
  return fstatvfs(named->fd, &mount) == 0 && !(mount.f_flag & ST_RDONLY);
}

static bool is_stand_in(const struct named *named) {
  struct stat found;
  return !named->absent && fstat(named->fd, &found) == 0 && view_is_stand_in(&found);
}

// Whether the view holds it, to be read, under what name it may be: the most usual case, so it costs as little as can be.
static bool may_be_read_in_view(const char *path, unsigned how) {
  struct stat found;
  int fd = pin_path(view_root, path, how, 0, RESOLVE_IN_ROOT);
  if (fd < 0) return false;
  bool held = fstat(fd, &found) == 0 && found.st_nlink > 0 && !view_is_stand_in(&found);
  close(fd);
  return held;
}

static enum found find_in_view(pid_t pid, int at, const char *path, unsigned how, struct named *out) {
  char text[PATH_MAX];
  if (!open_root(pid) || !absolute(pid, at, path, text) || policy_below(text, "/proc")) return FOUND_NOT;
  if (!(how & NAMED_WRITE) && may_be_read_in_view(text, how)) return FOUND_NOT;
  if (look(view_root, text, how, RESOLVE_IN_ROOT, out) == FOUND) {
    bool stands_in = is_stand_in(out);    // for what this view does not show: what the host has is meant
    bool held = !stands_in && !(how & NAMED_WRITE) && !out->absent;     // else all that the view holds may be read
    if (stands_in) how &= ~(unsigned)NAMED_CREATE;
    bool makes = !out->absent || grants_make_beside(out->real);         // else it is approved by its name, and the view cannot hold it
    if (!held && !stands_in) held = on_writable_mount(out) || (makes && grants_look(out->real, true) == VERDICT_COVERED);
    if (held) return let_go(out);
    let_go(out);
  }
  return look(AT_FDCWD, text, how, 0, out);
}

// Whether that path, which no link is on, is approved to be read: then its text says it all.
static bool may_be_read_as_written(pid_t pid, int at, const char *path) {
  char text[PATH_MAX];
  if (!absolute(pid, at, path, text) || !policy_canonical(text) || grants_look(text, false) != VERDICT_COVERED) return false;
  int fd = pin_path(AT_FDCWD, text, 0, 0, RESOLVE_NO_SYMLINKS);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

static enum found find_with_us(pid_t pid, int at, const char *path, unsigned how, struct named *out) {
  char link[48];
  if (path[0] == '/') return look(AT_FDCWD, path, how, 0, out);
  if (at == AT_FDCWD) snprintf(link, sizeof link, "/proc/%d/cwd", (int)pid);
  else snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)pid, at);
  int base = open(link, O_PATH | O_CLOEXEC);
  if (base < 0) return FOUND_NOT;
  enum found found = look(base, path, how, 0, out);
  close(base);
  return found;
}

enum found named_find(pid_t pid, int at, const char *path, unsigned how, struct named *out) {
  out->fd = -1;
  if (path[0] == 0) return FOUND_NOT;
  if (!(how & (NAMED_WRITE | NAMED_CREATE))) how |= READ_ONLY;
  if (view == NULL && how & READ_ONLY && may_be_read_as_written(pid, at, path)) return FOUND_NOT;
  enum found found = view != NULL ? find_in_view(pid, at, path, how, out) : find_with_us(pid, at, path, how, out);
  return found == FOUND && policy_below(out->real, "/proc") ? let_go(out) : found;
}

enum found named_descriptor(pid_t pid, int descriptor, struct named *out) {
  char link[48];
  snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)pid, descriptor);
  out->absent = false;
  out->fd = open(link, O_PATH | O_CLOEXEC);
  return out->fd >= 0 && name_it(out, 0) ? FOUND : let_go(out);
}

enum found named_inside(pid_t pid, int at, const char *path, unsigned how, struct named *out) {
  char text[PATH_MAX];
  out->fd = -1;
  if (view == NULL) return find_with_us(pid, at, path, how, out);
  if (!open_root(pid) || !absolute(pid, at, path, text)) return FOUND_NOT;
  if (look(view_root, text, how, RESOLVE_IN_ROOT, out) != FOUND) return FOUND_NOT;
  if (!policy_covers(view, out->real, true)) unshow(out->real);   // roots may lie below such a place
  return FOUND;
}
