// Which levels work here, each found by being confined and trying to get out. Never by versions: a kernel that has a mechanism may
// refuse it, a hardened one or one in a container.
#ifndef PROBE_H
#define PROBE_H

// Prints one line of JSON (stub/confinement/levels.ts reads it) and returns an exit status:
//   {"landlockAbi":7,"notify":true,"levels":{"mount+landlock":{"ok":true},"mount":{"ok":false,"reason":"unshare: …","errno":1},…}}
int probe(void);

#endif
