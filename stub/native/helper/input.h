// The stdin of a command that was started with a pipe there: who wants to write to it connects to the socket base.stdin. It is
// the helper that listens and counts, so neither the bytes nor their number depend on the stub: the next one connects again,
// and what it repeats is not written twice.
//
// Spoken there, little endian, one request after the other on one connection after the other:
//   request   u64 offset of the first byte (all ones: behind what was taken), u32 length (INPUT_MAX at most), u32 flags
//             (1: the end is behind these bytes), the bytes
//   answer    u64 bytes taken in all, u32 state, u32 zero; when all of it was taken, or nothing more will be
//             state 0 open, 1 ended, 2 the command reads no more, 3 the offset is behind a gap, 4 taken over
// A new connection takes over from one that is still there: a client that lost its link comes again before anybody noticed.
#ifndef INPUT_H
#define INPUT_H
#include <poll.h>

enum { INPUT_FDS = 3 };

// Makes pipe and socket. Returns 0 or an errno.
int input_open(const char *base);

// What the command gets as its stdin; -1: nothing was opened. Closed here by `input_launched`.
int input_end_of_command(void);
void input_launched(void);

// What is to be polled, and what to do then.
void input_poll(struct pollfd fds[INPUT_FDS]);
void input_serve(const struct pollfd fds[INPUT_FDS]);

void input_close(void);

#endif
