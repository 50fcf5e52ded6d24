// place.c on a kernel without openat2: the component walk must refuse exactly what the kernel would.
// usage: place_test open|chdir|remove PATH     prints "opened <what readlink says>" or the errno's name
#define _GNU_SOURCE
#include <sys/syscall.h>
#ifdef WITHOUT_OPENAT2
#undef SYS_openat2
#define SYS_openat2 9999
#endif
#include "../place.c"

static const char *name_of(int error) {
  return error == ENOENT ? "ENOENT" : error == ENOTDIR ? "ENOTDIR" : error == ELOOP ? "ELOOP" : error == EINVAL ? "EINVAL" : "other";
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  if (strcmp(argv[1], "remove") == 0) {
    place_remove(argv[2]);
    return 0;
  }
  if (strcmp(argv[1], "chdir") == 0) {    // the naive way, for comparison
    int failed = chdir(argv[2]);
    puts(failed ? name_of(errno) : "opened");
    return 0;
  }
  int fd = place_open(argv[2]);
  puts(fd < 0 ? name_of(errno) : fchdir(fd) == 0 ? "opened" : "other");
  return 0;
}
