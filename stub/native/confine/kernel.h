// The few structures and numbers of the kernel's interface that are used here: musl has no kernel headers, and the build machine's
// may be older than the kernels that this runs on.
#ifndef KERNEL_H
#define KERNEL_H
#include <stdint.h>
#include <sys/syscall.h>

// Since 5.0 new calls have one number on every architecture.
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
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

struct sock_filter { uint16_t code; uint8_t jt, jf; uint32_t k; };

#endif
