// A child under a filter (and rule set), and its supervisor: this process.
#ifndef SUPERVISED_H
#define SUPERVISED_H
#include "../grants.h"
#include "../kernel.h"
#include <stdbool.h>

struct supervised {
  unsigned level;                         // enum confine_level, with LEVEL_ASK
  const char *root;                       // approved, read and write
  bool allow;                             // each ask
  enum grant_scope scope;
  void (*serve)(int listener, const struct seccomp_notif *connect);       // NULL: as it is
  int drain[1];                           // a server whose connections are taken and dropped; 0: none

  unsigned asked;
  char path[4096], blocked[4096];         // of the last
  const char *operation;
  bool write, directory;
  unsigned refused;
};

// Exit status of the child, which leaves `body` with 0; ends the test where it ended by a signal.
int supervise_status(struct supervised *run, void (*body)(void));

// The same, and a child that failed fails the test.
void supervise(struct supervised *run, void (*body)(void));

#endif
