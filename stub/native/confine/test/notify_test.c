// The supervisor, with a real child under a real filter (and rule set). The control of each race is the way it must not be done.
#define _GNU_SOURCE
#include "../confine.h"
#include "../give.h"
#include "../grants.h"
#include "../kernel.h"
#include "../landlock.h"
#include "../notify.h"
#include "check.h"
#include "supervised.h"
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { ROOM = PATH_MAX + 256, FLIPS = 60000, SWAPS = 20000 };

static char inside[ROOM], outside[ROOM], own_file[ROOM], secret[ROOM];

// An approved directory with a file, one beside it with a secret.
static void lay_out(void) {
  strcpy(inside, in_scratch("inside"));
  strcpy(outside, in_scratch("outside"));
  make_directory(inside);
  make_directory(outside);
  strcpy(own_file, in_scratch("inside/file"));
  strcpy(secret, in_scratch("outside/secret"));
  make_file(own_file, "own");
  make_file(secret, "secret");
}

// Most of it is the supervisor's own; only what the kernel is to refuse needs a rule set.
static unsigned level(void) { return LEVEL_ASK | (landlock_abi() > 0 ? LEVEL_LANDLOCK : 0); }

static unsigned landlock(void) {
  if (landlock_abi() == 0) check_skip("no Landlock");
  return LEVEL_LANDLOCK | LEVEL_ASK;
}

static int read_first(const char *path) {
  char byte = 0;
  int fd = open(path, O_RDONLY);
  if (fd < 0) return -errno;
  ssize_t n = read(fd, &byte, 1);
  close(fd);
  return n == 1 ? byte : -EIO;
}

static void reads_through_a_link(void) {
  const char *link = in_scratch("inside/link");
  EQUAL(symlink(secret, link), 0);
  EQUAL(read_first(link), 's');
  EQUAL(read_first(own_file), 'o');
}

static void asked_and_given(void) {
  lay_out();
  struct supervised run = { .level = level(), .root = inside, .allow = true, .scope = GRANT_FILE };
  supervise(&run, reads_through_a_link);
  EQUAL(run.asked, 1);
  CHECK(strcmp(run.path, secret) == 0);
  CHECK(!run.write && !run.directory);
}

static void reads_in_vain(void) {
  EQUAL(read_first(secret), -EACCES);
  EQUAL(read_first(secret), -EACCES);
  EQUAL(read_first(in_scratch("nothing")), -ENOENT);
}

static void asked_and_refused(void) {
  lay_out();
  struct supervised run = { .level = level(), .root = inside, .allow = false, .scope = GRANT_FILE };
  supervise(&run, reads_in_vain);
  EQUAL(run.asked, 1);
  CHECK(strcmp(run.blocked, secret) == 0);
}

static void reads_two_and_lists(void) {
  const char *other = in_scratch("outside/other"), *below = in_scratch("outside/below/file");
  EQUAL(read_first(secret), 's');
  EQUAL(read_first(other), 'o');
  int fd = open(outside, O_RDONLY | O_DIRECTORY);
  CHECK(fd >= 0);
  CHECK(openat(fd, "other", O_RDONLY) >= 0);
  EQUAL(read_first(below), 'b');          // asked again
  EQUAL(open(secret, O_WRONLY) < 0 ? errno : 0, 0);
}

static void directory_once(void) {
  lay_out();
  make_file(in_scratch("outside/other"), "other");
  make_directory(in_scratch("outside/below"));
  make_file(in_scratch("outside/below/file"), "below");
  struct supervised run = { .level = level(), .root = inside, .allow = true, .scope = GRANT_DIRECTORY };
  supervise(&run, reads_two_and_lists);
  EQUAL(run.asked, 3);                    // reading the directory, reading the one below it, writing
}

static void makes_a_file(void) {
  const char *path = in_scratch("outside/new");
  umask(027);
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  CHECK(fd >= 0);
  EQUAL(fcntl(fd, F_GETFD), FD_CLOEXEC);
  EQUAL(write(fd, "new", 3), 3);
  EQUAL(open(path, O_WRONLY | O_CREAT | O_EXCL, 0666) < 0 ? errno : 0, EEXIST);
}

static void new_file(void) {
  struct stat made;
  lay_out();
  umask(0);
  struct supervised run = { .level = level(), .root = inside, .allow = true, .scope = GRANT_DIRECTORY };
  supervise(&run, makes_a_file);
  EQUAL(run.asked, 1);
  CHECK(run.write && strcmp(run.path, in_scratch("outside/new")) == 0);
  EQUAL(stat(in_scratch("outside/new"), &made), 0);
  EQUAL(made.st_mode & 07777, 0640);
  EQUAL(made.st_uid, geteuid());
  EQUAL(made.st_size, 3);
}

static void tries_what_cannot_be_given(void) {
  const char *path = in_scratch("outside/directory");
  EQUAL(mkdir(path, 0777) < 0 ? errno : 0, EACCES);
  EQUAL(mkdir(outside, 0777) < 0 ? errno : 0, EEXIST);
}

static void noted(void) {
  lay_out();
  struct supervised run = { .level = landlock(), .root = inside };
  supervise(&run, tries_what_cannot_be_given);
  EQUAL(run.asked, 0);
  EQUAL(run.refused, 1);
  CHECK(strcmp(run.blocked, in_scratch("outside/directory")) == 0);
  CHECK(strcmp(run.operation, "mkdir") == 0);
}

static void reads_a_pipe(void) {
  const char *path = in_scratch("outside/pipe");
  EQUAL(read_first(path), 'p');
}

static void *feed(void *path) {
  int fd;
  usleep(50000);
  while ((fd = open(path, O_WRONLY | O_NONBLOCK)) < 0) usleep(1000);      // no reader yet
  if (write(fd, "p", 1) != 1) abort();
  close(fd);
  return NULL;
}

static void a_pipe(void) {
  lay_out();
  pthread_t writer;
  static char path[ROOM];
  strcpy(path, in_scratch("outside/pipe"));
  EQUAL(mkfifo(path, 0600), 0);
  EQUAL(pthread_create(&writer, NULL, feed, path), 0);
  struct supervised run = { .level = level(), .root = inside, .allow = true };
  supervise(&run, reads_a_pipe);
}

static void changes_what_is_inside(void) {
  struct timespec times[2] = { { 1000, 5 }, { 2000, 7 } };
  char fd_path[64];
  EQUAL(chdir(inside), 0);
  EQUAL(chmod("file", 0640), 0);
  EQUAL(fchmodat(AT_FDCWD, own_file, 0604, 0), 0);
  EQUAL(chown("file", -1, getegid()), 0);
  EQUAL(utimensat(AT_FDCWD, "file", times, 0), 0);
  EQUAL(lchown("link", -1, getegid()), 0);
  EQUAL(utimensat(AT_FDCWD, "link", times, AT_SYMLINK_NOFOLLOW), 0);
  int fd = open("file", O_PATH);
  snprintf(fd_path, sizeof fd_path, "/proc/self/fd/%d", fd);
  EQUAL(chmod(fd_path, 0600), 0);
  EQUAL(fchownat(fd, "", -1, getegid(), AT_EMPTY_PATH), 0);
  EQUAL(futimens(open("file", O_RDONLY), NULL), 0);
  EQUAL(chmod("nothing", 0600) < 0 ? errno : 0, ENOENT);
}

static void changes_what_is_outside(void) {
  struct timespec times[2] = { { 1000, 5 }, { 2000, 7 } };
  char fd_path[64];
  int fd = open(secret, O_PATH);
  snprintf(fd_path, sizeof fd_path, "/proc/self/fd/%d", fd);
  EQUAL(chmod(secret, 0666) < 0 ? errno : 0, EACCES);
  EQUAL(chmod(in_scratch("inside/link"), 0666) < 0 ? errno : 0, EACCES);
  EQUAL(chmod(fd_path, 0666) < 0 ? errno : 0, EACCES);
  EQUAL(chown(secret, -1, getegid()) < 0 ? errno : 0, EACCES);
  EQUAL(fchownat(fd, "", -1, getegid(), AT_EMPTY_PATH) < 0 ? errno : 0, EACCES);
  EQUAL(utimensat(AT_FDCWD, secret, times, 0) < 0 ? errno : 0, EACCES);
  EQUAL(setxattr(secret, "user.x", "y", 1, 0) < 0 ? errno : 0, EACCES);
}

static void changes_inside(void) {
  struct stat made;
  lay_out();
  EQUAL(symlink(own_file, in_scratch("inside/link")), 0);
  struct supervised run = { .level = level(), .root = inside };
  supervise(&run, changes_what_is_inside);
  EQUAL(run.asked, 0);
  EQUAL(stat(own_file, &made), 0);
  EQUAL(made.st_mode & 07777, 0600);
  EQUAL(lstat(in_scratch("inside/link"), &made), 0);
  EQUAL(made.st_mtim.tv_sec, 2000);
}

static void changes_outside(void) {
  struct stat before, after;
  lay_out();
  EQUAL(symlink(secret, in_scratch("inside/link")), 0);
  EQUAL(stat(secret, &before), 0);
  struct supervised run = { .level = level(), .root = inside, .allow = false, .scope = GRANT_DIRECTORY };
  supervise(&run, changes_what_is_outside);
  EQUAL(run.asked, 1);
  CHECK(strcmp(run.path, secret) == 0 && run.write);
  EQUAL(stat(secret, &after), 0);
  EQUAL(after.st_mode, before.st_mode);
  EQUAL(after.st_ctim.tv_nsec, before.st_ctim.tv_nsec);
}

static void changes_once(void) { EQUAL(chmod(secret, 0606), 0); }

static void changes_where_allowed(void) {
  struct stat after;
  lay_out();
  struct supervised run = { .level = level(), .root = inside, .allow = true, .scope = GRANT_FILE };
  supervise(&run, changes_once);
  EQUAL(run.asked, 1);
  CHECK(strcmp(run.operation, "chmod") == 0);
  EQUAL(stat(secret, &after), 0);
  EQUAL(after.st_mode & 07777, 0606);
}

// ---- a path that changes while it is looked at ---------------------------------------------------------------------

static char shared[ROOM];
static atomic_bool done;

static void *flip(void *unused) {
  while (!done) {                         // only the last letters differ: no state in between names anything else
    memcpy(shared, own_file, strlen(own_file) + 1);
    memcpy(shared, secret, strlen(secret) + 1);
  }
  return unused;
}

static void opens_what_flips(void) {
  pthread_t flipper;
  int leaks = 0;
  strcpy(shared, own_file);
  EQUAL(pthread_create(&flipper, NULL, flip, NULL), 0);
  for (int i = 0; i < FLIPS; i++) leaks += read_first(shared) == 's';
  done = true;
  pthread_join(flipper, NULL);
  printf("# %d of %d opens leaked\n", leaks, FLIPS);
  fflush(stdout);
  _exit(leaks > 0 ? 7 : 0);
}

static int flip_race(unsigned level) {
  lay_out();
  struct supervised run = { .level = level, .root = inside, .allow = false, .scope = GRANT_FILE };
  return supervise_status(&run, opens_what_flips);
}

static void flipping_gets_nothing(void) { EQUAL(flip_race(landlock()), 0); }
static void flipping_works_alone(void) { EQUAL(flip_race(LEVEL_ASK), 7); }

// ---- sockets -------------------------------------------------------------------------------------------------------

static int serve_at(const char *path) {
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  CHECK(strlen(path) < sizeof address.sun_path);
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  EQUAL(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
  EQUAL(listen(fd, 512), 0);
  return fd;
}

static struct sockaddr_un named_socket(const char *path) {
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  CHECK(strlen(path) < sizeof address.sun_path);
  strcpy(address.sun_path, path);
  return address;
}

static int connect_to(const char *path, socklen_t length) {
  struct sockaddr_un address = named_socket(path);
  if (path[0] == '@') address.sun_path[0] = 0;
  int fd = socket(AF_UNIX, SOCK_STREAM, 0), error = connect(fd, (struct sockaddr *)&address, length) == 0 ? 0 : errno;
  close(fd);
  return error;
}

static struct sockaddr_in loopback;

static int listen_on_loopback(void) {
  socklen_t length = sizeof loopback;
  loopback = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  EQUAL(bind(fd, (struct sockaddr *)&loopback, sizeof loopback), 0);
  EQUAL(listen(fd, 512), 0);
  EQUAL(getsockname(fd, (struct sockaddr *)&loopback, &length), 0);
  return fd;
}

static void connects(void) {
  socklen_t whole = sizeof(struct sockaddr_un);
  EQUAL(chdir(inside), 0);
  EQUAL(connect_to(in_scratch("inside/socket"), whole), 0);
  EQUAL(connect_to("socket", whole), 0);
  EQUAL(connect_to(in_scratch("outside/socket"), whole), EACCES);
  EQUAL(connect_to("../outside/socket", whole), EACCES);
  EQUAL(connect_to(in_scratch("inside/link"), whole), EACCES);
  EQUAL(connect_to("nothing", whole), ENOENT);
  EQUAL(connect_to("file", whole), ECONNREFUSED);
  EQUAL(connect_to("@ocrs-abstract", offsetof(struct sockaddr_un, sun_path) + 14), EACCES);
  EQUAL(connect_to(inside, 1), EINVAL);
  EQUAL(connect(-1, (struct sockaddr *)&loopback, sizeof loopback) < 0 ? errno : 0, EBADF);
  EQUAL(connect(open(own_file, O_RDONLY), (struct sockaddr *)&loopback, sizeof loopback) < 0 ? errno : 0, ENOTSOCK);
  for (int flags = 0; flags <= SOCK_NONBLOCK; flags += SOCK_NONBLOCK) {
    int fd = socket(AF_INET, SOCK_STREAM | flags, 0);
    int error = connect(fd, (struct sockaddr *)&loopback, sizeof loopback) == 0 ? 0 : errno;
    CHECK(error == 0 || (flags != 0 && error == EINPROGRESS));
  }
  EQUAL(connect(socket(AF_INET, SOCK_DGRAM, 0), (struct sockaddr *)&loopback, sizeof loopback), 0);
  EQUAL(socket(AF_UNIX, SOCK_DGRAM, 0) < 0 ? errno : 0, EPERM);
}

static void sockets(void) {
  lay_out();
  serve_at(in_scratch("inside/socket"));
  serve_at(in_scratch("outside/socket"));
  EQUAL(symlink(in_scratch("outside/socket"), in_scratch("inside/link")), 0);
  listen_on_loopback();
  struct supervised run = { .level = level(), .root = inside };
  supervise(&run, connects);
}

static void waits_for_a_full_server(void) {
  for (int i = 0; i < 2; i++) EQUAL(connect_to("socket", sizeof(struct sockaddr_un)), 0);
}

static void *accept_late(void *server) {
  usleep(100000);
  while (accept(*(int *)server, NULL, NULL) >= 0) {}
  return NULL;
}

// The supervisor must serve the others, so the one that waits is a child of its own.
static void *serve_others(void *unused) {
  (void)unused;
  for (int i = 0; i < 100; i++) EQUAL(read_first(own_file), 'o');
  return NULL;
}

static void waits_while_others_open(void) {
  pthread_t other;
  EQUAL(chdir(inside), 0);
  EQUAL(pthread_create(&other, NULL, serve_others, NULL), 0);
  waits_for_a_full_server();
  pthread_join(other, NULL);
}

static void a_full_server(void) {
  lay_out();
  pthread_t acceptor;
  int server = serve_at(in_scratch("inside/socket"));
  EQUAL(listen(server, 0), 0);            // one fits
  fcntl(server, F_SETFL, 0);
  EQUAL(pthread_create(&acceptor, NULL, accept_late, &server), 0);
  struct supervised run = { .level = level(), .root = inside };
  supervise(&run, waits_while_others_open);
}

static union { struct sockaddr any; struct sockaddr_un local; struct sockaddr_in net; } target;
static int flipping, attempts = SWAPS;

// One thread connects; another puts a unix socket and its address in the place of the others in between.
static void *swap(void *unused) {
  while (!done) {
    int net = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), local = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_un there = named_socket(secret);
    memcpy(&target.net, &loopback, sizeof loopback);
    dup2(net, flipping);
    memcpy(&target.local, &there, sizeof there);
    dup2(local, flipping);
    close(net);
    close(local);
  }
  return unused;
}

static void connects_what_flips(void) {
  pthread_t swapper;
  flipping = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  EQUAL(pthread_create(&swapper, NULL, swap, NULL), 0);
  for (int i = 0; i < attempts; i++) connect(flipping, &target.any, sizeof target.local);
  done = true;
  pthread_join(swapper, NULL);
  _exit(0);
}

// What must not be done: to look at the socket, find it harmless, and let the call go on.
static void naive(int listener, const struct seccomp_notif *q) {
  int process = (int)syscall(SYS_pidfd_open, (pid_t)q->pid, 0), domain = -1;
  socklen_t length = sizeof domain;
  int fd = process < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, (int)q->data.args[0], 0);
  if (fd >= 0) getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length);
  close(fd);
  close(process);
  bool harmless = domain == AF_INET;
  give_answer(listener, q->id, harmless ? 0 : -EACCES, harmless ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0);
}

static int swap_race(void (*serve)(int, const struct seccomp_notif *)) {
  lay_out();
  unlink(secret);
  int server = serve_at(secret), reached = 0, fd;
  int net = listen_on_loopback();
  struct supervised run = { .level = level(), .root = inside, .serve = serve, .drain = { net } };
  EQUAL(supervise_status(&run, connects_what_flips), 0);
  while ((fd = accept4(server, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
    reached++;
    close(fd);
  }
  printf("# %d of %d connects reached the foreign socket\n", reached, attempts);
  return reached;
}

static void swapping_gets_nothing(void) { EQUAL(swap_race(NULL), 0); }
static void swapping_works_if_it_goes_on(void) {
  attempts = 5 * SWAPS;                   // one in two thousand is enough
  CHECK(swap_race(naive) > 0);
}

const struct test notify_tests[] = {
  { "notify", "a file outside is asked for by its real path, and handed over open", asked_and_given },
  { "notify", "what is refused is EACCES from then on; what is not there is not asked about", asked_and_refused },
  { "notify", "once for a directory is good for what lies directly in it, with that access", directory_once },
  { "notify", "a new file outside is made with the mode, the umask and the user of its caller", new_file },
  { "notify", "what cannot be handed over is refused by the kernel, and noted", noted },
  { "notify", "what changes an inode works inside, by path, link and descriptor", changes_inside },
  { "notify", "what changes an inode outside is asked about, and refused leaves no trace", changes_outside },
  { "notify", "what changes an inode outside is done where that is allowed", changes_where_allowed },
  { "notify", "a pipe outside waits for its writer, and holds up nobody else", a_pipe },
  { "notify", "a path that flips while it is looked at opens nothing outside", flipping_gets_nothing },
  { "notify", "control: without a rule set the flipping path opens what is outside", flipping_works_alone },
  { "notify", "a unix socket is connected to where it lies in an approved root; TCP as ever", sockets },
  { "notify", "a connect that waits for its server holds up nobody else", a_full_server },
  { "notify", "a socket swapped for a unix socket while it is looked at reaches nothing outside", swapping_gets_nothing },
  { "notify", "control: a supervisor that lets harmless connects go on is led astray", swapping_works_if_it_goes_on },
  { 0 },
};
