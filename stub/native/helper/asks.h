// Asks of a running command. They are held here, by its helper: calls wait, while stubs come and go. At the first one the helper
// listens at the socket base.asks and says so with a report. Whoever connects is told what is pending; a new connection takes over
// from one that is still there, so two stubs never both ask.
//
// Spoken there, a line each:
//   helper   {"id":"per_…","path":…,"kind":"file"|"directory","access":"read"|"write","program":…,"operation":…}
//            {"id":"per_…","withdrawn":true}     who asked has gone, or it was answered
//   stub     allow|deny ID file|directory|tree   this path, its directory and what lies directly in it, all below that
// While a directory is asked about, whatever else in it needs the same access waits for the same answer.
#ifndef ASKS_H
#define ASKS_H
#include "../confine/notify.h"
#include <poll.h>
#include <stdint.h>

enum { ASKS_FDS = 2 };

// Whose calls wait: the supervisor (notify.h) or the tracer.
struct asks_callers {
  void (*answered)(unsigned ask);         // what is granted has changed: look again
  unsigned (*waiting)(unsigned ask);      // how many calls wait for it
};

// `wait_ms`: what no stub has taken for so long is denied; 0: everything is, at once.
void asks_begin(const char *base, uint32_t wait_ms, const struct asks_callers *callers);

// The ask that a call is to wait for; 0: it is refused.
unsigned asks_raise(const struct notify_question *question);

// True while the command waits for people: its time limit stands still.
bool asks_pending(void);

// The command is to be ended: whoever waits is refused, and nobody is asked any more.
void asks_cancel(void);

// On the clock of `now_ms`; 0: nothing is due.
uint64_t asks_due(void);
void asks_tick(void);

void asks_poll(struct pollfd fds[ASKS_FDS]);
void asks_serve(const struct pollfd fds[ASKS_FDS]);

void asks_close(void);

#endif
