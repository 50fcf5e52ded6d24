#define _GNU_SOURCE
#include "words.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST (16u << 20)

static bool append(struct words *words, const char *bytes, size_t length) {
  char *grown = realloc(words->bytes, words->length + length);
  if (grown == NULL) return false;
  memcpy(grown + words->length, bytes, length);
  *words = (struct words){ grown, words->length + length };
  return true;
}

bool words_begin(struct words *words) {
  *words = (struct words){ NULL, 0 };
  return words_add(words, "confine 1");
}

bool words_add(struct words *words, const char *text) { return append(words, text, strlen(text) + 1); }

static bool absolute(const char *path, char *out, size_t room) {
  char here[PATH_MAX] = "";
  if (path[0] != '/' && getcwd(here, sizeof here) == NULL) return false;
  int length = snprintf(out, room, path[0] == '/' ? "%s%s" : "%s/%s", here, path);
  while (length > 1 && (size_t)length < room && out[length - 1] == '/') out[--length] = 0;
  return length > 0 && (size_t)length < room;
}

static bool add_real(struct words *words, const char *kind, const char *path) {
  char real[PATH_MAX], parent[PATH_MAX], text[PATH_MAX + 80];
  struct stat found;
  if (realpath(path, real) == NULL || stat(real, &found) != 0) return false;
  bool file = !S_ISDIR(found.st_mode);
  if (file) {
    char *slash = strrchr(strcpy(parent, real), '/');
    slash[slash == parent ? 1 : 0] = 0;
    if (stat(parent, &found) != 0) return false;
  }
  snprintf(text, sizeof text, "%s%s %llu:%llu %s", kind, file ? "-file" : "", (unsigned long long)found.st_dev,
           (unsigned long long)found.st_ino, real);
  return words_add(words, text);
}

bool words_add_path(struct words *words, const char *kind, const char *path) {
  char whole[PATH_MAX], text[PATH_MAX + 16];
  if (strcmp(kind, "ro") == 0 || strcmp(kind, "rw") == 0) return add_real(words, kind, path);
  if (!absolute(path, whole, sizeof whole)) return false;
  snprintf(text, sizeof text, "%s - %s", kind, whole);
  return words_add(words, text);
}

bool words_read(struct words *words, int fd) {
  char chunk[4096];
  ssize_t n;
  *words = (struct words){ NULL, 0 };
  while ((n = read(fd, chunk, sizeof chunk)) != 0) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    if (words->length + (size_t)n > MOST) { errno = E2BIG; return false; }
    if (!append(words, chunk, (size_t)n)) return false;
  }
  return true;
}
