#include "supervise.h"
#include "asks.h"
#include "blocked.h"
#include "../confine/confine.h"
#include "../confine/guard.h"
#include "../confine/notify.h"

static const struct notify_hooks hooks = { .ask = asks_raise, .blocked = blocked_note };
static const struct asks_callers callers = { .answered = notify_answered, .waiting = notify_waiting };

void supervise_begin(const struct start_request *request, const struct policy *policy, int listener) {
  asks_begin(request->base, request->ask_wait_ms, &callers);
  notify_begin(listener, policy, request->level, &hooks);
}

void supervise_trace(const struct start_request *request, const struct policy *policy) {
  static const struct asks_callers tracer = { .answered = guard_answered, .waiting = guard_waiting };
  asks_begin(request->base, request->level & LEVEL_ASK ? request->ask_wait_ms : 0, &tracer);
  guard_begin(policy, &hooks);
}
