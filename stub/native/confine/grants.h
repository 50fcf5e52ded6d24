// What one command may reach by now: its policy, and what was answered while it runs. It decides who is asked, never who gets: what
// the policy grants is held by the kernel, what an answer grants is opened by us.
#ifndef GRANTS_H
#define GRANTS_H
#include "policy.h"

enum grant_scope {
  GRANT_FILE,                             // this path alone
  GRANT_DIRECTORY,                        // this directory, and what lies directly in it
  GRANT_TREE,                             // this directory, and all below it
};

enum verdict {
  VERDICT_COVERED,                        // by the policy: the kernel lets it through by itself
  VERDICT_GRANTED,                        // by an answer: it is to be opened for the command
  VERDICT_REFUSED,                        // by an answer, or never to be asked about
  VERDICT_OPEN,                           // nobody has said anything yet
};

// `policy` is used for as long as the command runs.
void grants_begin(const struct policy *policy);

// `path` is a real path as this process sees it.
enum verdict grants_look(const char *path, bool write);

// Whether files may be made in the directory that holds `path`.
bool grants_make_beside(const char *path);

// Keeps an answer. False if there is no room for one more: then nothing is granted.
bool grants_keep(const char *path, enum grant_scope scope, bool write, bool allow);

// Whether a unix socket at this path may be connected to.
bool grants_socket(const char *path);

#endif
