// One command, from the fork of the spawner to the last descendant:
//   prepare (all that needs no request: a pooled helper did it long before) -> claim base.run -> launch -> pump until the
//   shell ends -> record it, report `end` -> pump on until no child is left -> `settled`
// A cancel or the time limit goes in between (killing.h).
#define _GNU_SOURCE
#include "helper.h"
#include "asks.h"
#include "blocked.h"
#include "clock.h"
#include "confining.h"
#include "input.h"
#include "json.h"
#include "killing.h"
#include "launch.h"
#include "output.h"
#include "place.h"
#include "record.h"
#include "report.h"
#include "supervise.h"
#include "tree.h"
#include "../confine/confine.h"
#include "../confine/first.h"
#include "../confine/guard.h"
#include "../confine/notify.h"
#include "../confine/pin.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  STARTED_DELAY_MS = 2,                   // a quick command says `started` and `end` in one send
  PATH_ROOM = 4096,
  END_ROOM = 1024 + BLOCKED_TEXT,
  STOPS_AT_ONCE = 64,                     // of tracees, before the pipes and the clock are looked at again
};
// What the loop polls.
enum { STDOUT, STDERR, SIGNALS, REPORTS, NOTIFY, INPUT, ASKS = INPUT + INPUT_FDS, FDS = ASKS + ASKS_FDS };
enum { FLAG_TIMED_OUT = 1, FLAG_ABORTED = 2, FLAG_LEFTOVERS = 4 /* cancelled after the shell had ended by itself */ };

static const struct start_request *request;
static struct confinement confinement;
static pid_t shell;
static struct reaper reaper;              // of its pid namespace (first.h); pid 0: there is none, or it has ended
static bool shell_ended, children_left, end_reported, started_queued;
static bool recorded;                     // the record says it all already, with the output as it was then
static uint64_t recorded_total;
static int record = -1;                   // base.run
static int prepare_error, prepared_record = -1;
static uint64_t start_time;               // of this process
static int wait_status, flags, signals;
static uint64_t started_ms, ended_ms;     // for people
static uint64_t launched_at, limit_at;    // 0: never
static uint64_t stands_since;             // the limit stands still while people are asked; 0: it runs
static size_t pending;
static bool stops_left;                   // more tracees may have stopped
static char run_path[PATH_ROOM + 16];

// ---- before the command runs ---------------------------------------------------------------------------------------

// `part` and `path` (NULL: none) say more of what failed.
static int fail_in(const char *stage, const char *part, const char *path, int error) {
  char text[1024], quoted[768];
  int n = snprintf(text, sizeof text, "{\"stage\":\"%s\",\"errno\":%d", stage, error);
  if (part != NULL) n += snprintf(text + n, sizeof text - (size_t)n, ",\"part\":\"%s\"", part);
  if (path != NULL && json_string(quoted, sizeof quoted, path) > 0) n += snprintf(text + n, sizeof text - (size_t)n, ",\"path\":%s", quoted);
  n += snprintf(text + n, sizeof text - (size_t)n, "}");
  report_queue(REPORT_FAILED, 0, 0, text, (size_t)n);
  report_finish();
  bool taken = strcmp(stage, "log") == 0 && error == EEXIST;          // then the directory may be the first one's
  if (request->tmpdir[0] != 0 && !taken) place_remove(request->tmpdir);
  return 0;
}

static int fail(const char *stage, int error) { return fail_in(stage, NULL, NULL, error); }

// base.run is made exclusively: whoever comes second with this id, even through another stub, runs nothing.
static bool claim(void) {
  char text[160];
  int n = snprintf(text, sizeof text, "\n{\"pid\":%d,\"startTime\":\"%llu\",\"started\":%llu}\n", (int)getpid(),
                   (unsigned long long)start_time, (unsigned long long)started_ms);
  record = record_create(run_path, prepared_record, request->meta, request->meta_length, text, (size_t)n);
  return record >= 0;
}

static int own_signals(void) {
  sigset_t set;                           // the spawner has blocked all of these before it forked, so none was missed
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigaddset(&set, SIGTERM);
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void helper_prepare(const char *records) {
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  setsid();                               // whatever ends the stub's session or its terminal does not end the command
  start_time = tree_start_time(getpid());
  signals = own_signals();
  prepare_error = signals < 0 ? errno : output_prepare();
  if (records != NULL) prepared_record = record_prepare(records);
}

// The shell, held to the confinement, and its supervisor if it has one.
static bool run(int cwd, struct start_failure *failure) {
  int listener[2] = { -1, -1 };
  bool supervised = (request->level & (LEVEL_ASK | LEVEL_GUARD)) == LEVEL_ASK;
  *failure = (struct start_failure){ "confine", "fork", 0 };
  if (supervised && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, listener) != 0) {
    failure->error = errno;
    return false;
  }
  struct program program = { request, &confinement, cwd, input_end_of_command(), output_end_of_command(0), output_end_of_command(1),
                             listener[1], &reaper };
  shell = launch(&program, failure);
  bool runs = shell > 0;
  if (reaper.pid != 0) killing_inside(reaper.pid);
  if (!supervised) return runs;
  close(listener[1]);                     // should nobody have sent one, that is the end
  if (runs) supervise_begin(request, &confinement.policy, notify_receive(listener[0]));
  close(listener[0]);
  return runs;
}

static int start(struct built *kept) {
  if (prepare_error != 0) return fail("pipe", prepare_error);
  if (request->level & ~(unsigned)(LEVEL_LANDLOCK | LEVEL_MOUNT | LEVEL_GUARD | LEVEL_ASK)) return fail("confine", ENOSYS);
  if (strlen(request->base) >= PATH_ROOM) return fail("log", ENAMETOOLONG);
  snprintf(run_path, sizeof run_path, "%s.run", request->base);
  output_init(request->base, request->log_cap);

  // the stub looked at it; whoever may write there can have swapped a part of it for a link since
  int cwd = pin_open(AT_FDCWD, request->cwd);
  if (cwd < 0) return fail("cwd", errno);
  struct confining_failure refused;
  if (!confining_prepare(request, kept, signals, &confinement, &refused))
    return fail_in("confine", refused.part, refused.path, refused.error);
  if (request->level & LEVEL_GUARD) supervise_trace(request, &confinement.policy);
  started_ms = epoch_ms();
  if (!claim()) return fail("log", errno);
  int error = request->flags & START_STDIN ? input_open(request->base) : 0;
  if (error != 0) {
    unlink(run_path);
    input_close();
    return fail("stdin", error);
  }
  struct start_failure failure;
  if (!run(cwd, &failure)) {
    input_close();
    unlink(run_path);                     // nothing ran: the id is free again
    return fail_in(failure.stage, failure.part, NULL, failure.error);
  }
  launched_at = now_ms();
  limit_at = request->timeout_ms ? launched_at + request->timeout_ms : 0;
  children_left = true;
  close(cwd);
  output_launched(record);
  input_launched();
  struct __attribute__((packed)) { uint32_t helper, shell; uint64_t start; } payload = { (uint32_t)getpid(), (uint32_t)shell, start_time };
  report_queue(REPORT_STARTED, 0, 0, &payload, sizeof payload);
  started_queued = true;
  return -1;                              // -1: it runs
}

// ---- the end -------------------------------------------------------------------------------------------------------

// The end as one line; `survivors` is NULL as long as descendants may live.
static size_t end_text(char *text, size_t room, const char *survivors) {
  int n = snprintf(text, room, "{\"status\":%d,\"flags\":%d,\"started\":%llu,\"ended\":%llu,\"pending\":%zu,", wait_status, flags,
                   (unsigned long long)started_ms, (unsigned long long)ended_ms, pending);
  n += output_describe(text + n, room - (size_t)n);
  n += (int)blocked_describe(text + n, room - (size_t)n);
  n += snprintf(text + n, room - (size_t)n, ",\"survivors\":%s}\n", survivors ? survivors : "null");
  return (size_t)n;
}

static void record_end(const char *survivors) {
  char text[END_ROOM];
  size_t length = end_text(text, sizeof text, survivors);
  record_append(record, text, length);
}

static void report_end(void) {
  char text[END_ROOM];
  output_drain();
  ended_ms = epoch_ms();
  pending = children_left ? tree_descendants(NULL, 0) : 0;
  if (pending > 0 && reaper.pid != 0) pending--;                // it is none of the command's
  recorded = !children_left;
  recorded_total = output_total();
  record_end(recorded ? "[]" : NULL);
  output_tell_growth(true);
  report_queue(REPORT_END, 0, 0, text, end_text(text, sizeof text, recorded ? "[]" : NULL));
  end_reported = true;
  limit_at = 0;                           // the limit is the shell's; what it left behind may go on
}

static void settle(const char *survivors) {
  char text[640 + BLOCKED_TEXT];
  if (!recorded || output_total() != recorded_total) record_end(survivors);
  output_tell_growth(true);
  size_t n = (size_t)snprintf(text, sizeof text, "{\"survivors\":%s", survivors);
  n += blocked_describe(text + n, sizeof text - n);         // what the shell left behind may have been refused more
  n += (size_t)snprintf(text + n, sizeof text - n, "}");
  report_queue(REPORT_SETTLED, 0, 0, text, n);
  if (request->tmpdir[0] == 0) return report_finish();
  report_flush();
  place_remove(request->tmpdir);
  report_finish();
}

static void note_shell(int status) {
  shell_ended = true;
  wait_status = status;
  if (reaper.pid == 0) return;
  if (first_alone(&reaper)) children_left = false;
  else first_ended(&reaper);
}

static void reap(void) {
  int status;
  pid_t pid;
  stops_left = false;
  for (int stops = 0; (pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0;) {
    if (WIFSTOPPED(status)) {
      guard_stopped(pid, status);
      stops_left = ++stops == STOPS_AT_ONCE;
      if (stops_left) return;
      continue;
    }
    guard_ended(pid);
    if (pid == reaper.pid) reaper.pid = 0;
    if (pid == shell) note_shell(status); // else an orphan of the command that came to us, or a thread
  }
  if (pid < 0 && errno == ECHILD) children_left = false;
}

// ---- killing -------------------------------------------------------------------------------------------------------

static pid_t group(void) { return shell_ended ? 0 : shell; }

static void begin_kill(int flag) {
  flags |= shell_ended ? FLAG_LEFTOVERS : flag;
  limit_at = 0;
  asks_cancel();                          // a call that waits does not hear SIGTERM
  killing_begin(group(), request->grace_ms);
}

static void take_signals(void) {
  struct signalfd_siginfo infos[2];       // no more can wait: there are two signals, and each waits once
  ssize_t n = read(signals, infos, sizeof infos);
  for (size_t i = 0; n > 0 && i < (size_t)n / sizeof *infos; i++) {
    if (infos[i].ssi_signo != SIGTERM) continue;
    bool timeout = infos[i].ssi_code == SI_QUEUE && infos[i].ssi_int == CANCEL_TIMEOUT;
    begin_kill(timeout ? FLAG_TIMED_OUT : FLAG_ABORTED);
  }
  reap();
}

// ---- the loop ------------------------------------------------------------------------------------------------------

// The command does nothing while it waits for an answer; that time is not its own.
static void hold_limit(void) {
  if (asks_pending()) {
    if (stands_since == 0) stands_since = now_ms();
  } else if (stands_since != 0) {
    if (limit_at != 0) limit_at += now_ms() - stands_since;
    stands_since = 0;
  }
}

static uint64_t limit_due(void) { return stands_since == 0 ? limit_at : 0; }

static int next_wait(void) {
  uint64_t soonest = 0, now = now_ms();
  uint64_t times[4] = { limit_due(), killing_due(), started_queued ? launched_at + STARTED_DELAY_MS : 0, asks_due() };
  for (int i = 0; i < 4; i++)
    if (times[i] != 0 && (soonest == 0 || times[i] < soonest)) soonest = times[i];
  if (stops_left) return 0;
  if (soonest == 0) return -1;
  if (soonest <= now) return 0;
  return soonest - now > 3600000 ? 3600000 : (int)(soonest - now);
}

static void loop(void) {
  char survivors[SURVIVORS_TEXT] = "[]";
  bool growth_waits = false;
  while (children_left || !end_reported) {
    bool waiting = (report_waiting() && !started_queued) || growth_waits;
    struct pollfd fds[FDS] = {
      [STDOUT] = { output_fd(0), POLLIN, 0 },
      [STDERR] = { output_fd(1), POLLIN, 0 },
      [SIGNALS] = { signals, POLLIN, 0 },
      [REPORTS] = { waiting ? report_fd() : -1, POLLOUT, 0 },
      [NOTIFY] = { notify_fd(), POLLIN, 0 },
    };
    input_poll(fds + INPUT);
    asks_poll(fds + ASKS);
    int ready = poll(fds, FDS, next_wait());
    if (ready < 0) continue;
    if (fds[NOTIFY].revents != 0) notify_serve(fds[NOTIFY].revents);
    input_serve(fds + INPUT);
    asks_serve(fds + ASKS);
    asks_tick();
    hold_limit();
    for (unsigned s = 0; s < 2; s++)
      if (fds[STDOUT + s].revents != 0) output_pump(s);
    if (output_took_queue()) started_queued = false;
    if (fds[SIGNALS].revents != 0) take_signals();
    else if (stops_left) reap();
    if (shell_ended && !end_reported) report_end();
    if (end_reported && !children_left) break;

    uint64_t now = now_ms();
    if (limit_due() != 0 && now >= limit_due()) begin_kill(FLAG_TIMED_OUT);
    if (killing_due() != 0 && now >= killing_due()) {
      guard_end();
      if (killing_pass(group(), survivors)) break;
    }
    growth_waits = !output_tell_growth(false);
    if (started_queued && now < launched_at + STARTED_DELAY_MS && output_total() == 0 && !end_reported)
      continue;
    started_queued = false;
    report_flush();
  }
  if (!end_reported) {                    // only if the shell itself survives SIGKILL: how it will end is not known
    wait_status = -1;
    report_end();
  }
  input_close();
  asks_close();
  notify_end();
  output_finish();                        // whoever held the pipes is gone: what they still hold is all there will be
  settle(survivors);
}

int helper_run(char *bytes, size_t length, struct built *kept) {
  struct start_request parsed = { 0 };
  if (wire_parse_start(bytes, length, &parsed) != 0) return 2;
  request = &parsed;
  report_open(REPORT_FD, request->id);
  int failed = start(kept);
  if (failed >= 0) return failed;
  loop();
  if (reaper.pid != 0 && !children_left) {
    kill(reaper.pid, SIGKILL);
    waitpid(reaper.pid, NULL, 0);         // where nobody reaps what is left, it is not left
  }
  return 0;
}
