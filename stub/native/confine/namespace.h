// Level `mount`: a view of the file system that holds nothing but what was approved. The user, mount (and ipc, network) namespaces are
// built once per policy; each command enters them and gets a pid namespace of its own.
// Only calls that Linux 4.18 has, newer ones where they are there.
#ifndef NAMESPACE_H
#define NAMESPACE_H
#include "policy.h"
#include <sys/types.h>

struct namespaces { int user, mount, ipc, network; };      // descriptors (CLOEXEC); -1: none

// In a process that may block. The calling process stays where it is (a child builds). 0 or an errno; ESTALE: an approval no longer
// names what was approved, `*path` set; `*stage` names the step for people.
int namespace_build(const struct policy *policy, struct namespaces *out, const char **stage, const char **path);

// Enters them for good, in a private copy of the mounts, with a fresh /proc for a new pid namespace whose first process is the child
// that the caller forks next (see launch.c). 0 or an errno.
int namespace_enter(const struct namespaces *in);

// In that child, pid 1: mounts its /proc, drops every capability. 0 or an errno.
int namespace_settle(void);

#endif
