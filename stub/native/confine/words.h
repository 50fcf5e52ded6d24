// The text of a policy written from short forms, for people and tests: the identities are those of now.
#ifndef WORDS_H
#define WORDS_H
#include <stdbool.h>
#include <stddef.h>

struct words { char *bytes; size_t length; };

// An empty policy; false: no memory.
bool words_begin(struct words *words);

// "option no-network" and the like, as they are.
bool words_add(struct words *words, const char *text);

// `kind` as in policy.h. `sys`, `dev`, `sock` and `hide` are taken as they are, made absolute; others by their real path, and a file
// becomes `ro-file`/`rw-file`. False with errno: there is no such path.
bool words_add_path(struct words *words, const char *kind, const char *path);

// All that the descriptor holds, as it is; at most 16 MiB. False with errno.
bool words_read(struct words *words, int fd);

#endif
