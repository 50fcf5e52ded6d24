// The one way in which the launcher reports an error: one line, one exit code.
#include "launcher.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *code_of(int status) {
  switch (status) {
    case EXIT_USAGE: return "usage";
    case EXIT_STUB_MISSING: return "stub_missing";
    case EXIT_NO_SPACE: return "no_space";
    case EXIT_NO_INODES: return "no_inodes";
    case EXIT_ADDRESS_SPACE: return "address_space_limited";
    case EXIT_NOEXEC: return "noexec";
    case EXIT_UPLOAD_CORRUPT: return "upload_corrupt";
    case EXIT_PLATFORM: return "platform_unsupported";
    default: return "install_failed";
  }
}

void fail(int status, const char *format, ...) {
  char message[2 * PATH_MAX];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  // A path may hold anything: what is printed stays one line.
  for (char *at = message; *at; at++)
    if ((unsigned char)*at < ' ' || *at == 127) *at = '?';
  dprintf(STDERR_FILENO, "error %s: %s\n", code_of(status), message);
  _exit(status);
}

void path_join(char path[PATH_MAX], const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(path, PATH_MAX, format, arguments);
  va_end(arguments);
  if (length < 0 || length >= PATH_MAX) fail(EXIT_INSTALL_FAILED, "a path is longer than %d bytes", PATH_MAX);
}
