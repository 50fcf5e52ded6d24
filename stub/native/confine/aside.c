#define _GNU_SOURCE
#include "aside.h"
#include "kernel.h"
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <unistd.h>

enum { LOOK_MS = 200 };

static void wake(int signal) { (void)signal; }

bool aside(bool *failed) {
  pid_t parent = getpid(), child = fork();
  *failed = child < 0;
  if (child != 0) return false;
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (getppid() != parent) _exit(0);
  struct sigaction action = { .sa_handler = wake };       // no SA_RESTART: what blocks comes back
  struct itimerval again = { { 0, LOOK_MS * 1000 }, { 0, LOOK_MS * 1000 } };
  sigset_t alarm;
  sigaction(SIGALRM, &action, NULL);
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  sigaddset(&alarm, SIGTERM);
  sigprocmask(SIG_UNBLOCK, &alarm, NULL);
  setitimer(ITIMER_REAL, &again, NULL);
  return true;
}

void aside_check(int listener, uint64_t id) {
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) != 0) _exit(0);
}
