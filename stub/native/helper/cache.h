// What helpers built, kept by the spawner for the next command with the same policy: the least recently used goes first.
#ifndef CACHE_H
#define CACHE_H
#include "../confine/built.h"
#include "../confine/confine.h"
#include <stdint.h>

// Bits of a level (enum confine_level) that need something built.
#define BUILT_LEVELS (LEVEL_LANDLOCK | LEVEL_MOUNT)

// Makes the socket that helpers donate to. Without one every command builds.
void cache_open(void);

// Takes all that was donated.
void cache_take(void);

// What there is for this policy, or NULL. It stays the cache's. `*number`: its own, never given again; 0 where there is nothing.
const struct built *cache_find(unsigned level, const char *key, uint64_t *number);

// The same by its number; NULL once it was dropped, or another was built in its place.
const struct built *cache_numbered(uint64_t number);

// When something is to be dropped that nobody used for long (on the clock of `now_ms`; 0: never), and to drop it.
uint64_t cache_due(void);
void cache_expire(void);

// In a forked child that keeps at most `mine`.
void cache_leave(const struct built *mine);

// In a helper: donates. What the spawner has no room for is lost to the next command, not to this one.
void cache_donate(unsigned level, const char *key, const struct built *built);

#endif
