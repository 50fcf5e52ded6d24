// The helper's command line. People never need it; the stub does.
#include "../confine/confine_cli.h"
#include "environment.h"
#include "place.h"
#include "spawner.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef HELPER_VERSION
#define HELPER_VERSION "1"
#endif

int main(int argc, char **argv, char **envp) {
  if (argc == 2 && strcmp(argv[1], "--version") == 0) {
    printf("opencode-remote-ssh helper " HELPER_VERSION "\n");
    return 0;
  }
  if (argc == 2 && strcmp(argv[1], "--spawner") == 0) return spawner_run(argv);
  if (argc == 3 && strcmp(argv[1], "--remove") == 0) {
    place_remove(argv[2]);
    return access(argv[2], F_OK) == 0;
  }
  if (argc == 3 && strcmp(argv[1], "--environment") == 0) return environment_print(argv[2], envp);
  if (argc >= 2 && strcmp(argv[1], "confine") == 0) return confine_cli(argc - 1, argv + 1);
  fprintf(stderr,
          "usage: helper --version\n"
          "       helper --spawner              started by the stub, with a socket as descriptor 3\n"
          "       helper --environment MARKER   prints umask and environment between two MARKERs\n"
          "       helper confine ...            runs one command confined (helper confine --help)\n"
          "       helper --remove DIRECTORY     with all in it, following no link; exit 0 if it is gone\n");
  return 2;
}
