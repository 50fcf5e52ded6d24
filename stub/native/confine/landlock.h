// Level `landlock`: rights on inodes, held by the kernel for a process and all its descendants.
#ifndef LANDLOCK_H
#define LANDLOCK_H
#include "policy.h"

// ABI of the running kernel; 0 where there is none.
int landlock_abi(void);

// From now on no more than this ABI is used, as on an older kernel. For tests.
void landlock_limit(int abi);

// A rule set for the policy, from ABI 1 on. Returns a descriptor (CLOEXEC) that any process may apply any number of times, or -1
// with errno (ESTALE: an approval no longer names what was approved; `*path` is set then). What the ABI lacks is left out here:
// filter.h closes it or confine_gaps names it.
int landlock_build(const struct policy *policy, const char **path);

// Applies it to this thread (no_new_privs must be set). Only a system call, so it may follow vfork. 0 or an errno.
int landlock_apply(int ruleset);

#endif
