// The stub's environment: the user's, without what would change the stub itself (a library preloaded for the host's own C
// library, switches of Node). Such a variable is kept as OPENCODE_REMOTE_SSH_KEEP_<name>: the stub gives it back to commands.
#include "launcher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEEP "OPENCODE_REMOTE_SSH_KEEP_"
#define PARTS "OPENCODE_REMOTE_SSH_PARTS="

static bool changes_the_stub(const char *variable) {
  static const char *const starts[] = {"NODE_",            "LD_PRELOAD=",     "LD_AUDIT=",       "OPENSSL_CONF=",
                                       "OPENSSL_MODULES=", "OPENSSL_ENGINES=", "GLIBC_TUNABLES=", "UV_THREADPOOL_SIZE=",
                                       "UV_USE_IO_URING="};
  for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
    if (strncmp(variable, starts[i], strlen(starts[i])) == 0) return true;
  return false;
}

static char *concatenate(const char *left, const char *right) {
  size_t size = strlen(left) + strlen(right) + 1;
  char *text = malloc(size);
  if (text == NULL) fail(EXIT_INSTALL_FAILED, "out of memory");
  snprintf(text, size, "%s%s", left, right);
  return text;
}

char **stub_environment(char **environment, const char *parts) {
  size_t count = 0;
  while (environment[count] != NULL) count++;
  char **result = calloc(count + 2, sizeof *result);
  if (result == NULL) fail(EXIT_INSTALL_FAILED, "out of memory");
  size_t used = 0;
  for (size_t i = 0; i < count; i++) {
    // Not from the outside: a command of an older stub may be what starts us.
    if (strncmp(environment[i], PARTS, strlen(PARTS)) == 0 || strncmp(environment[i], KEEP, strlen(KEEP)) == 0) continue;
    result[used++] = changes_the_stub(environment[i]) ? concatenate(KEEP, environment[i]) : environment[i];
  }
  result[used] = concatenate(PARTS, parts);
  return result;
}
