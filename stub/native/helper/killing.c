#include "killing.h"
#include "clock.h"
#include "tree.h"
#include "../confine/first.h"
#include <signal.h>
#include <stdio.h>

enum {
  PASS_MS = 20,                           // between two passes
  GIVE_UP_MS = 5000,                      // after the first: what lives now survives (uninterruptible, another user's)
  SURVIVORS_MAX = 32,
};

static uint64_t due, give_up_at;
static pid_t reaper;                      // 0: there is none

void killing_inside(pid_t pid) { reaper = pid; }

void killing_begin(pid_t group, uint64_t grace_ms) {
  if (due != 0) return;
  due = now_ms() + grace_ms;
  if (reaper != 0) return first_terminate(reaper);
  if (group != 0) {                       // not reaped, so its pid, and with it the group's id, is still its own
    kill(-group, SIGTERM);
    kill(-group, SIGCONT);
  }
  tree_signal(SIGTERM, group);
  tree_signal(SIGCONT, group);
}

uint64_t killing_due(void) { return due; }

bool killing_pass(pid_t group, char survivors[SURVIVORS_TEXT]) {
  uint64_t now = now_ms();
  if (give_up_at == 0) give_up_at = now + GIVE_UP_MS;
  if (group != 0 && reaper == 0) kill(-group, SIGKILL);
  if (reaper == 0) tree_signal(SIGKILL, 0);
  else kill(reaper, SIGKILL);
  due = now + PASS_MS;
  if (now < give_up_at) return false;
  struct process left[SURVIVORS_MAX];
  size_t room = SURVIVORS_TEXT, count = tree_descendants(left, SURVIVORS_MAX), at = 0;
  if (count > SURVIVORS_MAX) count = SURVIVORS_MAX;
  at += (size_t)snprintf(survivors, room, "[");
  for (size_t i = 0; i < count; i++)
    if (left[i].pid != reaper) at += (size_t)snprintf(survivors + at, room - at, "%s%d", at > 1 ? "," : "", (int)left[i].pid);
  snprintf(survivors + at, room - at, "]");
  return true;
}
