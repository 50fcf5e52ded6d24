// The few structures and numbers of the kernel's interface that are used here: musl has no kernel headers, and the build machine's
// may be older than the kernels that this runs on. Names are the kernel's own.
#ifndef KERNEL_H
#define KERNEL_H
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

// Since 5.0 new calls have one number on every architecture.
#ifndef SYS_open_tree
#define SYS_open_tree 428
#endif
#ifndef SYS_move_mount
#define SYS_move_mount 429
#endif
#ifndef SYS_fsopen
#define SYS_fsopen 430
#endif
#ifndef SYS_fsconfig
#define SYS_fsconfig 431
#endif
#ifndef SYS_fsmount
#define SYS_fsmount 432
#endif
#ifndef SYS_fspick
#define SYS_fspick 433
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467
#endif
#ifndef SYS_setxattrat
#define SYS_setxattrat 463
#endif
#ifndef SYS_removexattrat
#define SYS_removexattrat 466
#endif
#ifndef SYS_file_setattr
#define SYS_file_setattr 469
#endif

// Classic BPF, as seccomp runs it.
struct sock_filter { uint16_t code; uint8_t jt, jf; uint32_t k; };
struct sock_fprog { unsigned short len; struct sock_filter *filter; };
struct seccomp_data { int nr; uint32_t arch; uint64_t instruction_pointer; uint64_t args[6]; };

#define BPF_LD_W_ABS 0x20                 // A = word at k
#define BPF_JEQ_K 0x15                    // A == k
#define BPF_JGE_K 0x35                    // A >= k
#define BPF_JSET_K 0x45                   // A & k
#define BPF_JA_K 0x05                     // forward by k
#define BPF_AND_K 0x54                    // A &= k
#define BPF_RET_K 0x06

#define SECCOMP_SET_MODE_FILTER 1
#define SECCOMP_GET_ACTION_AVAIL 2
#define SECCOMP_FILTER_FLAG_SPEC_ALLOW 4u                   // 4.17
#define SECCOMP_FILTER_FLAG_NEW_LISTENER 8u
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV 32u        // 5.19
#define SECCOMP_RET_KILL_PROCESS 0x80000000u
#define SECCOMP_RET_ERRNO 0x00050000u
#define SECCOMP_RET_USER_NOTIF 0x7fc00000u
#define SECCOMP_RET_TRACE 0x7ff00000u
#define SECCOMP_RET_ALLOW 0x7fff0000u
#define PR_SET_SECCOMP_FILTER 2           // prctl(PR_SET_SECCOMP, this, …): kernels before seccomp(2), 3.17

#define AUDIT_ARCH_X86_64 0xc000003eu
#define AUDIT_ARCH_AARCH64 0xc00000b7u
#define X32_SYSCALL_BIT 0x40000000u

// User notification (5.0), descriptors added to the one who waits (5.9).
struct seccomp_notif { uint64_t id; uint32_t pid, flags; struct seccomp_data data; };
struct seccomp_notif_resp { uint64_t id; int64_t val; int32_t error; uint32_t flags; };
struct seccomp_notif_addfd { uint64_t id; uint32_t flags, srcfd, newfd, newfd_flags; };
#define SECCOMP_USER_NOTIF_FLAG_CONTINUE 1u               // 5.5
#define SECCOMP_ADDFD_FLAG_SETFD 1u
#define SECCOMP_ADDFD_FLAG_SEND 2u                        // 5.14: adds and answers in one step
#define SECCOMP_IOCTL_NOTIF_RECV _IOWR('!', 0, struct seccomp_notif)
#define SECCOMP_IOCTL_NOTIF_SEND _IOWR('!', 1, struct seccomp_notif_resp)
#define SECCOMP_IOCTL_NOTIF_ID_VALID _IOW('!', 2, uint64_t)
#define SECCOMP_IOCTL_NOTIF_ADDFD _IOW('!', 3, struct seccomp_notif_addfd)
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS _IOW('!', 4, uint64_t)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP 1u              // 6.6: who is told runs at once, where it was told

// Landlock (5.13).
struct landlock_ruleset_attr { uint64_t handled_access_fs, handled_access_net, scoped; };
struct __attribute__((packed)) landlock_path_beneath_attr { uint64_t allowed_access; int32_t parent_fd; };
#define LANDLOCK_CREATE_RULESET_VERSION 1u
#define LANDLOCK_RULE_PATH_BENEATH 1

// openat2 (5.6).
struct kernel_open_how { uint64_t flags, mode, resolve; };
#define RESOLVE_NO_XDEV 0x01u
#define RESOLVE_NO_MAGICLINKS 0x02u
#define RESOLVE_NO_SYMLINKS 0x04u
#define RESOLVE_BENEATH 0x08u
#define RESOLVE_IN_ROOT 0x10u

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4u            // 5.11
#endif

// Capabilities.
struct kernel_cap_header { uint32_t version; int pid; };
struct kernel_cap_data { uint32_t effective, permitted, inheritable; };
#define CAPABILITY_VERSION_3 0x20080522u

#endif
