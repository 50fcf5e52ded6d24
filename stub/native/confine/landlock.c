#define _GNU_SOURCE
#include "landlock.h"
#include "kernel.h"
#include "pin.h"
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  EXECUTE = 1 << 0, WRITE_FILE = 1 << 1, READ_FILE = 1 << 2, READ_DIR = 1 << 3, MAKE_CHAR = 1 << 6, MAKE_BLOCK = 1 << 11,
  ABI_1 = (1 << 13) - 1,
  REFER = 1 << 13,                        // ABI 2: links and moves between directories; without it they answer EXDEV
  TRUNCATE = 1 << 14,                     // ABI 3
  IOCTL_DEV = 1 << 15,                    // ABI 5
};
#define OF_FILES (EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV)      // the others are refused for what is no directory
#define ALL_TCP 3u                        // ABI 4: bind and connect
#define ALL_SCOPES 3u                     // ABI 6: abstract unix sockets and signals of others

static int limit = INT_MAX;

void landlock_limit(int abi) { limit = abi; }

int landlock_abi(void) {
  long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return abi < 0 ? 0 : abi < limit ? (int)abi : limit;
}

static uint64_t handled_by(int abi) {
  return ABI_1 | (abi >= 2 ? REFER : 0) | (abi >= 3 ? TRUNCATE : 0) | (abi >= 5 ? IOCTL_DEV : 0);
}

static uint64_t rights_of(enum entry_kind kind) {
  switch (kind) {
  case ENTRY_SYS: case ENTRY_RO: case ENTRY_RO_FILE: return EXECUTE | READ_FILE | READ_DIR;
  case ENTRY_DEV: return READ_FILE | WRITE_FILE | READ_DIR | TRUNCATE | IOCTL_DEV;
  case ENTRY_RW: case ENTRY_RW_FILE: case ENTRY_BIND: return (ABI_1 | REFER | TRUNCATE | IOCTL_DEV) & ~(MAKE_CHAR | MAKE_BLOCK);
  case ENTRY_SOCK: case ENTRY_HIDE: return 0;               // a socket is connected to, not opened; nothing can be taken away below a root
  }
  return 0;
}

// 0, or -1 with errno.
static int add_rule(int ruleset, const struct entry *entry, uint64_t handled) {
  uint64_t rights = rights_of(entry->kind) & handled;
  if (rights == 0) return 0;
  int fd = pin_entry(entry);
  if (fd < 0) return pin_absent(errno) ? 0 : -1;
  struct stat found;
  int failed = fstat(fd, &found);
  if (failed == 0) {
    if (!S_ISDIR(found.st_mode)) rights &= OF_FILES;
    struct landlock_path_beneath_attr rule = { .allowed_access = rights, .parent_fd = fd };
    failed = (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    // EBADFD: /dev/stdin leads to a pipe or a socket; those need no right
    if (failed != 0 && errno == EBADFD && entry->kind <= ENTRY_DEV) failed = 0;
  }
  int error = errno;
  close(fd);
  errno = error;
  return failed;
}

int landlock_build(const struct policy *policy, const char **path) {
  int abi = landlock_abi();
  if (abi == 0) { errno = EOPNOTSUPP; return -1; }
  struct landlock_ruleset_attr handled = { .handled_access_fs = handled_by(abi) };
  if (abi >= 4 && policy->no_network) handled.handled_access_net = ALL_TCP;
  if (abi >= 6) handled.scoped = ALL_SCOPES;
  size_t known = abi >= 6 ? sizeof handled : abi >= 4 ? offsetof(struct landlock_ruleset_attr, scoped) : sizeof(uint64_t);
  int ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, known, 0);      // CLOEXEC by itself
  if (ruleset < 0) return -1;
  for (const struct entry *e = policy->entries; e < policy->entries + policy->count; e++)
    if (add_rule(ruleset, e, handled.handled_access_fs) != 0) {
      int error = errno;
      *path = e->path;
      close(ruleset);
      errno = error;
      return -1;
    }
  return ruleset;
}

int landlock_apply(int ruleset) { return syscall(SYS_landlock_restrict_self, ruleset, 0) == 0 ? 0 : errno; }
