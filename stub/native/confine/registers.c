#define _GNU_SOURCE
#include "registers.h"
#include <elf.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#ifndef NT_ARM_SYSTEM_CALL
#define NT_ARM_SYSTEM_CALL 0x404
#endif

static bool get(pid_t task, struct user_regs_struct *regs) {
  struct iovec part = { regs, sizeof *regs };
  return ptrace(PTRACE_GETREGSET, task, (void *)NT_PRSTATUS, &part) == 0;
}

static bool set(pid_t task, struct user_regs_struct *regs) {
  struct iovec part = { regs, sizeof *regs };
  return ptrace(PTRACE_SETREGSET, task, (void *)NT_PRSTATUS, &part) == 0;
}

#if defined(__x86_64__)

bool registers_read(pid_t task, struct registers *out) {
  struct user_regs_struct regs;
  if (!get(task, &regs)) return false;
  *out = (struct registers){ (long)regs.orig_rax, { regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9 } };
  return true;
}

bool registers_refuse(pid_t task, int error) {
  struct user_regs_struct regs;
  if (!get(task, &regs)) return false;
  regs.orig_rax = (unsigned long)-1;      // no such call: the kernel skips it and leaves the result as it is here
  regs.rax = (unsigned long)-error;
  return set(task, &regs);
}

#elif defined(__aarch64__)

bool registers_read(pid_t task, struct registers *out) {
  struct user_regs_struct regs;
  if (!get(task, &regs)) return false;
  out->number = (int)regs.regs[8];
  for (int i = 0; i < 6; i++) out->arguments[i] = regs.regs[i];
  return true;
}

bool registers_refuse(pid_t task, int error) {
  struct user_regs_struct regs;
  int none = -1;                          // the number is a register of its own here: x8 is only where it was passed
  struct iovec part = { &none, sizeof none };
  if (!get(task, &regs)) return false;
  regs.regs[0] = (unsigned long long)-error;
  return set(task, &regs) && ptrace(PTRACE_SETREGSET, task, (void *)NT_ARM_SYSTEM_CALL, &part) == 0;
}

#else
#error "no registers for this architecture"
#endif
