// A command of root's has no capabilities. What is done for it by a process that has them is done without.
#ifndef UNPRIVILEGED_H
#define UNPRIVILEGED_H
#include "kernel.h"
#include <stdbool.h>

struct privileges { bool any; struct kernel_cap_data sets[2]; };

void unprivileged(struct privileges *saved);
void privileged_again(const struct privileges *saved);

#endif
