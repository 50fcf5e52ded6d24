// `attach`: joins stdin and stdout to the stub's unix socket, for hosts where sshd forbids forwarding.
// Bytes both ways; the end of either direction is passed on by itself. Needs neither /proc nor an unpacked stub.
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// The value of "socket" in run/stub.json, which the stub writes; false if there is none.
static bool recorded_socket(const char *root, char path[PATH_MAX]) {
  char file[PATH_MAX], text[16 * 1024];
  path_join(file, "%s/run/stub.json", root);
  int fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t length = read(fd, text, sizeof text - 1);
  close(fd);
  if (length <= 0) return false;
  text[length] = 0;
  char *at = strstr(text, "\"socket\"");
  if (at == NULL) return false;
  at += strlen("\"socket\"");
  at += strspn(at, " \t\r\n:");
  if (*at++ != '"') return false;
  size_t used = 0;
  for (; *at != 0 && *at != '"' && used < PATH_MAX - 1; at++) {
    if (*at == '\\' && *++at != '"' && *at != '\\' && *at != '/') return false; // no path of ours has other escapes
    path[used++] = *at;
  }
  path[used] = 0;
  return *at == '"' && used > 0;
}

static int connect_to(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path)
    fail(EXIT_STUB_MISSING, "%s: longer than a socket's path may be", path);
  memcpy(address.sun_path, path, strlen(path));
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail(EXIT_INSTALL_FAILED, "socket: %s", strerror(errno));
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
    fail(EXIT_STUB_MISSING, "nothing answers at %s: %s", path, strerror(errno));
  return fd;
}

// Until the end of `from`. False: `to` takes no more.
static bool copy(int from, int to) {
  char *buffer = malloc(128 * 1024);
  if (buffer == NULL) return false;
  bool writable = true;
  while (writable) {
    ssize_t got = read(from, buffer, 128 * 1024);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    for (ssize_t done = 0; writable && done < got;) {
      ssize_t wrote = write(to, buffer + done, (size_t)(got - done));
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) writable = false;
      else done += wrote;
    }
  }
  free(buffer);
  return writable;
}

static void *send_stdin(void *argument) {
  int fd = *(int *)argument;
  if (copy(STDIN_FILENO, fd)) shutdown(fd, SHUT_WR);
  return NULL;
}

// Ends when the stub has closed, or nobody reads stdout any more.
int attach_command(const char *root, const char *socket_path) {
  char path[PATH_MAX];
  if (socket_path != NULL) path_join(path, "%s", socket_path);
  else if (!recorded_socket(root, path)) path_join(path, "%s/run/stub.sock", root);
  int fd = connect_to(path);
  signal(SIGPIPE, SIG_IGN);
  pthread_t sender;
  int error = pthread_create(&sender, NULL, send_stdin, &fd);
  if (error != 0) fail(EXIT_INSTALL_FAILED, "thread: %s", strerror(error));
  if (copy(fd, STDOUT_FILENO)) {
    // The stub has said all: our reader learns it, and may still send until the stub has closed altogether.
    close(STDOUT_FILENO);
    struct pollfd closed = {.fd = fd, .events = 0};
    while (poll(&closed, 1, -1) < 0 && errno == EINTR) continue;
  }
  return 0;
}
