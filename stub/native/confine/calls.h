// The system calls that name a file: where their paths stand, and what they do there. The filter stops them (filter.h), the tracer
// and the supervisor read them. Left out is what only looks (stat, access, readlink: the gap `stat`), and what needs a capability.
#ifndef CALLS_H
#define CALLS_H
#include <stddef.h>
#include <stdint.h>

enum call_how {
  CALL_READ = 1,
  CALL_WRITE = 2,
  CALL_NAME = 4,                          // acts on the name: a link at its end is not followed
  CALL_OPEN = 8,                          // the O_ flags decide; with FLAGS_NONE it is creat
  CALL_MAKES = 16,                        // a new name: where something is already, it fails with EEXIST
  CALL_INTO = 32,                         // a name that may be there or not; all others must be
};

enum call_flags {
  FLAGS_NONE,
  FLAGS_OPEN,
  FLAGS_HOW,                              // in a struct open_how
  FLAGS_AT,                               // AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH
  FLAGS_LINK,                             // AT_SYMLINK_FOLLOW
};

struct call_path {
  int8_t directory;                       // the argument that holds the descriptor it starts from; -1: the working directory
  int8_t path;                            // the argument that points to it
  uint8_t how;                            // 0: there is no second path
};

struct call {
  int16_t number;
  uint8_t flags_kind;
  int8_t flags;                           // the argument that holds them
  struct call_path paths[2];
  const char *operation;                  // for people and records
};

extern const struct call calls[];
extern const size_t call_count;

// What the tracer of level `guard` looks at besides: sockets with a name, signals to others.
extern const int16_t traced_calls[];
extern const size_t traced_call_count;

// NULL: it names no file.
const struct call *call_find(long number);

#endif
