// Every call of every command passes here, so the numbers are searched as a tree: seven comparisons instead of seventy. Since 5.11 the
// kernel remembers which numbers it always lets pass; older ones run the tree each time.
#define _GNU_SOURCE
#include "filter.h"
#include "calls.h"
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#endif

#define NUMBERS 512                       // all that have a meaning are below; x32 sets bit 30
#define ERRNO(error) (SECCOMP_RET_ERRNO | (error))
#define TIOCSTI_ 0x5412u                  // types into a terminal
#define TIOCLINUX_ 0x541cu                // pastes into a console
// all CLONE_NEW but NEWTIME, which clone(2) cannot carry
#define NEW_NAMESPACES 0x7e020000u

// What is decided by an argument, before `pass` is.
enum check { NO_CHECK, CHECK_IOCTL, CHECK_SOCKET, CHECK_SOCKETPAIR, CHECK_CLONE, CHECK_EXEC, CHECK_OPEN, CHECK_OPENAT, CHECK_PRLIMIT };

struct verdict { uint32_t pass; enum check check; };

struct plan {
  unsigned wants;
  struct verdict verdicts[NUMBERS + 1];   // the last one: everything above
  unsigned starts[NUMBERS + 2], runs;     // neighbours of one verdict are one run
  struct filter *out;
};

static const int16_t refused[] = {
  SYS_keyctl, SYS_add_key, SYS_request_key, SYS_open_by_handle_at, SYS_bpf, SYS_perf_event_open, SYS_userfaultfd,
  SYS_kexec_load, SYS_kexec_file_load, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_acct, SYS_swapon, SYS_swapoff,
  SYS_reboot,
#ifdef SYS_iopl
  SYS_iopl, SYS_ioperm,
#endif
};
static const int16_t absent[] = { SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register };
static const int16_t of_namespaces[] = {
  SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_unshare, SYS_setns, SYS_open_tree, SYS_move_mount, SYS_fsopen, SYS_fsconfig,
  SYS_fsmount, SYS_fspick, SYS_mount_setattr, SYS_open_tree_attr,
};
static const int16_t of_ptrace[] = { SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_pidfd_getfd, SYS_process_madvise };

static void set_all(struct plan *plan, const int16_t *numbers, size_t count, uint32_t pass) {
  for (size_t i = 0; i < count; i++) plan->verdicts[numbers[i]] = (struct verdict){ pass, NO_CHECK };
}
#define SET_ALL(plan, numbers, pass) set_all(plan, numbers, sizeof numbers / sizeof *numbers, pass)

static void stop_at_paths(struct plan *plan) {
  if ((plan->wants & (FILTER_TRACE | FILTER_NOTIFY)) == 0) return;
  uint32_t stop = plan->wants & FILTER_TRACE ? SECCOMP_RET_TRACE : SECCOMP_RET_USER_NOTIF;
  for (size_t i = 0; i < call_count; i++) plan->verdicts[calls[i].number].pass = stop;
  plan->verdicts[SYS_connect].pass = stop;
  if (plan->wants & FILTER_TRACE) {
    set_all(plan, traced_calls, traced_call_count, stop);
  } else if ((plan->wants & FILTER_NOTIFY_EXEC) == 0) {
    plan->verdicts[SYS_execve].pass = plan->verdicts[SYS_execveat].pass = SECCOMP_RET_ALLOW;
  } else {
    plan->verdicts[SYS_execve].check = CHECK_EXEC;
  }
}

static void decide(struct plan *plan) {
  for (unsigned i = 0; i <= NUMBERS; i++) plan->verdicts[i] = (struct verdict){ SECCOMP_RET_ALLOW, NO_CHECK };
  stop_at_paths(plan);
  plan->verdicts[SYS_ioctl].check = CHECK_IOCTL;
  plan->verdicts[SYS_socket].check = CHECK_SOCKET;
  plan->verdicts[SYS_socketpair].check = CHECK_SOCKETPAIR;
  plan->verdicts[SYS_prlimit64].check = CHECK_PRLIMIT;
  SET_ALL(plan, refused, ERRNO(EPERM));
  SET_ALL(plan, absent, ERRNO(ENOSYS));
  if (plan->wants & FILTER_NO_PTRACE) SET_ALL(plan, of_ptrace, ERRNO(EPERM));
  if (plan->wants & FILTER_NO_NAMESPACES) {
    SET_ALL(plan, of_namespaces, ERRNO(EPERM));
    plan->verdicts[SYS_clone].check = CHECK_CLONE;
    plan->verdicts[SYS_clone3].pass = ERRNO(ENOSYS);        // has its flags in memory; every libc falls back to clone
  }
  if (plan->wants & FILTER_NO_TRUNCATE) {
    plan->verdicts[SYS_truncate].pass = ERRNO(EACCES);
    plan->verdicts[SYS_openat2].pass = ERRNO(ENOSYS);       // has its flags in memory, too
    plan->verdicts[SYS_openat].check = CHECK_OPENAT;
#ifdef SYS_open
    plan->verdicts[SYS_open].check = CHECK_OPEN;
#endif
  }
}

static void add(struct plan *plan, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf) {
  struct filter *out = plan->out;
  if (out->length == sizeof out->code / sizeof *out->code) abort();         // all combinations are tested
  out->code[out->length++] = (struct sock_filter){ code, jt, jf, k };
}
static void give(struct plan *plan, uint32_t verdict) { add(plan, BPF_RET_K, verdict, 0, 0); }
static void load(struct plan *plan, size_t offset) { add(plan, BPF_LD_W_ABS, (uint32_t)offset, 0, 0); }
// The kernel takes these arguments as 32 bits, whatever the upper half holds.
static void load_argument(struct plan *plan, int which) { load(plan, offsetof(struct seccomp_data, args) + (size_t)which * 8); }
static void give_if(struct plan *plan, uint16_t how, uint32_t value, uint32_t verdict) {
  add(plan, how, value, 0, 1);
  give(plan, verdict);
}
static void give_unless(struct plan *plan, uint16_t how, uint32_t value, uint32_t verdict) {
  add(plan, how, value, 1, 0);
  give(plan, verdict);
}

static void check_socket(struct plan *plan, uint32_t pass) {
  unsigned wants = plan->wants;
  load_argument(plan, 0);
  if (wants & FILTER_NO_UNIX) give_if(plan, BPF_JEQ_K, AF_UNIX, ERRNO(EPERM));
  if (wants & (FILTER_NO_NETWORK | FILTER_OWN_NETWORK)) {
    give_if(plan, BPF_JEQ_K, AF_NETLINK, pass);
    if (wants & FILTER_OWN_NETWORK && !(wants & FILTER_NO_NETWORK)) {
      give_if(plan, BPF_JEQ_K, AF_INET, pass);
      give_if(plan, BPF_JEQ_K, AF_INET6, pass);
    }
    give_unless(plan, BPF_JEQ_K, AF_UNIX, ERRNO(EACCES));
  }
}

// A datagram socket is sent to any name without connecting: sendto of one half of a pair reaches the system's log.
static void refuse_datagrams(struct plan *plan, uint32_t pass) {
  if ((plan->wants & (FILTER_NO_UNIX | FILTER_NOTIFY)) == 0) return;
  load_argument(plan, 0);
  give_unless(plan, BPF_JEQ_K, AF_UNIX, pass);
  load_argument(plan, 1);
  add(plan, BPF_AND_K, 0xf, 0, 0);        // SOCK_NONBLOCK and SOCK_CLOEXEC lie above
  give_if(plan, BPF_JEQ_K, SOCK_DGRAM, ERRNO(EPERM));
  give_if(plan, BPF_JEQ_K, SOCK_RAW, ERRNO(EPERM));         // the same thing for unix sockets
}

// Truncating needs the right to write, which Landlock below ABI 3 only asks for where the file is opened for writing: O_RDONLY|O_TRUNC
// passes with the right to read, and access mode 3 ("for ioctl") with no right at all.
static void check_open(struct plan *plan, int flags, uint32_t pass) {
  load_argument(plan, flags);
  give_unless(plan, BPF_JSET_K, O_TRUNC, pass);
  add(plan, BPF_AND_K, O_ACCMODE & 3, 0, 0);
  give_if(plan, BPF_JEQ_K, O_RDONLY, ERRNO(EACCES));
  give_if(plan, BPF_JEQ_K, 3, ERRNO(EACCES));
}

// The limits of others of the same user, the stub for one, could be set to nothing: no level looks at that. Reading them is harmless.
static void check_prlimit(struct plan *plan, uint32_t pass) {
  load_argument(plan, 0);
  give_if(plan, BPF_JEQ_K, 0, pass);      // its own
  load_argument(plan, 2);                 // a pointer: both halves
  give_unless(plan, BPF_JEQ_K, 0, ERRNO(EPERM));
  load(plan, offsetof(struct seccomp_data, args[2]) + 4);
  give_unless(plan, BPF_JEQ_K, 0, ERRNO(EPERM));
}

static void add_verdict(struct plan *plan, struct verdict verdict) {
  switch (verdict.check) {
  case NO_CHECK: break;
  case CHECK_IOCTL:
    load_argument(plan, 1);
    give_if(plan, BPF_JEQ_K, TIOCSTI_, ERRNO(EPERM));
    give_if(plan, BPF_JEQ_K, TIOCLINUX_, ERRNO(EPERM));
    break;
  case CHECK_SOCKET:
    check_socket(plan, verdict.pass);
    refuse_datagrams(plan, verdict.pass);
    break;
  case CHECK_SOCKETPAIR: refuse_datagrams(plan, verdict.pass); break;
  case CHECK_CLONE:
    load_argument(plan, 0);
    give_if(plan, BPF_JSET_K, NEW_NAMESPACES, ERRNO(EPERM));
    break;
  case CHECK_EXEC:
    load_argument(plan, 3);
    give_if(plan, BPF_JEQ_K, EXEC_UNSEEN, SECCOMP_RET_ALLOW);
    break;
  case CHECK_PRLIMIT: check_prlimit(plan, verdict.pass); break;
  case CHECK_OPEN: check_open(plan, 1, verdict.pass); break;
  case CHECK_OPENAT: check_open(plan, 2, verdict.pass); break;
  }
  give(plan, verdict.pass);
}

static void find_runs(struct plan *plan) {
  plan->runs = 0;
  for (unsigned i = 0; i <= NUMBERS; i++) {
    const struct verdict *this = &plan->verdicts[i], *before = this - 1;
    if (i == 0 || this->pass != before->pass || this->check != before->check) plan->starts[plan->runs++] = i;
  }
}

// The runs [first, end) as a tree. A conditional jump reaches 255 instructions.
static void add_tree(struct plan *plan, unsigned first, unsigned end) {
  if (end - first == 1) {
    add_verdict(plan, plan->verdicts[plan->starts[first]]);
    return;
  }
  struct filter *out = plan->out;
  unsigned middle = (first + end) / 2, at = out->length;
  add(plan, BPF_JGE_K, plan->starts[middle], 0, 0);
  add_tree(plan, first, middle);
  unsigned left = out->length - at - 1u;
  if (left <= 255) {
    out->code[at].jt = (uint8_t)left;
  } else {
    add(plan, BPF_JA_K, 0, 0, 0);         // room for one more
    memmove(out->code + at + 2, out->code + at + 1, left * sizeof *out->code);
    out->code[at].jf = 1;
    out->code[at + 1] = (struct sock_filter){ BPF_JA_K, 0, 0, left };
  }
  add_tree(plan, middle, end);
}

void filter_build(struct filter *filter, unsigned wants) {
  struct plan plan = { .wants = wants, .out = filter };
  filter->length = 0;
  decide(&plan);
  find_runs(&plan);
  load(&plan, offsetof(struct seccomp_data, arch));
  give_unless(&plan, BPF_JEQ_K, NATIVE, SECCOMP_RET_KILL_PROCESS);          // other numbers would walk past the list
  load(&plan, offsetof(struct seccomp_data, nr));
  give_if(&plan, BPF_JGE_K, X32_SYSCALL_BIT, ERRNO(ENOSYS));
  add_tree(&plan, 0, plan.runs);
}

int filter_apply(const struct filter *filter, int *listener) {
  struct sock_fprog program = { filter->length, (struct sock_filter *)filter->code };
  if (listener == NULL) {
    // Without the flag kernels below 5.16 slow down all of the command against a leak between its own threads.
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS) return errno;
    return prctl(PR_SET_SECCOMP, PR_SET_SECCOMP_FILTER, &program) == 0 ? 0 : errno;
  }
  unsigned flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
  long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &program);
  if (fd < 0 && errno == EINVAL) fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
  if (fd < 0) return errno;
  *listener = (int)fd;
  return 0;
}
