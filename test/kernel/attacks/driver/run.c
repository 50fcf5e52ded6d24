#define _GNU_SOURCE
#include "driver.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void open_descriptors(const struct arena *arena, const char *descriptors) {
  int wanted;
  char mode, name[256];
  for (const char *line = descriptors; *line; line = strchr(line, '\n') + 1) {
    if (sscanf(line, "%d %c %255[^\n]", &wanted, &mode, name) != 3 || !strchr(line, '\n')) return;
    int flags = mode == 'r' ? O_RDONLY : mode == 'w' ? O_RDWR : mode == 'a' ? O_WRONLY | O_APPEND : mode == 'd' ? O_RDONLY | O_DIRECTORY : O_PATH;
    int file = open(below(arena, name), flags);
    if (file < 0 || dup2(file, wanted) < 0) _exit(2);
    if (file != wanted) close(file);
  }
}

struct run run_words(const struct arena *arena, char **words, const char *descriptors, int limit_seconds) {
  struct run run = {calloc(1, OUTPUT_SIZE + 1), 0, -1, false};
  int pipes[2];
  if (pipe2(pipes, O_CLOEXEC)) exit(2);
  pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);
    int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, 0);
    close(nothing);
    dup2(pipes[1], 1);
    dup2(pipes[1], 2);
    if (chdir(below(arena, "ws"))) _exit(2);
    open_descriptors(arena, descriptors);
    execvp(words[0], words);
    perror(words[0]);
    _exit(127);
  }
  close(pipes[1]);
  double end = now() + limit_seconds, last = 0;
  bool over = false, open = true;
  while (!over || (open && now() < last)) {
    struct pollfd said = {pipes[0], POLLIN, 0};
    if (open && poll(&said, 1, 5) > 0) {
      char bytes[4096];
      ssize_t length = read(pipes[0], bytes, sizeof bytes);
      if (length <= 0) open = false;
      else if (run.length + (size_t)length <= OUTPUT_SIZE) {
        memcpy(run.output + run.length, bytes, (size_t)length);
        run.length += (size_t)length;
      }
    } else if (!open) {
      usleep(2000);
    }
    int status;
    if (!over && waitpid(child, &status, WNOHANG) == child) {
      over = true;
      // what it left in the pipe; a daemon may hold that open for ever
      last = now() + 0.2;
      run.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    if (!over && now() > end) {
      run.timed_out = true;
      kill(-child, SIGKILL);
      kill(child, SIGKILL);
      end = now() + 5;
    }
  }
  close(pipes[0]);
  return run;
}

static pid_t parent_of(pid_t pid, char *state) {
  char path[64], text[512] = "";
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return -1;
  ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  char *end = length > 0 ? strrchr(text, ')') : NULL;
  int parent;
  if (!end || sscanf(end + 1, " %c %d", state, &parent) != 2) return -1;
  return parent;
}

size_t descendants(pid_t *into, size_t size) {
  pid_t reaped;
  while ((reaped = waitpid(-1, NULL, WNOHANG)) > 0) continue;
  // who loses its parent becomes our child: without a child there is nobody, and no need to look at all processes
  if (reaped < 0 && errno == ECHILD) return 0;
  static struct { pid_t pid, parent; } all[32768];
  size_t count = 0, found = 0;
  DIR *proc = opendir("/proc");
  for (struct dirent *entry; proc && (entry = readdir(proc)) && count < sizeof all / sizeof *all;) {
    pid_t pid = atoi(entry->d_name);
    char state = 0;
    if (pid <= 0) continue;
    pid_t parent = parent_of(pid, &state);
    if (parent > 0 && state != 'Z' && state != 'X') {
      all[count].pid = pid;
      all[count++].parent = parent;
    }
  }
  if (proc) closedir(proc);
  pid_t parents[256] = {getpid()};
  size_t known = 1;
  for (size_t next = 0; next < known; next++)
    for (size_t each = 0; each < count; each++)
      if (all[each].parent == parents[next] && known < 256) parents[known++] = all[each].pid;
  for (size_t each = 1; each < known && found < size; each++) into[found++] = parents[each];
  return found;
}

void kill_descendants(void) {
  pid_t left[256];
  for (size_t count; (count = descendants(left, 256)) > 0; usleep(2000))
    for (size_t each = 0; each < count; each++) kill(left[each], SIGKILL);
}

void wait_for_others(const pid_t *kept, size_t count, int limit_seconds) {
  double end = now() + limit_seconds;
  for (;;) {
    pid_t left[256];
    size_t others = 0, all = descendants(left, 256);
    for (size_t each = 0; each < all; each++) {
      bool is_kept = false;
      for (size_t one = 0; one < count; one++) is_kept = is_kept || kept[one] == left[each];
      if (is_kept) continue;
      others++;
      if (now() > end) kill(left[each], SIGKILL);
    }
    if (others == 0) return;
    usleep(5000);
  }
}
