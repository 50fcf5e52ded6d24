#define _GNU_SOURCE
#include "unprivileged.h"
#include <unistd.h>

void unprivileged(struct privileges *saved) {
  struct kernel_cap_header header = { CAPABILITY_VERSION_3, 0 };
  saved->any = syscall(SYS_capget, &header, saved->sets) == 0 && (saved->sets[0].effective | saved->sets[1].effective) != 0;
  if (!saved->any) return;
  struct kernel_cap_data none[2] = { saved->sets[0], saved->sets[1] };
  none[0].effective = none[1].effective = 0;
  syscall(SYS_capset, &header, none);
}

void privileged_again(const struct privileges *saved) {
  struct kernel_cap_header header = { CAPABILITY_VERSION_3, 0 };
  if (saved->any) syscall(SYS_capset, &header, saved->sets);
}
