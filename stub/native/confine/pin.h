// Opening what was approved, and nothing that was put in its place: no link anywhere in the path, and the same inode.
// openat2(RESOLVE_NO_SYMLINKS) where the kernel has it (5.6), else component by component with O_PATH|O_NOFOLLOW.
#ifndef PIN_H
#define PIN_H
#include "policy.h"

// O_PATH|O_CLOEXEC descriptor of the canonical absolute path below the directory descriptor `root` (AT_FDCWD: the root).
// -1 with errno: ENOENT, ENOTDIR, EACCES, ELOOP (a link), EINVAL (not canonical).
int pin_open(int root, const char *path);

// The same for an entry, by its kind's rules (`sys`, `dev` and `sock` follow links), with its identity compared.
// -1 with errno as above; ESTALE: something else lies there, a link for one. For `ro-file`/`rw-file` it is the file, and the parent is
// compared; a directory in the place of the file is something else.
int pin_entry(const struct entry *entry);

// Whether such an error says that there is nothing, or nothing that this user reaches: then there is nothing to grant either.
bool pin_absent(int error);

#endif
