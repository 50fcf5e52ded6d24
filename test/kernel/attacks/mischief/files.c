// Calls on files that shells and their tools do not make.
#define _GNU_SOURCE
#include "mischief.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static char content[4096];

static int show(int file, const char *what) {
  if (file < 0) give_up(what);
  ssize_t length = read(file, content, sizeof content);
  if (length < 0) give_up(what);
  say(content, (size_t)length);
  return 0;
}

static int cat(char **args) { return show(open(args[0], O_RDONLY), args[0]); }

static int cat_openat2(char **args) {
  struct { unsigned long flags, mode, resolve; } how = {O_RDONLY, 0, 0};
  return show((int)syscall(SYS_openat2, AT_FDCWD, args[0], &how, sizeof how), args[0]);
}

static int cat_mapped(char **args) {
  int file = open(args[0], O_RDONLY);
  struct stat info;
  if (file < 0 || fstat(file, &info)) give_up(args[0]);
  char *mapped = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, file, 0);
  if (mapped == MAP_FAILED) give_up("mmap");
  say(mapped, (size_t)info.st_size);
  return 0;
}

// Relative to a descriptor that was inherited: FD NAME
static int cat_at(char **args) { return show(openat(atoi(args[0]), args[1], O_RDONLY), args[1]); }

// O_PATH first, then again through /proc/self/fd.
static int cat_reopened(char **args) {
  int file = open(args[0], O_PATH);
  if (file < 0) give_up(args[0]);
  char again[64];
  snprintf(again, sizeof again, "/proc/self/fd/%d", file);
  return show(open(again, O_RDONLY), again);
}

static int truncate_it(char **args) {
  if (truncate(args[0], 0)) give_up(args[0]);
  return 0;
}

// Opened for reading only, and emptied all the same: Landlock below ABI 3 knows no truncation.
static int truncate_by_reading(char **args) {
  if (open(args[0], O_RDONLY | O_TRUNC) < 0) give_up(args[0]);
  return 0;
}

static int rename_with(char **args, unsigned flags) {
  if (syscall(SYS_renameat2, AT_FDCWD, args[0], AT_FDCWD, args[1], flags)) give_up("renameat2");
  return 0;
}

static int exchange(char **args) { return rename_with(args, 2); }
static int rename_no_replace(char **args) { return rename_with(args, 1); }

// FD TARGET: a name for what is open.
static int link_descriptor(char **args) {
  char from[64];
  snprintf(from, sizeof from, "/proc/self/fd/%s", args[0]);
  if (linkat(AT_FDCWD, from, AT_FDCWD, args[1], AT_SYMLINK_FOLLOW)) give_up("linkat");
  return 0;
}

// DIRECTORY TARGET: a file without a name, made inside, gets one outside.
static int link_nameless(char **args) {
  int file = open(args[0], O_TMPFILE | O_RDWR, 0600);
  if (file < 0 || write(file, "nameless\n", 9) != 9) give_up(args[0]);
  char text[16];
  snprintf(text, sizeof text, "%d", file);
  return link_descriptor((char *[]){text, args[1]});
}

static int set_attribute(char **args) {
  if (setxattr(args[0], "user.mischief", "was here", 8, 0)) give_up(args[0]);
  return 0;
}

static int watch(char **args) {
  int queue = inotify_init1(0);
  if (inotify_add_watch(queue, args[0], IN_CREATE | IN_OPEN) < 0) give_up(args[0]);
  puts("ESCAPED");
  return 0;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int try_secret(const char *path) {
  int file = open(path, O_RDONLY);
  if (file < 0) return 0;
  ssize_t length = read(file, content, sizeof content);
  close(file);
  if (length < 7 || memcmp(content, "secret-", 7) != 0) return 0;
  say(content, (size_t)length);
  return 1;
}

// A B PATH SECONDS: A and B change places all the time while PATH is opened.
static int swap_race(char **args) {
  pid_t swapper = fork();
  if (swapper == 0) {
    for (;;) syscall(SYS_renameat2, AT_FDCWD, args[0], AT_FDCWD, args[1], 2);
  }
  int found = 0;
  for (double end = now() + atof(args[3]); !found && now() < end;) found = try_secret(args[2]);
  kill(swapper, SIGKILL);
  waitpid(swapper, NULL, 0);
  return found ? 0 : 1;
}

static char flipping[4096];
static const char *good, *bad;
static volatile int over;

static void *flip(void *unused) {
  (void)unused;
  while (!over) {
    memcpy(flipping, bad, strlen(bad) + 1);
    memcpy(flipping, good, strlen(good) + 1);
  }
  return NULL;
}

// GOOD BAD SECONDS: the path changes in memory between a check and the call. Both names have the same length.
static int memory_race(char **args) {
  good = args[0];
  bad = args[1];
  memcpy(flipping, good, strlen(good) + 1);
  pthread_t thread;
  pthread_create(&thread, NULL, flip, NULL);
  int found = 0;
  for (double end = now() + atof(args[2]); !found && now() < end;) found = try_secret(flipping);
  over = 1;
  pthread_join(thread, NULL);
  return found ? 0 : 1;
}

// DIRECTORY RELATIVE: the working directory is opened, left, and gone back to from below.
static int walk_up(char **args) {
  int here = open(".", O_PATH);
  if (mkdir("deep", 0700) || chdir("deep") || fchdir(here)) give_up("deep");
  int above = openat(here, args[0], O_PATH);
  if (above < 0) give_up(args[0]);
  return show(openat(above, args[1], O_RDONLY), args[1]);
}

const struct deed file_deeds[] = {
  {"cat", cat},
  {"cat-openat2", cat_openat2},
  {"cat-mapped", cat_mapped},
  {"cat-at", cat_at},
  {"cat-reopened", cat_reopened},
  {"truncate", truncate_it},
  {"truncate-by-reading", truncate_by_reading},
  {"exchange", exchange},
  {"rename-no-replace", rename_no_replace},
  {"link-descriptor", link_descriptor},
  {"link-nameless", link_nameless},
  {"set-attribute", set_attribute},
  {"watch", watch},
  {"swap-race", swap_race},
  {"memory-race", memory_race},
  {"walk-up", walk_up},
  {NULL, NULL},
};
