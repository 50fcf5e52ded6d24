// The mounts that this process sees, from /proc/self/mountinfo.
#ifndef MOUNTINFO_H
#define MOUNTINFO_H

struct mounted {
  int id;
  const char *path;                       // where, from the root of this process
  unsigned long flags;                    // MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC
};

// Calls `each` for every one until it returns an errno. Returns that, or an errno of its own, or 0.
int mountinfo_each(int (*each)(const struct mounted *mounted, void *context), void *context);

// The id of the mount that an open descriptor is in; -1: unknown.
int mountinfo_id(int fd);

#endif
