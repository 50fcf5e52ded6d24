// The same calls by another door: i386, x32, io_uring, file handles. Each shows a file.
#define _GNU_SOURCE
#include "mischief.h"
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static char content[4096];

#if defined(__x86_64__)
static char path[4096];

// The program is not position independent: its data lies where 32 bits reach.
static long int80(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
  return (int)result;
}

static int show_file(int file) {
  if (file < 0) {
    fprintf(stderr, "mischief: open: %d\n", file);
    return 1;
  }
  ssize_t length = read(file, content, sizeof content);
  if (length < 0) give_up("read");
  say(content, (size_t)length);
  return 0;
}

static int cat_i386(char **args) {
  strncpy(path, args[0], sizeof path - 1);
  return show_file((int)int80(5, (long)path, O_RDONLY, 0));
}

static int cat_i386_at(char **args) {
  strncpy(path, args[0], sizeof path - 1);
  return show_file((int)int80(295, AT_FDCWD, (long)path, O_RDONLY));
}

static int write_i386(char **args) {
  strncpy(path, args[0], sizeof path - 1);
  long file = int80(5, (long)path, O_WRONLY | O_TRUNC, 0);
  return file < 0;
}

static int truncate_i386(char **args) {
  strncpy(path, args[0], sizeof path - 1);
  return int80(92, (long)path, 0, 0) < 0;
}

static int cat_x32(char **args) { return show_file((int)syscall(0x40000000 + 2, args[0], O_RDONLY, 0)); }
#else
static int cat_i386(char **args) { (void)args; return 1; }
static int cat_i386_at(char **args) { (void)args; return 1; }
static int write_i386(char **args) { (void)args; return 1; }
static int truncate_i386(char **args) { (void)args; return 1; }
static int cat_x32(char **args) { (void)args; return 1; }
#endif

struct ring { int handle; unsigned *tail, *mask, *array, *completed; struct io_uring_sqe *entries; struct io_uring_cqe *results; };

static void open_ring(struct ring *ring) {
  struct io_uring_params parameters = {0};
  ring->handle = (int)syscall(425 /* io_uring_setup */, 4, &parameters);
  if (ring->handle < 0) give_up("io_uring_setup");
  int rights = PROT_READ | PROT_WRITE;
  char *submit = mmap(NULL, 4096, rights, MAP_SHARED, ring->handle, IORING_OFF_SQ_RING);
  char *complete = mmap(NULL, 4096, rights, MAP_SHARED, ring->handle, IORING_OFF_CQ_RING);
  ring->entries = mmap(NULL, 4096, rights, MAP_SHARED, ring->handle, IORING_OFF_SQES);
  if (submit == MAP_FAILED || complete == MAP_FAILED || ring->entries == MAP_FAILED) give_up("mmap");
  ring->tail = (unsigned *)(submit + parameters.sq_off.tail);
  ring->mask = (unsigned *)(submit + parameters.sq_off.ring_mask);
  ring->array = (unsigned *)(submit + parameters.sq_off.array);
  ring->completed = (unsigned *)(complete + parameters.cq_off.head);
  ring->results = (struct io_uring_cqe *)(complete + parameters.cq_off.cqes);
}

static int submit_one(struct ring *ring, const struct io_uring_sqe *entry) {
  unsigned slot = *ring->tail & *ring->mask;
  ring->entries[slot] = *entry;
  ring->array[slot] = slot;
  __atomic_store_n(ring->tail, *ring->tail + 1, __ATOMIC_RELEASE);
  if (syscall(426 /* io_uring_enter */, ring->handle, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0) give_up("io_uring_enter");
  int result = ring->results[*ring->completed & *ring->mask].res;
  __atomic_store_n(ring->completed, *ring->completed + 1, __ATOMIC_RELEASE);
  return result;
}

static int ring_open(const char *name, int flags) {
  struct ring ring;
  open_ring(&ring);
  struct io_uring_sqe entry = {.opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (unsigned long)name, .open_flags = (unsigned)flags};
  int file = submit_one(&ring, &entry);
  if (file < 0) {
    fprintf(stderr, "mischief: io_uring open: %s\n", strerror(-file));
    exit(1);
  }
  return file;
}

static int cat_ring(char **args) {
  ssize_t length = read(ring_open(args[0], O_RDONLY), content, sizeof content);
  if (length < 0) give_up("read");
  say(content, (size_t)length);
  return 0;
}

static int write_ring(char **args) { return write(ring_open(args[0], O_WRONLY), "ring", 4) != 4; }

// ATTRIBUTE of a kernel that gives a file by its handle, which takes a right that only root has.
static int cat_handle(char **args) {
  struct { struct file_handle handle; char bytes[128]; } handle = {.handle.handle_bytes = 128};
  int mount_id;
  if (name_to_handle_at(AT_FDCWD, args[0], &handle.handle, &mount_id, 0)) give_up("name_to_handle_at");
  int near = open(args[1], O_RDONLY);
  int file = open_by_handle_at(near, &handle.handle, O_RDONLY);
  if (file < 0) give_up("open_by_handle_at");
  ssize_t length = read(file, content, sizeof content);
  if (length < 0) give_up("read");
  say(content, (size_t)length);
  return 0;
}

// A copy of this program that has no name, from memory: PATH is shown by it.
static int cat_from_memory(char **args) {
  int program = memfd_create("mischief", 0), self = open("/proc/self/exe", O_RDONLY);
  ssize_t length;
  while ((length = read(self, content, sizeof content)) > 0)
    if (write(program, content, (size_t)length) != length) give_up("memfd");
  char *words[] = {"mischief", "cat", args[0], NULL};
  fexecve(program, words, environ);
  give_up("fexecve");
}

const struct deed abi_deeds[] = {
  {"cat-i386", cat_i386},
  {"cat-i386-at", cat_i386_at},
  {"write-i386", write_i386},
  {"truncate-i386", truncate_i386},
  {"cat-x32", cat_x32},
  {"cat-ring", cat_ring},
  {"write-ring", write_ring},
  {"cat-handle", cat_handle},
  {"cat-from-memory", cat_from_memory},
  {NULL, NULL},
};
