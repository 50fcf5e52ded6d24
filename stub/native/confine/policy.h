// What one set of approvals lets a command reach. The stub writes it (stub/confinement/policy.ts), every level reads it.
//
// The bytes are strings with a NUL behind each: the version, then options and entries in any order. An entry is
// `KIND IDENTITY PATH`, its fields separated by one space (only the path may hold more of them).
//   "confine 1"
//   "option no-network"
//   "sys - /usr"              read and execute; links are followed; absent: passed over. The base set.
//   "dev - /dev/null"         read, write, ioctl; links are followed; absent: passed over
//   "sock - /run/nscd/socket" a unix socket that may be connected to; absent: passed over
//   "ro 2049:77 /opt/tools"   read and execute; the path is canonical, and DEV:INO must be what lies there
//   "rw 2049:99 /srv/app"     the same, and write
//   "ro-file 2049:5 /etc/x"   one file: DEV:INO are its parent's; the file itself may be absent
//   "rw-file 2049:5 /srv/y"   written in place; replacing it takes its directory
//   "hide - /home/u/.ssh"     below a root, and not to be reached (levels with `mount` only)
//   "bind 2049:8 /home/u/.opencode-remote-ssh/tmp/wrk_1 /tmp"   at `mount`: the first path is shown as the second, read and write
#ifndef POLICY_H
#define POLICY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum entry_kind { ENTRY_SYS, ENTRY_DEV, ENTRY_SOCK, ENTRY_RO, ENTRY_RW, ENTRY_RO_FILE, ENTRY_RW_FILE, ENTRY_HIDE, ENTRY_BIND };

struct entry {
  enum entry_kind kind;
  bool identified;                        // dev and ino count
  uint64_t dev, ino;                      // as stat has them
  const char *path;                       // absolute; points into the bytes
  const char *shown;                      // ENTRY_BIND: where; else NULL
};

struct policy {
  struct entry *entries;
  size_t count;
  bool no_network;
};

// Parses `length` bytes in place. Returns 0, or -1 if they are malformed (unknown words, relative paths, "." or ".." or an empty
// component in a path). The entries are allocated; the strings are not.
int policy_parse(char *bytes, size_t length, struct policy *out);

void policy_free(struct policy *policy);

// Absolute, and without ".", ".." and empty components.
bool policy_canonical(const char *path);

// Whether `path` is `root` or lies below it, both canonical. By component: /a/b is not above /a/bc.
bool policy_below(const char *path, const char *root);

// Pure: whether `path` (canonical, as this process sees it) may be read, or written. Approvals add up, as the kernel has it: a
// directory that may be read does not become less writable than the root above it. A `hide` takes away what is above it or is the same
// path; an entry below it gives again. The text decides: the target of a `sys` link counts only where it is named, too.
bool policy_covers(const struct policy *policy, const char *path, bool write);

#endif
