// driver BUNDLE HOME LIMIT [--only NAME,NAME…] -- [WORDS…]
// WORDS stand before each attack and confine it (`@policy` in them is the policy's file); none: the control.
// BUNDLE/attacks/NAME/ holds shell scripts: `needs` (fails: not for this machine), `setup`, `attack`, `again` (the second run of
// the same policy), `after`; and `grants`, `options` (of the policy), `descriptors`, `wrap` (a tool before WORDS).
// One line of JSON per attack on stdout.
#define _GNU_SOURCE
#include "driver.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <dirent.h>
#include <unistd.h>

enum { MOST_WORDS = 128 };

struct settings { struct arena arena; int limit; char **words; };

static char *part(const struct settings *settings, const char *attack, const char *name) {
  char path[PATH_SIZE];
  snprintf(path, sizeof path, "%s/attacks/%s/%s", settings->arena.bundle, attack, name);
  return read_file(path);
}

static bool has_part(const struct settings *settings, const char *attack, const char *name, char *path) {
  snprintf(path, PATH_SIZE, "%s/attacks/%s/%s", settings->arena.bundle, attack, name);
  return access(path, F_OK) == 0;
}

static struct run run_script(const struct settings *settings, const char *attack, const char *name, bool confined) {
  static char script[PATH_SIZE], tool[PATH_SIZE];
  char *words[MOST_WORDS];
  size_t count = 0;
  has_part(settings, attack, name, script);
  char *wrap = part(settings, attack, "wrap"), *descriptors = part(settings, attack, "descriptors");
  bool attacking = strcmp(name, "attack") == 0 || strcmp(name, "again") == 0;
  if (attacking && *wrap) {
    snprintf(tool, sizeof tool, "%s/mischief", settings->arena.bundle);
    words[count++] = tool;
    words[count++] = strtok(wrap, "\n");
  }
  for (char **word = settings->words; confined && *word; word++)
    words[count++] = strcmp(*word, "@policy") == 0 ? (char *)settings->arena.policy : *word;
  words[count++] = "bash";
  words[count++] = script;
  words[count] = NULL;
  struct run run = run_words(&settings->arena, words, attacking ? descriptors : "", settings->limit);
  free(wrap);
  free(descriptors);
  return run;
}

static void print_text(const char *text, size_t length) {
  putchar('"');
  for (size_t at = 0; at < length; at++) {
    unsigned char byte = (unsigned char)text[at];
    if (byte == '"' || byte == '\\') printf("\\%c", byte);
    else if (byte < 32 || byte > 126) printf("\\u%04x", byte);
    else putchar(byte);
  }
  putchar('"');
}

static const char *yes(bool value) { return value ? "true" : "false"; }

static long milliseconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void attack(struct settings *settings, const char *name) {
  struct arena *arena = &settings->arena;
  char path[PATH_SIZE];
  long begun = milliseconds();
  arena_make(arena);
  setenv("SECRET", below(arena, "outside/secret"), 1);
  if (has_part(settings, name, "needs", path)) {
    struct run needs = run_script(settings, name, "needs", false);
    free(needs.output);
    if (needs.status != 0) {
      printf("{\"attack\":\"%s\",\"missing\":true}\n", name);
      return;
    }
  }
  struct run setup = {NULL, 0, 0, false};
  if (has_part(settings, name, "setup", path)) setup = run_script(settings, name, "setup", false);
  char *grants = part(settings, name, "grants"), *options = part(settings, name, "options");
  arena_write_policy(arena, grants, options);
  pid_t bystanders[256];
  size_t count = descendants(bystanders, 256);
  struct outside before = arena_look(arena);
  bool held = arena_holds_secret(arena);  // an old hard link: then only what was shown counts

  struct run first = run_script(settings, name, "attack", true);
  wait_for_others(bystanders, count, settings->limit);
  struct run second = {calloc(1, 1), 0, 0, false};
  if (has_part(settings, name, "again", path)) {
    free(second.output);
    second = run_script(settings, name, "again", true);
    wait_for_others(bystanders, count, settings->limit);
  }
  struct outside later = arena_look(arena);
  struct run after = {calloc(1, 1), 0, 0, false};
  if (has_part(settings, name, "after", path)) {
    free(after.output);
    after = run_script(settings, name, "after", false);
    // what a bystander was made to do later counts, too
    if (strcmp(before.contents, later.contents) == 0) {
      outside_free(&later);
      later = arena_look(arena);
    }
  }

  bool read = memmem(first.output, first.length, arena->secret, strlen(arena->secret)) ||
              memmem(second.output, second.length, arena->secret, strlen(arena->secret)) || (!held && arena_holds_secret(arena));
  bool said = memmem(first.output, first.length, "ESCAPED", 7) || memmem(second.output, second.length, "ESCAPED", 7) ||
              memmem(after.output, after.length, "ESCAPED", 7);
  printf("{\"attack\":\"%s\",\"setup\":%d,\"status\":%d,\"again\":%d,\"timedOut\":%s,\"read\":%s,\"wrote\":%s,\"changed\":%s,\"said\":%s,\"ms\":%ld,\"output\":",
         name, setup.status, first.status, second.status, yes(first.timed_out || second.timed_out), yes(read),
         yes(strcmp(before.contents, later.contents) != 0), yes(strcmp(before.marks, later.marks) != 0), yes(said),
         milliseconds() - begun);
  char shown[1200];
  int length = snprintf(shown, sizeof shown, "%.300s%.300s%.300s%.200s", setup.output ? setup.output : "", first.output, second.output, after.output);
  print_text(shown, length < 0 ? 0 : (size_t)length);
  puts("}");
  fflush(stdout);
  outside_free(&before);
  outside_free(&later);
  free(setup.output);
  free(first.output);
  free(second.output);
  free(after.output);
  free(grants);
  free(options);
  kill_descendants();
}

static bool is_listed(const char *list, const char *name) {
  size_t length = strlen(name);
  for (const char *at = list; (at = strstr(at, name)); at++)
    if ((at == list || at[-1] == ',') && (at[length] == ',' || at[length] == 0)) return true;
  return false;
}

int main(int argc, char **argv) {
  struct settings settings = {.limit = 20};
  const char *only = NULL;
  if (argc < 5) return 2;
  settings.arena.bundle = argv[1];
  settings.arena.home = argv[2];
  settings.limit = atoi(argv[3]);
  int next = 4;
  if (strcmp(argv[next], "--only") == 0) {
    only = argv[next + 1];
    next += 2;
  }
  settings.words = argv + next + 1;
  snprintf(settings.arena.policy, sizeof settings.arena.policy, "%s/policy", settings.arena.home);

  setenv("HOME", settings.arena.home, 1);
  setenv("BUNDLE", settings.arena.bundle, 1);
  const char *const names[] = {"OUT", "outside", "TARGET", "outside/target", "WS", "ws", "LIB", "lib", "TMPDIR", "tmp", "RUN", "run"};
  for (size_t each = 0; each < sizeof names / sizeof *names; each += 2) setenv(names[each], below(&settings.arena, names[each + 1]), 1);
  char tool[PATH_SIZE];
  snprintf(tool, sizeof tool, "%s/mischief", settings.arena.bundle);
  setenv("MISCHIEF", tool, 1);
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  signal(SIGPIPE, SIG_IGN);

  char folder[PATH_SIZE];
  snprintf(folder, sizeof folder, "%s/attacks", settings.arena.bundle);
  struct dirent **entries;
  int count = scandir(folder, &entries, NULL, alphasort);
  for (int each = 0; each < count; each++) {
    const char *name = entries[each]->d_name;
    if (*name != '.' && (!only || is_listed(only, name))) attack(&settings, name);
  }
  return count < 0 ? 2 : 0;
}
