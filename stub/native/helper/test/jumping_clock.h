// A clock that somebody sets all the time: included before every source of the helper, with JUMPING naming the clock that
// jumps by an hour with each millisecond.
#define _GNU_SOURCE
#include <time.h>

static inline int jumping_clock_gettime(clockid_t which, struct timespec *out) {
  int failed = clock_gettime(which, out);
  if (which == JUMPING) {
    long ms = out->tv_sec % 1000000 * 1000 + out->tv_nsec / 1000000;
    out->tv_sec += ms * 3600;
  }
  return failed;
}
#define clock_gettime jumping_clock_gettime
