// Level `mount`: a view of the file system that holds nothing but what was approved. The user, mount (and ipc, network) namespaces are
// built once per policy; each command enters them and gets a pid namespace of its own.
// Only calls that Linux 4.18 has, newer ones where they are there.
#ifndef NAMESPACE_H
#define NAMESPACE_H
#include "policy.h"
#include <stdbool.h>
#include <sys/types.h>

struct namespaces {
  int user, mount, ipc, network;          // descriptors (CLOEXEC); -1: none
  bool processes;                         // each command gets a pid namespace; false where no /proc can be mounted (some containers)
};

struct built;                             // built.h: the namespaces, and the rule set for what they show

// In a process that may block. The calling process stays where it is (a child builds). With `landlock` the rule set is built, too:
// within the view, for it has a root of its own. 0 or an errno; ESTALE: an approval no longer names what was approved, `*path` set
// (valid until the next call); `*stage` names the step for people.
int namespace_build(const struct policy *policy, bool landlock, struct built *out, const char **stage, const char **path);

// Enters them for good, in a private copy of the mounts. Where there are to be `processes` the next child of this process is the first
// of a new pid namespace. 0 or an errno. Only system calls.
int namespace_enter(const struct namespaces *in);

// What every process in there does before it goes on: gives up all capabilities but those of root's ordinary work. 0 or an errno.
int namespace_drop_capabilities(void);

// In that child: mounts its /proc, where there are `processes`. 0 or an errno.
int namespace_show_processes(const struct namespaces *in);

// In the child that becomes a program: hides again what was replaced since it was hidden, drops the capabilities. 0 or an errno.
int namespace_settle(const struct policy *policy);

#endif
