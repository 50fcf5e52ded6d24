// A command of root's keeps what ordinary work needs (chown, files of others, other users, low ports) and loses what leaves the
// confinement or changes the machine: mounts, modules, devices, tracing, clocks, networks.
#ifndef CAPABILITIES_H
#define CAPABILITIES_H

// Of this thread, for good (no_new_privs must be set); only system calls. 0 or an errno. Of an ordinary user: nothing to do.
int capabilities_drop(void);

#endif
