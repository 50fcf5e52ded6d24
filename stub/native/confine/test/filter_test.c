// The filter as the kernel would run it: a small interpreter of its code, so that every number is asked at every combination of wants,
// also where no filter can be applied (qemu-user). filter_kernel_test.c applies it.
#define _GNU_SOURCE
#include "../filter.h"
#include "../calls.h"
#include "check.h"
#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#define FOREIGN 0x40000003u               // i386
#else
#define NATIVE AUDIT_ARCH_AARCH64
#define FOREIGN 0x40000028u               // AArch32
#endif
#define ALL_WANTS (2 * FILTER_NOTIFY_EXEC - 1)
#define ALLOW SECCOMP_RET_ALLOW
#define ERRNO(error) (SECCOMP_RET_ERRNO | (error))
#define NEWUSER 0x10000000

static struct filter filter;
static unsigned steps;

static uint32_t run(const struct seccomp_data *data) {
  uint32_t a = 0;
  steps = 0;
  for (size_t at = 0; at < filter.length; at++, steps++) {
    const struct sock_filter *i = &filter.code[at];
    switch (i->code) {
    case BPF_LD_W_ABS:
      CHECK(i->k % 4 == 0 && i->k < sizeof *data);
      memcpy(&a, (const char *)data + i->k, sizeof a);
      break;
    case BPF_AND_K: a &= i->k; break;
    case BPF_JA_K: at += i->k; break;
    case BPF_JEQ_K: at += a == i->k ? i->jt : i->jf; break;
    case BPF_JGE_K: at += a >= i->k ? i->jt : i->jf; break;
    case BPF_JSET_K: at += a & i->k ? i->jt : i->jf; break;
    case BPF_RET_K: return i->k;
    default: CHECK(!"known code");
    }
  }
  CHECK(!"ends with a verdict");
}

static uint32_t verdict(long nr, uint64_t a0, uint64_t a1, uint64_t a2) {
  struct seccomp_data data = { .nr = (int)nr, .arch = NATIVE, .args = { a0, a1, a2 } };
  return run(&data);
}
static uint32_t plain(long nr) { return verdict(nr, 0, 0, 0); }

static void fits_and_always_ends(void) {
  for (unsigned wants = 0; wants <= ALL_WANTS; wants++) {
    filter_build(&filter, wants);
    CHECK(filter.length <= sizeof filter.code / sizeof *filter.code);
    for (long nr = -1; nr < 600; nr++) {
      plain(nr);
      CHECK(steps <= 24);
    }
  }
}

static void refuses_other_abis(void) {
  for (unsigned wants = 0; wants <= ALL_WANTS; wants++) {
    filter_build(&filter, wants);
    struct seccomp_data data = { .nr = SYS_getpid, .arch = FOREIGN };
    CHECK(run(&data) == SECCOMP_RET_KILL_PROCESS);
    CHECK(plain((long)X32_SYSCALL_BIT + SYS_getpid) == ERRNO(ENOSYS));
    CHECK(plain(-1) == ERRNO(ENOSYS));
  }
}

static void refuses_the_base_everywhere(void) {
  static const long refused[] = { SYS_keyctl, SYS_add_key, SYS_request_key, SYS_open_by_handle_at, SYS_bpf, SYS_perf_event_open,
    SYS_userfaultfd, SYS_kexec_load, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_reboot, SYS_swapon, SYS_acct };
  for (unsigned wants = 0; wants <= ALL_WANTS; wants++) {
    filter_build(&filter, wants);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) CHECK(plain(refused[i]) == ERRNO(EPERM));
    CHECK(plain(SYS_io_uring_setup) == ERRNO(ENOSYS) && plain(SYS_io_uring_enter) == ERRNO(ENOSYS));
    CHECK(verdict(SYS_ioctl, 0, 0x5412, 0) == ERRNO(EPERM));
    CHECK(verdict(SYS_ioctl, 0, 0x7700000000005412, 0) == ERRNO(EPERM));      // the kernel reads 32 bits of it
    CHECK(verdict(SYS_ioctl, 0, 0x541c, 0) == ERRNO(EPERM));
    CHECK(verdict(SYS_ioctl, 0, 0x5413, 0) == ALLOW);
    CHECK(verdict(SYS_prlimit64, 0, 7, 0x7ffe00000010) == ALLOW);
    CHECK(verdict(SYS_prlimit64, 4711, 7, 0) == ALLOW);
    CHECK(verdict(SYS_prlimit64, 4711, 7, 0x7ffe00000010) == ERRNO(EPERM));
    CHECK(verdict(SYS_prlimit64, 4711, 7, 0x7ffe00000000) == ERRNO(EPERM));
    CHECK(plain(SYS_read) == ALLOW && plain(SYS_getpid) == ALLOW && plain(SYS_exit_group) == ALLOW && plain(511) == ALLOW);
    CHECK(plain(600) == ALLOW);           // calls to come: the level decides
  }
}

static void closes_namespaces(void) {
  filter_build(&filter, FILTER_NO_NAMESPACES);
  static const long refused[] = { SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_unshare, SYS_setns, SYS_open_tree,
    SYS_move_mount, SYS_fsopen, SYS_fsmount, SYS_fspick, SYS_mount_setattr, SYS_open_tree_attr };
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) CHECK(plain(refused[i]) == ERRNO(EPERM));
  CHECK(verdict(SYS_clone, NEWUSER | 17, 0, 0) == ERRNO(EPERM));
  CHECK(verdict(SYS_clone, 17, 0, 0) == ALLOW);
  CHECK(verdict(SYS_clone, 0x3d0f00, 0, 0) == ALLOW);       // a thread
  CHECK(plain(SYS_clone3) == ERRNO(ENOSYS));
  filter_build(&filter, 0);
  CHECK(plain(SYS_unshare) == ALLOW && verdict(SYS_clone, NEWUSER, 0, 0) == ALLOW);
}

static void closes_unix_sockets(void) {
  filter_build(&filter, FILTER_NO_UNIX);
  CHECK(verdict(SYS_socket, AF_UNIX, SOCK_STREAM, 0) == ERRNO(EPERM));
  CHECK(verdict(SYS_socket, AF_UNIX | 1ull << 32, SOCK_STREAM, 0) == ERRNO(EPERM));
  CHECK(verdict(SYS_socket, AF_INET, SOCK_STREAM, 0) == ALLOW && verdict(SYS_socket, AF_INET, SOCK_DGRAM, 0) == ALLOW);
  CHECK(verdict(SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) == ALLOW);
  CHECK(verdict(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET, 0) == ALLOW);
  CHECK(verdict(SYS_socketpair, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) == ERRNO(EPERM));
  CHECK(verdict(SYS_socketpair, AF_UNIX, SOCK_RAW, 0) == ERRNO(EPERM));
  filter_build(&filter, FILTER_NOTIFY);   // connect is looked at; sendto is not
  CHECK(verdict(SYS_socket, AF_UNIX, SOCK_STREAM, 0) == ALLOW);
  CHECK(verdict(SYS_socket, AF_UNIX, SOCK_DGRAM, 0) == ERRNO(EPERM));
  CHECK(verdict(SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0) == ERRNO(EPERM));
}

static void closes_the_network(void) {
  filter_build(&filter, FILTER_NO_NETWORK);
  static const int others[] = { AF_INET, AF_INET6, AF_PACKET, AF_VSOCK, 43 /* SMC: TCP by another name */, AF_BLUETOOTH, 0, 100 };
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    CHECK(verdict(SYS_socket, (uint64_t)others[i], SOCK_STREAM, 0) == ERRNO(EACCES));
  CHECK(verdict(SYS_socket, AF_UNIX, SOCK_STREAM, 0) == ALLOW && verdict(SYS_socket, AF_NETLINK, SOCK_RAW, 0) == ALLOW);
  filter_build(&filter, FILTER_OWN_NETWORK);
  CHECK(verdict(SYS_socket, AF_INET, SOCK_STREAM, 0) == ALLOW && verdict(SYS_socket, AF_INET6, SOCK_DGRAM, 0) == ALLOW);
  CHECK(verdict(SYS_socket, AF_UNIX, SOCK_STREAM, 0) == ALLOW);
  CHECK(verdict(SYS_socket, AF_VSOCK, SOCK_STREAM, 0) == ERRNO(EACCES));
  filter_build(&filter, FILTER_OWN_NETWORK | FILTER_NO_UNIX);
  CHECK(verdict(SYS_socket, AF_UNIX, SOCK_STREAM, 0) == ERRNO(EPERM) && verdict(SYS_socket, AF_INET, SOCK_STREAM, 0) == ALLOW);
}

static void closes_truncation(void) {
  for (unsigned also = 0; also <= FILTER_NOTIFY; also += FILTER_NOTIFY) {
    uint32_t pass = also ? SECCOMP_RET_USER_NOTIF : ALLOW;
    filter_build(&filter, FILTER_NO_TRUNCATE | also);
    CHECK(plain(SYS_truncate) == ERRNO(EACCES));
    CHECK(plain(SYS_ftruncate) == ALLOW); // needs a descriptor that writes
    CHECK(plain(SYS_openat2) == ERRNO(ENOSYS));
    CHECK(verdict(SYS_openat, 0, 0, O_RDONLY | O_TRUNC) == ERRNO(EACCES));
    CHECK(verdict(SYS_openat, 0, 0, 3 | O_TRUNC) == ERRNO(EACCES));
    CHECK(verdict(SYS_openat, 0, 0, O_WRONLY | O_CREAT | O_TRUNC) == pass);
    CHECK(verdict(SYS_openat, 0, 0, O_RDWR | O_TRUNC) == pass);
    CHECK(verdict(SYS_openat, 0, 0, O_RDONLY) == pass);
#ifdef SYS_open
    CHECK(verdict(SYS_open, 0, O_RDONLY | O_TRUNC, 0) == ERRNO(EACCES) && verdict(SYS_open, 0, O_WRONLY | O_TRUNC, 0) == pass);
#endif
  }
}

static void stops_at_paths(void) {
  filter_build(&filter, FILTER_NOTIFY | FILTER_NO_NAMESPACES);
  for (size_t i = 0; i < call_count; i++) {
    bool exec = calls[i].number == SYS_execve || calls[i].number == SYS_execveat;
    CHECK(plain(calls[i].number) == (exec ? ALLOW : SECCOMP_RET_USER_NOTIF));
  }
  CHECK(plain(SYS_connect) == SECCOMP_RET_USER_NOTIF && plain(SYS_kill) == ALLOW && plain(SYS_unshare) == ERRNO(EPERM));
  filter_build(&filter, FILTER_NOTIFY | FILTER_NOTIFY_EXEC);
  CHECK(plain(SYS_execve) == SECCOMP_RET_USER_NOTIF);
  filter_build(&filter, FILTER_TRACE | FILTER_NO_PTRACE);
  for (size_t i = 0; i < call_count; i++) CHECK(plain(calls[i].number) == SECCOMP_RET_TRACE);
  for (size_t i = 0; i < traced_call_count; i++) CHECK(plain(traced_calls[i]) == SECCOMP_RET_TRACE);
  CHECK(plain(SYS_ptrace) == ERRNO(EPERM) && plain(SYS_process_vm_writev) == ERRNO(EPERM) && plain(SYS_pidfd_getfd) == ERRNO(EPERM));
}

const struct test filter_tests[] = {
  { "filter", "at every combination of wants it fits, every number has a verdict, within 24 steps", fits_and_always_ends },
  { "filter", "numbers of other ABIs never reach the list", refuses_other_abis },
  { "filter", "the base is refused at every level, ordinary calls pass", refuses_the_base_everywhere },
  { "filter", "no new namespaces, and no clone3, whose flags lie in memory", closes_namespaces },
  { "filter", "no foreign unix sockets, and no datagram pair, which reaches them without connecting", closes_unix_sockets },
  { "filter", "no network is no protocol at all, not only no TCP", closes_the_network },
  { "filter", "truncation is closed where Landlock lets it pass, O_RDONLY|O_TRUNC and access mode 3 too", closes_truncation },
  { "filter", "calls with a path are stopped for a supervisor or a tracer", stops_at_paths },
  { 0 },
};
