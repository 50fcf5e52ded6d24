// The few structures and numbers of the kernel's interface that are used here: musl has no kernel headers, and the build machine's
// may be older than the kernels that this runs on.
#ifndef KERNEL_H
#define KERNEL_H
#include <stdint.h>

struct sock_filter { uint16_t code; uint8_t jt, jf; uint32_t k; };

#endif
