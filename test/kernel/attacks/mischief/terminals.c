// Other terminals of the user: one that a bystander sits at, and the command's own, at which the user types again afterwards.
#define _GNU_SOURCE
#include "mischief.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static int new_terminal(void) {
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0 || grantpt(master) || unlockpt(master)) give_up("ptmx");
  return master;
}

// LOG FILE: what is shown at this terminal goes to LOG, what is typed there is FILE. Tells its name and the pid that sits there.
static int sit(char **args) {
  static char typed[256];
  size_t length = slurp(args[1], typed, sizeof typed);
  int master = new_terminal(), log = open(args[0], O_WRONLY | O_CREAT | O_APPEND, 0600), pipes[2];
  if (log < 0 || pipe(pipes)) give_up(args[0]);
  char name[64], told[128];
  snprintf(name, sizeof name, "%s", ptsname(master));
  if (fork() != 0) {
    close(pipes[1]);
    ssize_t got = read(pipes[0], told, sizeof told);
    if (got <= 0) give_up("sit");
    say(told, (size_t)got);
    return 0;
  }
  pid_t sitter = fork();
  if (sitter == 0) {
    setsid();
    int slave = open(name, O_RDWR);
    struct termios raw;
    tcgetattr(slave, &raw);
    cfmakeraw(&raw);
    tcsetattr(slave, TCSANOW, &raw);
    for (int each = 0; each < 3; each++) dup2(slave, each);
    int size = snprintf(told, sizeof told, "%s %d\n", name, getpid());
    if (write(pipes[1], told, (size_t)size) != size) _exit(1);
    for (;;) pause();
  }
  close(pipes[1]);
  become_bystander("");
  for (int turn = 0;; turn++) {
    struct pollfd shown = {master, POLLIN, 0};
    char bytes[256];
    if (poll(&shown, 1, 50) > 0) {
      ssize_t got = read(master, bytes, sizeof bytes);
      if (got > 0 && write(log, bytes, (size_t)got) < 0) _exit(1);
    }
    if (turn % 4 == 0 && turn < 40 && write(master, typed, length) < 0) _exit(1);
  }
}

// PROGRAM ARGUMENTS: runs it at a terminal; afterwards the line that waits there is run by a shell, as the user's would.
static int at_terminal(char **args) {
  int master = new_terminal();
  char name[64];
  snprintf(name, sizeof name, "%s", ptsname(master));
  pid_t shell = fork();
  if (shell == 0) {
    setsid();
    int slave = open(name, O_RDWR);
    for (int each = 0; each < 3; each++) dup2(slave, each);
    close(master);
    pid_t command = fork();
    if (command == 0) {
      execvp(args[0], args);
      _exit(127);
    }
    int status;
    waitpid(command, &status, 0);
    struct pollfd typed = {0, POLLIN, 0};
    char line[512];
    if (poll(&typed, 1, 300) > 0) {
      ssize_t length = read(0, line, sizeof line - 1);
      if (length > 0) {
        line[length] = 0;
        if (system(line) < 0) _exit(1);
      }
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  }
  char bytes[4096];
  ssize_t length;
  while ((length = read(master, bytes, sizeof bytes)) > 0) say(bytes, (size_t)length);
  int status;
  waitpid(shell, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int type_into(int terminal, unsigned long request, const char *text) {
  for (; *text; text++)
    if (ioctl(terminal, request, text)) give_up("ioctl");
  return 0;
}

// TEXT, into the own terminal.
static int type(char **args) {
  int terminal = open("/dev/tty", O_RDWR);
  return type_into(terminal < 0 ? 0 : terminal, TIOCSTI, args[0]);
}

// The same with bits that the kernel ignores in the number of a request.
static int type_widely(char **args) { return type_into(0, TIOCSTI | 0x100000000UL, args[0]); }

// Through stdout and stderr: any descriptor of the terminal will do.
static int type_by_output(char **args) { return type_into(1, TIOCSTI, args[0]); }

// In a child of another process group.
static int type_from_child(char **args) {
  pid_t child = fork();
  if (child == 0) _exit(type_into(0, TIOCSTI, args[0]));
  int status;
  waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

const struct deed terminal_deeds[] = {
  {"sit", sit},
  {"at-terminal", at_terminal},
  {"type", type},
  {"type-widely", type_widely},
  {"type-by-output", type_by_output},
  {"type-from-child", type_from_child},
  {NULL, NULL},
};
