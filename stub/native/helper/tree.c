// The tree is read from /proc as a whole (one pass over all processes), then walked from this process down.
// A pid may be reused between the look and the signal: so a process is pinned by a pidfd (Linux 5.3), compared by its
// start time, and only then signalled; where there is no pidfd the comparison stands right before kill().
#define _GNU_SOURCE
#include "tree.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424         // these two have the same number on every architecture
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

static bool read_process(const char *name, struct process *out) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%.20s/stat", name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return false;
  text[n] = 0;
  char *rest = strrchr(text, ')');        // the name before it may hold anything
  if (rest == NULL) return false;
  unsigned long long start = 0;
  int parent = 0, group = 0;
  int got = sscanf(rest + 1, " %c %d %d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
                   &out->state, &parent, &group, &start);
  out->pid = (pid_t)atoi(name);
  out->parent = parent;
  out->group = group;
  out->start = start;
  return got == 4;
}

uint64_t tree_start_time(pid_t pid) {
  char name[24];
  struct process process;
  snprintf(name, sizeof name, "%d", (int)pid);
  return read_process(name, &process) ? process.start : 0;
}

// Every process of this machine, as an array that the caller frees.
static struct process *read_all(size_t *count) {
  size_t room = 0;
  struct process *all = NULL;
  *count = 0;
  DIR *proc = opendir("/proc");
  if (proc == NULL) return NULL;
  for (struct dirent *entry; (entry = readdir(proc)) != NULL;) {
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    if (*count == room) {
      size_t wanted = room ? room * 2 : 256;
      struct process *grown = realloc(all, wanted * sizeof *all);
      if (grown == NULL) break;
      all = grown;
      room = wanted;
    }
    if (read_process(entry->d_name, &all[*count])) (*count)++;
  }
  closedir(proc);
  return all;
}

size_t tree_descendants(struct process *out, size_t limit) {
  size_t total, living = 0, moved = 0;
  struct process *all = read_all(&total);
  pid_t self = getpid();
  // Descendants are moved to the front, generation after generation: [0, moved) are found, [from, moved) are the newest.
  for (size_t from = 0, first = 1; first || from < moved; first = 0) {
    size_t until = moved;
    for (size_t i = moved; i < total; i++) {
      bool child = first && all[i].parent == self;
      for (size_t k = from; k < until && !child; k++) child = all[i].parent == all[k].pid;
      if (!child) continue;
      struct process found = all[i];
      all[i] = all[moved];
      all[moved++] = found;
    }
    from = until;
  }
  for (size_t i = 0; i < moved; i++) {
    if (all[i].state == 'Z' || all[i].state == 'X') continue;
    if (living < limit) out[living] = all[i];
    living++;
  }
  free(all);
  return living;
}

static void signal_one(const struct process *process, int signal) {
  int fd = (int)syscall(SYS_pidfd_open, process->pid, 0);
  bool same = tree_start_time(process->pid) == process->start;
  if (fd < 0) {
    if (same && errno != ESRCH) kill(process->pid, signal);
    return;
  }
  if (same && syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0) != 0 && (errno == ENOSYS || errno == EPERM))
    kill(process->pid, signal);
  close(fd);
}

size_t tree_signal(int signal, pid_t except) {
  enum { LIMIT = 4096 };
  struct process *found = calloc(LIMIT, sizeof *found);
  if (found == NULL) return 0;
  size_t count = tree_descendants(found, LIMIT);
  for (size_t i = 0; i < count && i < LIMIT; i++)
    if (except == 0 || found[i].group != except) signal_one(&found[i], signal);
  free(found);
  return count;
}
