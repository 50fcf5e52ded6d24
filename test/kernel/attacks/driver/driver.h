// Runs attacks, each in a fresh arena, and says what came of them. One static program, so that it runs in any guest.
#ifndef DRIVER_H
#define DRIVER_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { PATH_SIZE = 4096, OUTPUT_SIZE = 256 * 1024 };

// Below a home: what is approved, and what must stay out of reach.
struct arena {
  const char *home;                       // HOME of the attacks; what else lies in it is left alone
  const char *bundle;                     // the attacks and their tools: approved for reading
  char secret[48];                        // "secret-…", fresh for each attack
  char policy[PATH_SIZE];                 // the file with the bytes of the policy
};

// A path below the home, in a buffer of its own (there are eight).
const char *below(const struct arena *arena, const char *name);

void arena_make(struct arena *arena);

// The base set (a file of the bundle) and what the arena approves, with `grants` (lines "KIND PATH") more.
void arena_write_policy(const struct arena *arena, const char *grants, const char *options);

// What lies outside, as text: `contents` its names, links and bytes, `marks` modes, times and attributes. To be freed.
struct outside { char *contents, *marks; };
struct outside arena_look(const struct arena *arena);
void outside_free(struct outside *outside);

// True if the secret is in a file inside.
bool arena_holds_secret(const struct arena *arena);

struct run {
  char *output;                           // stdout and stderr, at most OUTPUT_SIZE
  size_t length;
  int status;                             // exit status, or 128 + signal
  bool timed_out;
};

// Runs `words` in the workspace; `descriptors`: lines "FD r|w|a|d PATH", opened for it and not for us. Ends when it has ended.
struct run run_words(const struct arena *arena, char **words, const char *descriptors, int limit_seconds);

// Descendants of this process that live; at most `size` of them. This process is their subreaper.
size_t descendants(pid_t *into, size_t size);
void kill_descendants(void);

// Waits until none is left but the first `count` ones.
void wait_for_others(const pid_t *kept, size_t count, int limit_seconds);

// The whole file as a string, empty where there is none. To be freed.
char *read_file(const char *path);

#endif
