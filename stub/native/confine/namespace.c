// Level `mount` is not built yet: it cannot be had.
#include "namespace.h"
#include <errno.h>

int namespace_build(const struct policy *policy, struct namespaces *out, const char **stage, const char **path) {
  (void)policy; (void)stage; (void)path;
  *out = (struct namespaces){ -1, -1, -1, -1 };
  return ENOSYS;
}

int namespace_enter(const struct namespaces *in) { (void)in; return ENOSYS; }

int namespace_settle(void) { return ENOSYS; }
