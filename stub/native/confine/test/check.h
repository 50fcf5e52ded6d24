// Tests in C, run by stub/native/confine/confine-c.test.ts on x64, under qemu-user and in the virtual machines of test/kernel.
// A test is a sentence and a block; each runs in a process of its own, because what is restricted stays restricted.
#ifndef CHECK_H
#define CHECK_H
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test { const char *group, *sentence; void (*run)(void); };
extern const struct test *const groups[];

// The first that does not hold ends the test.
#define CHECK(holds) do { if (!(holds)) check_failed(__FILE__, __LINE__, #holds); } while (0)
#define EQUAL(a, b) check_equal(__FILE__, __LINE__, #a, (long long)(a), (long long)(b))

void check_failed(const char *file, int line, const char *what) __attribute__((noreturn));
void check_equal(const char *file, int line, const char *what, long long a, long long b);

// For what this kernel lacks: the test is passed over, with the reason.
void check_skip(const char *reason) __attribute__((noreturn));

// A directory of the test's own, canonical, removed behind it. The same one within a test.
const char *scratch(void);

// scratch()/NAME, in one of eight buffers that take turns.
const char *in_scratch(const char *name);

void make_directory(const char *path);
void make_file(const char *path, const char *text);

#endif
