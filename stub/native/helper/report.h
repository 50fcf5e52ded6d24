// Frames to the stub, on the socket that all helpers of one spawner share. Nothing here ever blocks the command.
#ifndef REPORT_H
#define REPORT_H
#include "wire.h"
#include <stdbool.h>

void report_open(int fd, uint32_t id);

// Queues a small frame (at most 5 KiB). It leaves with the next send.
void report_queue(enum report_type type, unsigned stream, uint64_t offset, const void *payload, size_t length);

// Sends what is queued, and the bytes of a stream behind it. True: they are sent; false: nothing of them was,
// the caller says `grew` later. `length` at most INLINE_MAX.
bool report_output(unsigned stream, uint64_t offset, const void *payload, size_t length);

// Sends what is queued. True if nothing is left, or nobody listens any more.
bool report_flush(void);

// True as long as something waits for room in the socket; then poll `report_fd()` for writing.
bool report_waiting(void);
int report_fd(void);

// Waits until all is sent or the stub is gone. For the end of a helper, when no command can be held up.
void report_finish(void);

#endif
