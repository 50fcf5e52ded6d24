// How a command is ended: SIGTERM to its group and all that left it, after the grace SIGKILL to every descendant, again and
// again until none is left or nothing more can be done about the survivors.
#ifndef KILLING_H
#define KILLING_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { SURVIVORS_TEXT = 400 };            // of JSON

// The command lives in a pid namespace whose reaper (first.h) is this: it is killed there, wholly and for certain.
void killing_inside(pid_t reaper);

// Sends SIGTERM, once. `group`: the command's process group as long as its leader was not reaped, else 0.
void killing_begin(pid_t group, uint64_t grace_ms);

// When `killing_pass` is to be called, on the clock of `now_ms`; 0: nobody is to be killed.
uint64_t killing_due(void);

// One pass of SIGKILL. True when nothing more can be done: `survivors` then holds the pids as a JSON array.
bool killing_pass(pid_t group, char survivors[SURVIVORS_TEXT]);

#endif
