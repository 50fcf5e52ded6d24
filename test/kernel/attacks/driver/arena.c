#define _GNU_SOURCE
#include "driver.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char *const INSIDE[] = {"ws", "tmp"};
static const char *const OUTSIDE[] = {"outside", "lib", "ws-other", "run"};

static void die(const char *what) {
  perror(what);
  exit(2);
}

const char *below(const struct arena *arena, const char *name) {
  static char paths[8][PATH_SIZE];
  static unsigned next;
  char *path = paths[next++ % 8];
  snprintf(path, PATH_SIZE, "%.2000s/%.1000s", arena->home, name);
  return path;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where) {
  (void)info, (void)kind, (void)where;
  return remove(path);
}

static int make_writable(const char *path, const struct stat *info, int kind, struct FTW *where) {
  (void)where;
  if (kind == FTW_D || kind == FTW_DNR) chmod(path, info->st_mode | 0700);
  return 0;
}

static void remove_tree(const char *path) {
  nftw(path, make_writable, 8, FTW_PHYS);
  if (nftw(path, remove_one, 8, FTW_PHYS | FTW_DEPTH) && errno != ENOENT) die(path);
}

static void write_file(const char *path, const char *text) {
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0 || write(file, text, strlen(text)) != (ssize_t)strlen(text)) die(path);
  close(file);
}

void arena_make(struct arena *arena) {
  for (size_t each = 0; each < 2; each++) remove_tree(below(arena, INSIDE[each]));
  for (size_t each = 0; each < 4; each++) remove_tree(below(arena, OUTSIDE[each]));
  unsigned char random[16];
  if (getrandom(random, sizeof random, 0) != sizeof random) die("getrandom");
  int at = sprintf(arena->secret, "secret-");
  for (size_t each = 0; each < sizeof random; each++) at += sprintf(arena->secret + at, "%02x", random[each]);

  char line[64];
  snprintf(line, sizeof line, "%s\n", arena->secret);
  for (size_t each = 0; each < 2; each++)
    if (mkdir(below(arena, INSIDE[each]), 0700)) die(INSIDE[each]);
  for (size_t each = 0; each < 4; each++)
    if (mkdir(below(arena, OUTSIDE[each]), 0700)) die(OUTSIDE[each]);
  if (mkdir(below(arena, "outside/dir"), 0700)) die("outside/dir");
  write_file(below(arena, "outside/secret"), line);
  write_file(below(arena, "outside/dir/secret"), line);
  write_file(below(arena, "ws-other/secret"), line);
  write_file(below(arena, "outside/target"), "untouched\n");
  write_file(below(arena, "lib/data"), "library\n");
  write_file(below(arena, "ws/file"), "file\n");
}

static void append(FILE *into, const char *kind, const char *path, bool identified) {
  struct stat info;
  if (identified && stat(path, &info)) die(path);
  if (identified) fprintf(into, "%s %lu:%lu %s", kind, (unsigned long)info.st_dev, (unsigned long)info.st_ino, path);
  else fprintf(into, "%s - %s", kind, path);
  fputc(0, into);
}

void arena_write_policy(const struct arena *arena, const char *grants, const char *options) {
  FILE *into = fopen(arena->policy, "we");
  if (!into) die(arena->policy);
  fputs("confine 1", into);
  fputc(0, into);
  char *copy = strdup(options), *rest = NULL;
  for (char *option = strtok_r(copy, "\n", &rest); option; option = strtok_r(NULL, "\n", &rest)) {
    fprintf(into, "option %s", option);
    fputc(0, into);
  }
  free(copy);
  char path[PATH_SIZE];
  snprintf(path, sizeof path, "%s/base", arena->bundle);
  char *base = read_file(path);
  for (char *line = strtok_r(base, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
    fputs(line, into);
    fputc(0, into);
  }
  free(base);
  append(into, "ro", arena->bundle, true);
  append(into, "rw", below(arena, "ws"), true);
  append(into, "rw", below(arena, "tmp"), true);
  append(into, "ro", below(arena, "lib"), true);
  copy = strdup(grants);
  for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
    char *name = strchr(line, ' ');
    if (!name) continue;
    *name++ = 0;
    bool file = strstr(line, "-file") != NULL;
    char parent[PATH_SIZE], *slash;
    snprintf(parent, sizeof parent, "%s", below(arena, name));
    if (!file) {
      append(into, line, parent, true);
      continue;
    }
    // of a single file the identity is its directory's
    slash = strrchr(parent, '/');
    *slash = 0;
    struct stat info;
    if (stat(parent, &info)) die(parent);
    fprintf(into, "%s %lu:%lu %s", line, (unsigned long)info.st_dev, (unsigned long)info.st_ino, below(arena, name));
    fputc(0, into);
  }
  free(copy);
  if (fclose(into)) die(arena->policy);
}

static FILE *contents, *marks;

static int look_at(const char *path, const struct stat *info, int kind, struct FTW *where) {
  (void)where;
  fprintf(contents, "%s %o ", path, info->st_mode & S_IFMT);
  if (kind == FTW_SL) {
    char target[PATH_SIZE];
    ssize_t length = readlink(path, target, sizeof target);
    fprintf(contents, "-> %.*s", (int)(length < 0 ? 0 : length), target);
  } else if (kind == FTW_F && S_ISREG(info->st_mode)) {
    char *text = read_file(path);
    fputs(text, contents);
    free(text);
  }
  fputc('\n', contents);
  char attributes[1024];
  ssize_t length = llistxattr(path, attributes, sizeof attributes);
  fprintf(marks, "%s %o %u:%u", path, info->st_mode, info->st_uid, info->st_gid);
  // the time of a directory changes with its names, which are looked at above
  if (kind != FTW_D) fprintf(marks, " %ld.%09ld", (long)info->st_mtim.tv_sec, info->st_mtim.tv_nsec);
  for (ssize_t at = 0; at < length; at += (ssize_t)strlen(attributes + at) + 1) fprintf(marks, " %s", attributes + at);
  fputc('\n', marks);
  return 0;
}

// `run` is left out: bystanders live there.
struct outside arena_look(const struct arena *arena) {
  struct outside seen;
  size_t sizes[2];
  contents = open_memstream(&seen.contents, &sizes[0]);
  marks = open_memstream(&seen.marks, &sizes[1]);
  for (size_t each = 0; each < 3; each++)
    if (nftw(below(arena, OUTSIDE[each]), look_at, 8, FTW_PHYS)) fprintf(contents, "%s is gone\n", OUTSIDE[each]);
  // and what else is new in the home
  DIR *home = opendir(arena->home);
  for (struct dirent *entry; home && (entry = readdir(home));)
    if (strncmp(entry->d_name, "escaped", 7) == 0) fprintf(contents, "%s\n", entry->d_name);
  if (home) closedir(home);
  fclose(contents);
  fclose(marks);
  return seen;
}

void outside_free(struct outside *outside) {
  free(outside->contents);
  free(outside->marks);
}

static const char *wanted;
static bool found;

static int look_for_secret(const char *path, const struct stat *info, int kind, struct FTW *where) {
  (void)where;
  if (kind != FTW_F || !S_ISREG(info->st_mode)) return 0;
  int file = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (file < 0) return 0;
  char *text = malloc(OUTPUT_SIZE);
  ssize_t length = read(file, text, OUTPUT_SIZE);
  if (length > 0 && memmem(text, (size_t)length, wanted, strlen(wanted))) found = true;
  free(text);
  close(file);
  return 0;
}

bool arena_holds_secret(const struct arena *arena) {
  wanted = arena->secret;
  found = false;
  for (size_t each = 0; each < 2; each++) nftw(below(arena, INSIDE[each]), look_for_secret, 8, FTW_PHYS);
  return found;
}

char *read_file(const char *path) {
  int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  char *text = calloc(1, OUTPUT_SIZE + 1);
  if (file < 0) return text;
  if (read(file, text, OUTPUT_SIZE) < 0) text[0] = 0;
  close(file);
  return text;
}
