#define _GNU_SOURCE
#include "confine.h"
#include "built.h"
#include "capabilities.h"
#include "guard.h"
#include "landlock.h"
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static const struct namespaces NO_NAMESPACES = { -1, -1, -1, -1, false };

unsigned confine_filter_wants(unsigned level, bool no_network) {
  unsigned wants = FILTER_NO_NAMESPACES;
  if (level & LEVEL_GUARD) wants |= FILTER_TRACE | FILTER_NO_PTRACE;
  else wants |= level & LEVEL_ASK ? FILTER_NOTIFY | FILTER_NOTIFY_EXEC : FILTER_NO_UNIX;
  // at `mount` what was approved to read is mounted read-only
  if ((level & (LEVEL_LANDLOCK | LEVEL_MOUNT)) == LEVEL_LANDLOCK && landlock_abi() < 3) wants |= FILTER_NO_TRUNCATE;
  // Landlock refuses TCP from ABI 4 on, but no other protocol
  if (no_network) wants |= level & LEVEL_MOUNT ? FILTER_OWN_NETWORK : FILTER_NO_NETWORK;
  return wants;
}

static void close_all(const int *fds, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (fds[i] >= 0) close(fds[i]);
}

void confine_close(struct confinement *c) {
  const int fds[] = { c->ruleset, c->namespaces.user, c->namespaces.mount, c->namespaces.ipc, c->namespaces.network };
  close_all(fds, sizeof fds / sizeof *fds);
  policy_free(&c->policy);
  c->ruleset = -1;
  c->namespaces = NO_NAMESPACES;
}

static const char *start(struct confinement *out, unsigned level) {
  memset(out, 0, sizeof *out);
  out->level = level;
  out->ruleset = -1;
  out->namespaces = NO_NAMESPACES;
  return "policy";
}

static int finish(struct confinement *out, int error) {
  if (error == 0) filter_build(&out->filter, confine_filter_wants(out->level, out->policy.no_network));
  else confine_close(out);
  return error;
}

static int build_parts(struct confinement *out, const char **stage, const char **path) {
  if (out->level & LEVEL_MOUNT) {
    struct built built;
    int error = namespace_build(&out->policy, out->level & LEVEL_LANDLOCK, &built, stage, path);
    out->ruleset = built.ruleset;
    out->namespaces = built.namespaces;
    return error;
  }
  if (out->level & LEVEL_LANDLOCK) {
    *stage = "landlock";
    out->ruleset = landlock_build(&out->policy, path);
    if (out->ruleset < 0) return errno;
  }
  if (out->level & LEVEL_GUARD) {
    *stage = "guard";
    return guard_check(&out->policy, path);
  }
  return 0;
}

int confine_build(struct confinement *out, unsigned level, char *policy, size_t length, const char **stage, const char **path) {
  *stage = start(out, level);
  *path = NULL;
  if (level == 0) return 0;
  if (policy_parse(policy, length, &out->policy) != 0) return EINVAL;
  return finish(out, build_parts(out, stage, path));
}

int confine_adopt(struct confinement *out, unsigned level, char *policy, size_t length, int ruleset, struct namespaces namespaces) {
  start(out, level);
  out->ruleset = ruleset;
  out->namespaces = namespaces;
  if (level == 0) return 0;
  return finish(out, policy_parse(policy, length, &out->policy) == 0 ? 0 : EINVAL);
}

int confine_restrict(const struct confinement *c, int *listener, const char **stage) {
  if (c->level == 0) return 0;
  *stage = "capabilities";
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  int error = capabilities_drop();
  if (error != 0) return error;
  *stage = "landlock";
  if (c->level & LEVEL_LANDLOCK) error = landlock_apply(c->ruleset);
  if (error != 0) return error;
  *stage = "seccomp";
  return filter_apply(&c->filter, c->level & LEVEL_ASK && !(c->level & LEVEL_GUARD) ? listener : NULL);
}
