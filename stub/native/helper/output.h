// What a command prints, from its two pipes into its two logs and on to the stub. 0 is stdout, 1 is stderr.
#ifndef OUTPUT_H
#define OUTPUT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Makes the pipes. Returns 0 or an errno.
int output_prepare(void);

// Where the logs are and how much both together may hold; 0: no limit.
void output_init(const char *base, uint64_t cap);

// The ends that the command gets, and to close them here once it has them.
int output_end_of_command(unsigned stream);
void output_launched(int record);

// To be polled for reading; -1 at its end.
int output_fd(unsigned stream);

// Reads a piece of one stream into its log and tells the stub. False at its end, or if nothing is there.
bool output_pump(unsigned stream);

// What the pipes hold at this moment; a child that goes on printing does not keep the shell's end from being told.
void output_drain(void);

// All that the pipes hold, once nobody is left to write more.
void output_finish(void);

// What did not go inline: how far the log goes. False if it waits for room in the socket; `now`: it is queued in any case,
// which is done once, before the end.
bool output_tell_growth(bool now);

// True once after output went inline, and `started` with it.
bool output_took_queue(void);

// Bytes printed by both.
uint64_t output_total(void);

// `"stdout": bytes printed … "errno": why` for the end record. Returns what snprintf does.
int output_describe(char *text, size_t room);

#endif
