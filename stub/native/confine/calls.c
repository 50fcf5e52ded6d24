#include "calls.h"
#include "kernel.h"

#define CWD -1
#define NAME (CALL_WRITE | CALL_NAME)
#define MADE (NAME | CALL_MAKES)
#define INTO (NAME | CALL_INTO)
#define ONE(number, directory, path, how, operation) { number, FLAGS_NONE, 0, { { directory, path, how }, { 0, 0, 0 } }, operation }
#define ONE_AT(number, directory, path, how, flags, operation) { number, FLAGS_AT, flags, { { directory, path, how }, { 0, 0, 0 } }, operation }
#define TWO(number, directory, path, directory2, path2, how, operation) \
  { number, FLAGS_NONE, 0, { { directory, path, NAME }, { directory2, path2, how } }, operation }

const struct call calls[] = {
  { SYS_openat, FLAGS_OPEN, 2, { { 0, 1, CALL_OPEN }, { 0, 0, 0 } }, "open" },
  { SYS_openat2, FLAGS_HOW, 2, { { 0, 1, CALL_OPEN }, { 0, 0, 0 } }, "open" },
  ONE(SYS_execve, CWD, 0, CALL_READ, "exec"),
  ONE_AT(SYS_execveat, 0, 1, CALL_READ, 4, "exec"),
  ONE(SYS_truncate, CWD, 0, CALL_WRITE, "truncate"),
  ONE(SYS_mkdirat, 0, 1, MADE, "mkdir"),
  ONE(SYS_mknodat, 0, 1, MADE, "mknod"),
  ONE(SYS_unlinkat, 0, 1, NAME, "unlink"),
  ONE(SYS_symlinkat, 1, 2, MADE, "symlink"),
  // A second name for a file is a way to write to it.
  { SYS_linkat, FLAGS_LINK, 4, { { 0, 1, NAME }, { 2, 3, MADE } }, "link" },
  TWO(SYS_renameat2, 0, 1, 2, 3, INTO, "rename"),
#ifdef SYS_renameat
  TWO(SYS_renameat, 0, 1, 2, 3, INTO, "rename"),
#endif
  ONE(SYS_fchmodat, 0, 1, CALL_WRITE, "chmod"),
  ONE_AT(SYS_fchmodat2, 0, 1, CALL_WRITE, 3, "chmod"),
  ONE_AT(SYS_fchownat, 0, 1, CALL_WRITE, 4, "chown"),
  ONE_AT(SYS_utimensat, 0, 1, CALL_WRITE, 3, "utime"),
  ONE(SYS_setxattr, CWD, 0, CALL_WRITE, "setxattr"),
  ONE(SYS_lsetxattr, CWD, 0, NAME, "setxattr"),
  ONE_AT(SYS_setxattrat, 0, 1, CALL_WRITE, 2, "setxattr"),
  ONE(SYS_removexattr, CWD, 0, CALL_WRITE, "removexattr"),
  ONE(SYS_lremovexattr, CWD, 0, NAME, "removexattr"),
  ONE_AT(SYS_removexattrat, 0, 1, CALL_WRITE, 2, "removexattr"),
  ONE_AT(SYS_file_setattr, 0, 1, CALL_WRITE, 4, "setattr"),
#ifdef SYS_open                           // what only older architectures have
  { SYS_open, FLAGS_OPEN, 1, { { CWD, 0, CALL_OPEN }, { 0, 0, 0 } }, "open" },
  ONE(SYS_creat, CWD, 0, CALL_OPEN, "open"),
  ONE(SYS_mkdir, CWD, 0, MADE, "mkdir"),
  ONE(SYS_rmdir, CWD, 0, NAME, "rmdir"),
  ONE(SYS_mknod, CWD, 0, MADE, "mknod"),
  ONE(SYS_unlink, CWD, 0, NAME, "unlink"),
  ONE(SYS_symlink, CWD, 1, MADE, "symlink"),
  TWO(SYS_link, CWD, 0, CWD, 1, MADE, "link"),
  TWO(SYS_rename, CWD, 0, CWD, 1, INTO, "rename"),
  ONE(SYS_chmod, CWD, 0, CALL_WRITE, "chmod"),
  ONE(SYS_chown, CWD, 0, CALL_WRITE, "chown"),
  ONE(SYS_lchown, CWD, 0, NAME, "chown"),
  ONE(SYS_utime, CWD, 0, CALL_WRITE, "utime"),
  ONE(SYS_utimes, CWD, 0, CALL_WRITE, "utime"),
  ONE(SYS_futimesat, 0, 1, CALL_WRITE, "utime"),
#endif
};

const size_t call_count = sizeof calls / sizeof *calls;

const int16_t traced_calls[] = {
  SYS_connect, SYS_bind, SYS_kill, SYS_tkill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_pidfd_open,
};
const size_t traced_call_count = sizeof traced_calls / sizeof *traced_calls;

const struct call *call_find(long number) {
  static uint8_t places[512];             // by number, 1 + place; filled at the first use
  static int filled;
  if (!filled) {
    for (size_t i = 0; i < call_count; i++) places[calls[i].number] = (uint8_t)(i + 1);
    filled = 1;
  }
  if (number < 0 || number >= (long)sizeof places || places[number] == 0) return NULL;
  return &calls[places[number] - 1];
}
