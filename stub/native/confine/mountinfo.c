#define _GNU_SOURCE
#include "mountinfo.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

// \040 and others stand for what would break a line.
static void unescape(char *text) {
  char *to = text;
  for (char *from = text; *from != 0;) {
    if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] != 0 && from[3] != 0) {
      *to++ = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
      from += 4;
    } else {
      *to++ = *from++;
    }
  }
  *to = 0;
}

static unsigned long parse_flags(char *options) {
  static const struct { const char *name; unsigned long flag; } FLAGS[] = {
    { "ro", MS_RDONLY }, { "nosuid", MS_NOSUID }, { "nodev", MS_NODEV }, { "noexec", MS_NOEXEC } };
  unsigned long flags = 0;
  for (char *option; (option = strsep(&options, ",")) != NULL;)
    for (size_t i = 0; i < sizeof FLAGS / sizeof *FLAGS; i++)
      if (strcmp(option, FLAGS[i].name) == 0) flags |= FLAGS[i].flag;
  return flags;
}

// ID PARENT MAJOR:MINOR ROOT PATH OPTIONS …
static int parse(char *line, struct mounted *out) {
  char *fields[6];
  for (int i = 0; i < 6; i++)
    if ((fields[i] = strsep(&line, " ")) == NULL) return EIO;
  out->id = atoi(fields[0]);
  unescape(fields[4]);
  out->path = fields[4];
  out->flags = parse_flags(fields[5]);
  return 0;
}

int mountinfo_each(int (*each)(const struct mounted *mounted, void *context), void *context) {
  FILE *file = fopen("/proc/self/mountinfo", "re");
  if (file == NULL) return errno;
  char *line = NULL;
  size_t room = 0;
  int error = 0;
  errno = 0;
  while (error == 0 && getline(&line, &room, file) > 0) {
    struct mounted mounted;
    error = parse(line, &mounted);
    if (error == 0) error = each(&mounted, context);
  }
  if (error == 0 && ferror(file)) error = EIO;
  free(line);
  fclose(file);
  return error;
}

int mountinfo_id(int fd) {
  char path[64], line[128];
  int id = -1;
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  FILE *file = fopen(path, "re");
  if (file == NULL) return -1;
  while (fgets(line, sizeof line, file) != NULL)
    if (sscanf(line, "mnt_id: %d", &id) == 1) break;
  fclose(file);
  return id;
}
