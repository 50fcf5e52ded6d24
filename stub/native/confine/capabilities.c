#define _GNU_SOURCE
#include "capabilities.h"
#include "kernel.h"
#include <errno.h>
#include <unistd.h>

enum { CHOWN, DAC_OVERRIDE, FOWNER = 3, FSETID, KILL, SETGID, SETUID, NET_BIND_SERVICE = 10 };
#define BIT(capability) (1u << (capability))
#define KEPT (BIT(CHOWN) | BIT(DAC_OVERRIDE) | BIT(FOWNER) | BIT(FSETID) | BIT(KILL) | BIT(SETGID) | BIT(SETUID) | BIT(NET_BIND_SERVICE))

int capabilities_drop(void) {
  struct kernel_cap_header header = { CAPABILITY_VERSION_3, 0 };
  struct kernel_cap_data has[2];          // 64 bits, in two halves
  if (syscall(SYS_capget, &header, has) != 0) return errno;
  if ((has[0].permitted | has[0].inheritable | has[1].permitted | has[1].inheritable) == 0) return 0;
  // The bounding set stays: with no_new_privs a program gets no more by exec than it had, root's neither, and dropping it takes 40 us.
  has[0].effective &= KEPT;
  has[0].permitted &= KEPT;
  has[0].inheritable &= KEPT;
  has[1] = (struct kernel_cap_data){ 0, 0, 0 };
  return syscall(SYS_capset, &header, has) == 0 ? 0 : errno;
}
