// What a call of another process names: its path, read out of its memory once, and pinned. What is pinned does not change under us,
// whatever the process does to its memory, its links or its directory meanwhile.
#ifndef NAMED_H
#define NAMED_H
#include "policy.h"
#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

enum named_how {
  NAMED_NOFOLLOW = 1,                     // a link at the end of the path is itself what is named
  NAMED_CREATE = 2,                       // what is absent may be made: its directory is pinned
  NAMED_WRITE = 4,
};

struct named {
  int fd;                                 // O_PATH|O_CLOEXEC: what was named or, with `absent`, its directory
  bool absent;
  mode_t type;                            // S_IFMT bits of `fd`
  char name[NAME_MAX + 1];                // of what is absent
  char real[PATH_MAX];                    // the real path, as this process sees it
};

enum found {
  FOUND,                                  // pinned; `fd` is the caller's to close
  FOUND_NOT,                              // what the kernel answers is right: nothing is there, or the command's own view holds it
};

// `policy`: the command has a view of the file system of its own (level `mount`), which that made; NULL: it has ours.
void named_in_view(const struct policy *policy);

// `at`: a descriptor of the process; AT_FDCWD: its working directory. Below /proc, and through one of its magic links, is always
// FOUND_NOT. With a view, so is what it holds and (with NAMED_WRITE) lets write to: the rest is looked for where the host has it. So is
// what is only to be read and approved for that (grants.h).
enum found named_find(pid_t pid, int at, const char *path, unsigned how, struct named *out);

// What a descriptor of the process is open on.
enum found named_descriptor(pid_t pid, int descriptor, struct named *out);

// What the command itself would find, in its view where it has one; `real` is as the policy names it.
enum found named_inside(pid_t pid, int at, const char *path, unsigned how, struct named *out);

// Reads a string of the process. False if it cannot be read, or is longer than `room`.
bool named_read(pid_t pid, uint64_t address, char *out, size_t room);

// Copies `length` bytes of the process. False if not all of them can be read.
bool named_copy(pid_t pid, uint64_t address, void *out, size_t length);

#endif
