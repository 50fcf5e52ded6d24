#include "mischief.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void give_up(const char *what) {
  fprintf(stderr, "mischief: %s: %s\n", what, strerror(errno));
  exit(1);
}

size_t slurp(const char *path, char *into, size_t size) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) give_up(path);
  ssize_t length = read(file, into, size);
  if (length < 0) give_up(path);
  close(file);
  return (size_t)length;
}

void say(const char *bytes, size_t length) {
  if (write(STDOUT_FILENO, bytes, length) < 0) exit(1);
}

void become_bystander(const char *told) {
  say(told, strlen(told));
  if (fork() != 0) _exit(0);
  setsid();
  int nothing = open("/dev/null", O_RDWR);
  for (int each = 0; each < 3; each++) dup2(nothing, each);
  close(nothing);
}

int main(int argc, char **argv) {
  const struct deed *all[] = {file_deeds, process_deeds, socket_deeds, ipc_deeds, terminal_deeds, abi_deeds};
  for (size_t table = 0; argc > 1 && table < sizeof all / sizeof *all; table++)
    for (const struct deed *deed = all[table]; deed->name; deed++)
      if (strcmp(deed->name, argv[1]) == 0) return deed->run(argv + 2);
  fprintf(stderr, "mischief: unknown deed\n");
  return 2;
}
