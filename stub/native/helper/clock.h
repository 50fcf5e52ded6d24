// Limits and waits count on `now_ms` (or `now_us`), which nobody can set; `epoch_ms` is for people to read.
#ifndef CLOCK_H
#define CLOCK_H
#include <stdint.h>
#include <time.h>

static inline uint64_t clock_us(clockid_t which) {
  struct timespec t;
  clock_gettime(which, &t);
  return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static inline uint64_t now_us(void) { return clock_us(CLOCK_MONOTONIC); }
static inline uint64_t now_ms(void) { return clock_us(CLOCK_MONOTONIC) / 1000; }
static inline uint64_t epoch_ms(void) { return clock_us(CLOCK_REALTIME) / 1000; }

#endif
