// The confinement of one command, put together from its parts: what is built once per policy, and what each command applies to itself.
//   stub: policy and level, tried by `helper confine --probe` -> build (once, cached by the spawner) -> enter, restrict (each command)
#ifndef CONFINE_H
#define CONFINE_H
#include "filter.h"
#include "namespace.h"
#include "policy.h"

enum confine_level {                      // bits; 0: nothing is applied (levels `static` and `off`)
  LEVEL_LANDLOCK = 1,
  LEVEL_MOUNT = 2,
  LEVEL_GUARD = 4,
  LEVEL_ASK = 8,                          // blocked calls are told to the supervisor, which asks (notify.h); with guard: its tracer asks
};

// Exit statuses of `helper confine` where nothing ran; 126 and 127 as a shell has them.
enum confine_exit {
  CONFINE_USAGE = 125,
  CONFINE_UNAVAILABLE = 124,              // the level cannot be had here
  CONFINE_MOVED = 123,                    // an approval no longer names what was approved
  CONFINE_DESCRIPTOR = 122,               // a file or directory is open as 0, 1 or 2
};

struct confinement {
  unsigned level;
  struct policy policy;
  int ruleset;                            // -1: none
  struct namespaces namespaces;
  struct filter filter;
};

// What one command needs: 0, or an errno with `*stage` ("policy", "landlock", "guard", "namespace", "capabilities", "seccomp") and for ESTALE
// `*path`. May block; never falls back to less than `level`.
// `policy` is parsed in place and must live as long as `out`. Level 0 builds nothing. On failure nothing is left open.
int confine_build(struct confinement *out, unsigned level, char *policy, size_t length, const char **stage, const char **path);

// The same with a rule set and namespaces that were built before, for the same policy and level. They belong to `out` then.
int confine_adopt(struct confinement *out, unsigned level, char *policy, size_t length, int ruleset, struct namespaces namespaces);

void confine_close(struct confinement *c);

// What the filter of a level closes on this kernel: bits of enum filter_want. Pure but for the ABI of the kernel.
unsigned confine_filter_wants(unsigned level, bool no_network);

// In the process that becomes the command, after its descriptors, directory and namespaces are set; only system calls.
// no_new_privs, capabilities, rule set, filter. `listener`: see filter_apply. 0 or an errno with `*stage`.
int confine_restrict(const struct confinement *c, int *listener, const char **stage);

#endif
