// The system call that a stopped tracee is about to make, on each architecture.
#ifndef REGISTERS_H
#define REGISTERS_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct registers {
  long number;
  uint64_t arguments[6];
};

// False: it is gone.
bool registers_read(pid_t task, struct registers *out);

// The call is not made; it returns -`error`.
bool registers_refuse(pid_t task, int error);

#endif
