#define _GNU_SOURCE
#include "asks.h"
#include "../confine/grants.h"
#include "clock.h"
#include "json.h"
#include "listen.h"
#include "report.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  ASKS_MAX = 16,                          // of one command: a program that searches the whole disk is not asked about for ever
  ID_ROOM = 32,
  LINE_ROOM = 6 * PATH_MAX + 512,         // each byte of a path may become six
  LOOK_MS = 500,
  GONE_MS = 1000,                         // a call that a signal interrupted comes again
};

struct ask {
  unsigned number;                        // 0: free
  char id[ID_ROOM];
  char path[PATH_MAX], directory[PATH_MAX], program[32];
  bool is_directory, write;
  const char *operation;
  uint64_t left;                          // when nobody waited for it any more
};

static const struct asks_callers *callers;
static const char *base;
static uint32_t wait_ms;
static struct ask *asks;                  // ASKS_MAX of them, from the first one on
static unsigned raised;                   // in the life of the command
static size_t pending;
static int listener = -1, connection = -1;
static char input[1024];
static size_t received;
static uint64_t look_at, deny_at;         // 0: not

void asks_begin(const char *at, uint32_t wait, const struct asks_callers *who) {
  base = at;
  wait_ms = wait;
  callers = who;
}

bool asks_pending(void) { return pending > 0; }

static bool fill(unsigned char *bytes, size_t length) {
  if (getrandom(bytes, length, 0) == (ssize_t)length) return true;      // never less, of so few
  int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);                  // before Linux 3.17
  ssize_t n = fd < 0 ? -1 : read(fd, bytes, length);
  if (fd >= 0) close(fd);
  return n == (ssize_t)length;
}

// As protocol/ids.ts makes them.
static bool make_id(char out[ID_ROOM]) {
  static const char ALPHABET[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  unsigned char bytes[26];
  if (!fill(bytes, sizeof bytes)) return false;
  strcpy(out, "per_");
  for (size_t i = 0; i < sizeof bytes; i++) out[4 + i] = ALPHABET[bytes[i] % 62];
  out[4 + sizeof bytes] = 0;
  return true;
}

static void read_program(pid_t pid, char *out, size_t room) {
  char path[32];
  snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, out, room - 1);
  if (fd >= 0) close(fd);
  out[n > 0 ? n : 0] = 0;
  out[strcspn(out, "\n")] = 0;
}

// ---- the connection ------------------------------------------------------------------------------------------------

static void hang_up(void) {
  if (connection >= 0) close(connection);
  connection = -1;
  received = 0;
  if (pending > 0) deny_at = now_ms() + wait_ms;
}

static void say(const char *line, size_t length) {
  if (connection >= 0 && send(connection, line, length, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)length) hang_up();
}

static void tell(const struct ask *ask) {
  static char line[LINE_ROOM], path[LINE_ROOM - 256];
  char program[6 * sizeof ask->program + 3];
  json_string(path, sizeof path, ask->path);
  json_string(program, sizeof program, ask->program);
  int n = snprintf(line, sizeof line, "{\"id\":\"%s\",\"path\":%s,\"kind\":\"%s\",\"access\":\"%s\",\"program\":%s,\"operation\":\"%s\"}\n",
                   ask->id, path, ask->is_directory ? "directory" : "file", ask->write ? "write" : "read", program, ask->operation);
  say(line, (size_t)n);
}

static void tell_gone(const struct ask *ask) {
  char line[96];
  int n = snprintf(line, sizeof line, "{\"id\":\"%s\",\"withdrawn\":true}\n", ask->id);
  say(line, (size_t)n);
}

// ---- asks ----------------------------------------------------------------------------------------------------------

static bool begin(void) {
  if (asks == NULL) asks = calloc(ASKS_MAX, sizeof *asks);
  if (asks == NULL) return false;
  if (listener >= 0) return true;
  listener = listen_beside(base, ".asks");
  if (listener >= 0) report_queue(REPORT_ASKS, 0, 0, NULL, 0);
  return listener >= 0;
}

static void parent_of(const char *path, char *out) {
  strcpy(out, path);
  char *slash = strrchr(out, '/');
  slash[slash == out ? 1 : 0] = 0;
}

static struct ask *about(const char *directory, bool write) {
  for (size_t i = 0; asks != NULL && i < ASKS_MAX; i++)
    if (asks[i].number != 0 && asks[i].write == write && strcmp(asks[i].directory, directory) == 0) return &asks[i];
  return NULL;
}

unsigned asks_raise(const struct notify_question *question) {
  char directory[PATH_MAX], id[ID_ROOM];
  if (question->directory) strcpy(directory, question->path);
  else parent_of(question->path, directory);
  struct ask *ask = about(directory, question->write);
  if (ask != NULL) return ask->number;
  // What cannot be shown as it is is not asked about.
  if (wait_ms == 0 || raised == ASKS_MAX || !json_faithful(question->path) || !make_id(id) || !begin()) return 0;
  for (ask = asks; ask->number != 0;) ask++;              // there is one: no more than ASKS_MAX were ever raised
  *ask = (struct ask){ .number = ++raised, .is_directory = question->directory, .write = question->write, .operation = question->operation };
  strcpy(ask->id, id);
  strcpy(ask->path, question->path);
  strcpy(ask->directory, directory);
  read_program(question->pid, ask->program, sizeof ask->program);
  uint64_t now = now_ms();
  if (pending++ == 0) {
    look_at = now + LOOK_MS;
    deny_at = connection < 0 ? now + wait_ms : 0;
  }
  tell(ask);
  return ask->number;
}

// It is over; whoever waits looks again.
static void end(struct ask *ask) {
  unsigned number = ask->number;
  tell_gone(ask);
  ask->number = 0;
  if (--pending == 0) look_at = deny_at = 0;
  callers->answered(number);
}

// Where there is no room for the answer, the calls ask again, but not for ever: `raised` is bounded.
static void answer(struct ask *ask, bool allow, enum grant_scope scope) {
  grants_keep(scope == GRANT_FILE ? ask->path : ask->directory, scope, ask->write, allow);
  end(ask);
}

static bool parse_scope(const char *word, enum grant_scope *out) {
  static const char *const WORDS[] = { [GRANT_FILE] = "file", [GRANT_DIRECTORY] = "directory", [GRANT_TREE] = "tree" };
  for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
    if (strcmp(word, WORDS[i]) != 0) continue;
    *out = (enum grant_scope)i;
    return true;
  }
  return false;
}

// A line that makes no sense is passed over: what it was for stays pending.
static void obey(char *line) {
  char *rest = line, *verb = strsep(&rest, " "), *id = strsep(&rest, " ");
  enum grant_scope scope;
  bool allow = strcmp(verb, "allow") == 0;
  if (id == NULL || rest == NULL || !parse_scope(rest, &scope) || (!allow && strcmp(verb, "deny") != 0)) return;
  for (size_t i = 0; asks != NULL && i < ASKS_MAX; i++)
    if (asks[i].number != 0 && strcmp(asks[i].id, id) == 0) return answer(&asks[i], allow, scope);
}

static void hear(void) {
  ssize_t n = recv(connection, input + received, sizeof input - received, MSG_DONTWAIT);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (n <= 0) return hang_up();
  received += (size_t)n;
  char *newline, *at = input;
  while ((newline = memchr(at, '\n', (size_t)(input + received - at))) != NULL) {
    *newline = 0;
    obey(at);
    if (connection < 0) return;
    at = newline + 1;
  }
  received = (size_t)(input + received - at);
  memmove(input, at, received);
  if (received == sizeof input) hang_up();                // no such line is that long
}

static void take_over(void) {
  int next = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (next < 0) return;
  hang_up();
  connection = next;
  deny_at = 0;
  for (size_t i = 0; i < ASKS_MAX && connection >= 0; i++)
    if (asks[i].number != 0) tell(&asks[i]);
}

// ---- for the loop --------------------------------------------------------------------------------------------------

static void deny_all(void) {
  for (size_t i = 0; i < ASKS_MAX && pending > 0; i++)
    if (asks[i].number != 0) answer(&asks[i], false, GRANT_DIRECTORY);
}

void asks_cancel(void) {
  wait_ms = 0;
  deny_all();
}

uint64_t asks_due(void) { return deny_at != 0 && deny_at < look_at ? deny_at : look_at; }

void asks_tick(void) {
  uint64_t now = now_ms();
  if (look_at == 0 || now < asks_due()) return;
  look_at = now + LOOK_MS;
  for (size_t i = 0; i < ASKS_MAX && pending > 0; i++) {
    struct ask *ask = &asks[i];
    if (ask->number == 0) continue;
    if (callers->waiting(ask->number) > 0) ask->left = 0;
    else if (ask->left == 0) ask->left = now;
    else if (now - ask->left >= GONE_MS) end(ask);
  }
  if (deny_at != 0 && now >= deny_at) deny_all();
}

void asks_poll(struct pollfd fds[ASKS_FDS]) {
  fds[0] = (struct pollfd){ listener, POLLIN, 0 };
  fds[1] = (struct pollfd){ connection, POLLIN, 0 };
}

void asks_serve(const struct pollfd fds[ASKS_FDS]) {
  if (fds[1].revents != 0 && connection >= 0) hear();
  if (fds[0].revents != 0 && listener >= 0) take_over();
}

void asks_close(void) {
  char path[4200];
  if (listener < 0) return;
  snprintf(path, sizeof path, "%s.asks", base);
  unlink(path);
  close(listener);
  listener = -1;
  pending = 0;
  look_at = deny_at = 0;
  hang_up();
}
