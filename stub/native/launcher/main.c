// The front of the one file: what the command line means (docs/protocol.md, "The one file").
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

struct command_line {
  bool daemonize, probe;
  const char *install_root, *log_file, *socket;
  char **arguments; // for the stub: argv without --daemonize; [0] is set later
};

// `--name VALUE` and `--name=VALUE`.
static const char *value_of(const char *name, char **at) {
  size_t length = strlen(name);
  if (strncmp(*at, name, length) != 0) return NULL;
  if ((*at)[length] == '=') return *at + length + 1;
  return (*at)[length] == 0 ? at[1] : NULL;
}

static struct command_line parse(int count, char **arguments) {
  struct command_line line = {.arguments = calloc((size_t)count + 1, sizeof(char *))};
  if (line.arguments == NULL) fail(EXIT_INSTALL_FAILED, "out of memory");
  size_t used = 1;
  for (int i = 1; i < count; i++) {
    const char *value;
    if (strcmp(arguments[i], "--daemonize") == 0) {
      line.daemonize = true;
      continue;
    }
    if (strcmp(arguments[i], "--probe") == 0) line.probe = true;
    if ((value = value_of("--install-root", &arguments[i]))) line.install_root = value;
    if ((value = value_of("--log-file", &arguments[i]))) line.log_file = value;
    if ((value = value_of("--socket", &arguments[i]))) line.socket = value;
    line.arguments[used++] = arguments[i];
  }
  return line;
}

// A caller may have closed 0, 1 or 2: what is opened next must not take their place.
static void occupy_standard_descriptors(void) {
  int fd;
  while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= STDERR_FILENO) continue;
  if (fd >= 0) close(fd);
}

static _Noreturn void become_stub(struct command_line *line) {
  struct container container;
  char root[PATH_MAX], directory[PATH_MAX], stub[PATH_MAX], log_file[PATH_MAX];
  container_open(&container);
  check_address_space();
  install_root(root, line->install_root);
  // A write beyond `ulimit -f` is to be an error, not the end; the stub gets back what was set.
  void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
  int in_use = unpack(&container, root, line->probe, directory);
  signal(SIGXFSZ, before);
  path_join(stub, "%s/stub", directory);
  line->arguments[0] = stub;
  char **environment = stub_environment(environ, directory);
  if (line->daemonize) {
    if (line->log_file != NULL) path_join(log_file, "%s", line->log_file);
    else path_join(log_file, "%s/log/stub.log", root);
    daemonize_and_execute(log_file, in_use, line->arguments, environment);
  }
  execve(stub, line->arguments, environment);
  fail_executing(stub, errno);
}

int main(int count, char **arguments) {
  occupy_standard_descriptors();
  const char *first = count > 1 ? arguments[1] : "";
  if (strcmp(first, "--version") == 0) {
    struct container container;
    container_open(&container);
    printf("%s protocol %s\n", container.version, container.protocol);
    return fflush(stdout) == 0 ? 0 : 1;
  }
  if (strcmp(first, "--verify") == 0) {
    if (count != 3 || strlen(arguments[2]) != SHA256_HEX - 1) fail(EXIT_USAGE, "--verify needs 64 hex digits");
    return verify_command(arguments[2]);
  }
  struct command_line line = parse(count, arguments);
  if (strcmp(first, "attach") == 0) {
    char root[PATH_MAX] = "";
    if (line.socket == NULL) install_root(root, line.install_root);
    return attach_command(root, line.socket);
  }
  become_stub(&line);
}
