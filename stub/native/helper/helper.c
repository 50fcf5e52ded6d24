// One command, from the fork of the spawner to the last descendant:
//   prepare (all that needs no request: a pooled helper did it long before) -> claim base.run -> launch -> pump until the shell ends -> record it, report `end` -> pump on until no child is left -> `settled`
// A cancel or the time limit goes in between: SIGTERM to the group, after the grace SIGKILL to every descendant, again and
// again until none is left or nothing more can be done about the survivors.
#define _GNU_SOURCE
#include "helper.h"
#include "launch.h"
#include "log.h"
#include "place.h"
#include "report.h"
#include "tree.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
  CHUNK = 65536,
  STARTED_DELAY_MS = 2,                   // a quick command says `started` and `end` in one send
  KILL_PASS_MS = 20,                      // between two passes of SIGKILL
  KILL_GIVE_UP_MS = 5000,                 // after the first of them: what lives now survives (uninterruptible, another user's)
  SURVIVORS_MAX = 32,
  PATH_ROOM = 4096,
};
enum { FLAG_TIMED_OUT = 1, FLAG_ABORTED = 2, FLAG_LEFTOVERS = 4 /* cancelled after the shell had ended by itself */ };

struct stream {
  int fd;                                 // read end of the pipe, -1 at its end
  struct log log;
  uint64_t told;                          // the stub knows the log up to here
  bool large;                             // the pipe was made larger
};

static const struct start_request *request;
static struct stream streams[2];
static pid_t shell;
static bool shell_ended, children_left, end_reported, started_queued;
static bool recorded;                     // the record says it all already
static int record = -1;                   // base.run
static int pipes[2][2];
static int prepare_error, prepared_record = -1;
static uint64_t start_time;               // of this process
static int wait_status, flags, signals;
static uint64_t started_ms, ended_ms;     // since the epoch, for people
static uint64_t launched_at, limit_at, kill_at, give_up_at;   // CLOCK_MONOTONIC, ms; 0: never
static size_t pending;
static char run_path[PATH_ROOM + 16];

static uint64_t clock_ms(clockid_t which) {
  struct timespec t;
  clock_gettime(which, &t);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}
static uint64_t now_ms(void) { return clock_ms(CLOCK_MONOTONIC); }

// ---- before the command runs ---------------------------------------------------------------------------------------

static int fail(const char *stage, int error) {
  char text[96];
  int n = snprintf(text, sizeof text, "{\"stage\":\"%s\",\"errno\":%d}", stage, error);
  report_queue(REPORT_FAILED, 0, 0, text, (size_t)n);
  report_finish();
  bool taken = strcmp(stage, "log") == 0 && error == EEXIST;          // then the directory may be the first one's
  if (request->tmpdir[0] != 0 && !taken) place_remove(request->tmpdir);
  return 0;
}

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
  if (signals < 0 || pipe2(pipes[0], O_CLOEXEC) != 0 || pipe2(pipes[1], O_CLOEXEC) != 0) prepare_error = errno;
  else
    for (int s = 0; s < 2; s++) fcntl(pipes[s][0], F_SETFL, O_NONBLOCK);
  if (records != NULL) prepared_record = record_prepare(records);
}

static int start(void) {
  const char *stage = "fork";
  if (prepare_error != 0) return fail("pipe", prepare_error);
  if (strlen(request->base) >= PATH_ROOM) return fail("log", ENAMETOOLONG);
  snprintf(run_path, sizeof run_path, "%s.run", request->base);
  log_init(&streams[0].log, request->base, "stdout");
  log_init(&streams[1].log, request->base, "stderr");

  int cwd = place_open(request->cwd);
  if (cwd < 0) return fail("cwd", errno);
  started_ms = clock_ms(CLOCK_REALTIME);
  if (!claim()) return fail("log", errno);
  shell = launch(request, cwd, pipes[0][1], pipes[1][1], &stage);
  if (shell < 0) {
    int error = errno;
    unlink(run_path);                     // nothing ran: the id is free again
    return fail(stage, error);
  }
  launched_at = now_ms();
  limit_at = request->timeout_ms ? launched_at + request->timeout_ms : 0;
  children_left = true;
  close(cwd);
  for (int s = 0; s < 2; s++) {
    close(pipes[s][1]);
    streams[s].fd = pipes[s][0];
  }
  struct __attribute__((packed)) { uint32_t helper, shell; uint64_t start; } payload = { (uint32_t)getpid(), (uint32_t)shell, start_time };
  report_queue(REPORT_STARTED, 0, 0, &payload, sizeof payload);
  started_queued = true;
  return -1;                              // -1: it runs
}

// ---- output --------------------------------------------------------------------------------------------------------

// Reads at most `most` bytes of one stream into its log and tells the stub. False at its end, or if nothing is there.
static bool pump(unsigned s, size_t most) {
  static char bytes[CHUNK];
  struct stream *stream = &streams[s];
  if (stream->fd < 0) return false;
  ssize_t n;
  do n = read(stream->fd, bytes, most < CHUNK ? most : CHUNK);
  while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN) return false;
  if (n <= 0) {
    close(stream->fd);
    stream->fd = -1;
    return false;
  }
  if (n == CHUNK && !stream->large) {     // only a command that prints much gets the large pipe
    stream->large = true;
    fcntl(stream->fd, F_SETPIPE_SZ, 1 << 20);
  }
  uint64_t from = stream->log.size;
  log_append(&stream->log, bytes, (size_t)n);
  size_t kept = (size_t)(stream->log.size - from);
  if (kept > 0 && kept <= INLINE_MAX && stream->told == from && report_output(s, from, bytes, kept)) {
    stream->told = stream->log.size;
    started_queued = false;
  }
  return true;
}

// What did not go inline: how far the log goes. False if it waits for room in the socket; `now`: it is queued in any case,
// which is done once, before the end.
static bool tell_growth(bool now) {
  for (unsigned s = 0; s < 2; s++) {
    if (streams[s].told >= streams[s].log.size) continue;
    if (!now && !report_flush()) return false;
    report_queue(REPORT_GREW, s, streams[s].log.size, NULL, 0);
    streams[s].told = streams[s].log.size;
  }
  return true;
}

// What the pipes hold at this moment; a child that goes on printing does not keep the shell's end from being told.
static void drain(void) {
  for (unsigned s = 0; s < 2; s++) {
    int held = 0;
    if (streams[s].fd < 0 || ioctl(streams[s].fd, FIONREAD, &held) != 0) continue;
    while (held > 0) {
      uint64_t before = streams[s].log.size + streams[s].log.dropped;
      if (!pump(s, (size_t)held)) break;
      held -= (int)(streams[s].log.size + streams[s].log.dropped - before);
    }
  }
}

// ---- the end -------------------------------------------------------------------------------------------------------

// The end as one line; `survivors` is NULL as long as descendants may live.
static size_t end_text(char *text, size_t room, const char *survivors) {
  uint64_t dropped = streams[0].log.dropped + streams[1].log.dropped;
  int error = streams[0].log.error ? streams[0].log.error : streams[1].log.error;
  int n = snprintf(text, room,
                   "{\"status\":%d,\"flags\":%d,\"started\":%llu,\"ended\":%llu,\"stdout\":%llu,\"stderr\":%llu,\"pending\":%zu,"
                   "\"dropped\":%llu,\"errno\":%d,\"survivors\":%s}\n",
                   wait_status, flags, (unsigned long long)started_ms, (unsigned long long)ended_ms,
                   (unsigned long long)streams[0].log.size, (unsigned long long)streams[1].log.size, pending,
                   (unsigned long long)dropped, error, survivors ? survivors : "null");
  return (size_t)n;
}

static void record_end(const char *survivors) {
  char text[1024];
  size_t length = end_text(text, sizeof text, survivors);
  record_append(record, text, length);
}

static void report_end(void) {
  char text[1024];
  drain();
  ended_ms = clock_ms(CLOCK_REALTIME);
  pending = children_left ? tree_descendants(NULL, 0) : 0;
  recorded = !children_left;
  record_end(recorded ? "[]" : NULL);
  tell_growth(true);
  report_queue(REPORT_END, 0, 0, text, end_text(text, sizeof text, recorded ? "[]" : NULL));
  end_reported = true;
  limit_at = 0;                           // the limit is the shell's; what it left behind may go on
}

static void settle(const char *survivors) {
  char text[640];
  if (!recorded) record_end(survivors);
  tell_growth(true);
  int n = snprintf(text, sizeof text, "{\"survivors\":%s}", survivors);
  report_queue(REPORT_SETTLED, 0, 0, text, (size_t)n);
  if (request->tmpdir[0] == 0) return report_finish();
  report_flush();
  place_remove(request->tmpdir);
  report_finish();
}

static void reap(void) {
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    if (pid != shell) continue;           // an orphan of the command that came to us
    shell_ended = true;
    wait_status = status;
  }
  if (pid < 0 && errno == ECHILD) children_left = false;
}

// ---- killing -------------------------------------------------------------------------------------------------------

static void begin_kill(int flag) {
  flags |= shell_ended ? FLAG_LEFTOVERS : flag;
  limit_at = 0;
  if (kill_at != 0) return;
  kill_at = now_ms() + request->grace_ms;
  if (!shell_ended) {                     // not reaped, so its pid, and with it the group's id, is still its own
    kill(-shell, SIGTERM);
    kill(-shell, SIGCONT);
  }
  tree_signal(SIGTERM, shell_ended ? 0 : shell);
  tree_signal(SIGCONT, shell_ended ? 0 : shell);
}

// One pass of SIGKILL. True when nothing more can be done: `survivors` then holds the pids as JSON.
static bool kill_pass(char *survivors, size_t room) {
  uint64_t now = now_ms();
  if (give_up_at == 0) give_up_at = now + KILL_GIVE_UP_MS;
  if (!shell_ended) kill(-shell, SIGKILL);
  tree_signal(SIGKILL, 0);
  kill_at = now + KILL_PASS_MS;
  if (now < give_up_at) return false;
  struct process left[SURVIVORS_MAX];
  size_t count = tree_descendants(left, SURVIVORS_MAX), at = 0;
  if (count > SURVIVORS_MAX) count = SURVIVORS_MAX;
  at += (size_t)snprintf(survivors, room, "[");
  for (size_t i = 0; i < count; i++) at += (size_t)snprintf(survivors + at, room - at, "%s%d", i ? "," : "", (int)left[i].pid);
  snprintf(survivors + at, room - at, "]");
  return true;
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

static int next_wait(void) {
  uint64_t first = 0, now = now_ms();
  uint64_t times[3] = { limit_at, kill_at, started_queued ? launched_at + STARTED_DELAY_MS : 0 };
  for (int i = 0; i < 3; i++)
    if (times[i] != 0 && (first == 0 || times[i] < first)) first = times[i];
  if (first == 0) return -1;
  if (first <= now) return 0;
  return first - now > 3600000 ? 3600000 : (int)(first - now);
}

static void loop(void) {
  char survivors[SURVIVORS_MAX * 12 + 8] = "[]";
  bool growth_waits = false;
  while (children_left || !end_reported) {
    bool waiting = (report_waiting() && !started_queued) || growth_waits;
    struct pollfd fds[4] = {
      { streams[0].fd, POLLIN, 0 },
      { streams[1].fd, POLLIN, 0 },
      { signals, POLLIN, 0 },
      { waiting ? report_fd() : -1, POLLOUT, 0 },
    };
    int ready = poll(fds, 4, next_wait());
    if (ready < 0) continue;
    for (unsigned s = 0; s < 2; s++)
      if (fds[s].revents != 0) pump(s, CHUNK);
    if (fds[2].revents != 0) take_signals();
    if (shell_ended && !end_reported) report_end();
    if (end_reported && !children_left) break;

    uint64_t now = now_ms();
    if (limit_at != 0 && now >= limit_at) begin_kill(FLAG_TIMED_OUT);
    if (kill_at != 0 && now >= kill_at && kill_pass(survivors, sizeof survivors)) break;
    growth_waits = !tell_growth(false);
    if (started_queued && now < launched_at + STARTED_DELAY_MS && streams[0].log.size + streams[1].log.size == 0 && !end_reported)
      continue;
    started_queued = false;
    report_flush();
  }
  if (!end_reported) {                    // only if the shell itself survives SIGKILL
    flags |= FLAG_ABORTED;
    wait_status = SIGKILL;
    report_end();
  }
  for (unsigned s = 0; s < 2; s++)        // whoever held the pipes is gone: what they still hold is all there will be
    while (streams[s].fd >= 0 && pump(s, CHUNK)) continue;
  settle(survivors);
}

int helper_run(char *bytes, size_t length) {
  struct start_request parsed = { 0 };
  if (wire_parse_start(bytes, length, &parsed) != 0) return 2;
  request = &parsed;
  report_open(REPORT_FD, request->id);
  int failed = start();
  if (failed >= 0) return failed;
  loop();
  return 0;
}
