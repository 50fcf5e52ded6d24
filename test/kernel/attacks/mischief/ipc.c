// System V and POSIX queues and memory, and the kernel's keyrings: what two processes of a user share without a file.
#define _GNU_SOURCE
#include "mischief.h"
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

static char content[256];
struct letter { long type; char text[256]; };

// FILE: tells the id.
static int put_memory(char **args) {
  int id = shmget(IPC_PRIVATE, sizeof content, IPC_CREAT | 0600);
  char *shared = shmat(id, NULL, 0);
  if (id < 0 || shared == (char *)-1) give_up("shm");
  slurp(args[0], shared, sizeof content);
  printf("%d\n", id);
  return 0;
}

static int get_memory(char **args) {
  char *shared = shmat(atoi(args[0]), NULL, SHM_RDONLY);
  if (shared == (char *)-1) give_up("shmat");
  say(shared, strnlen(shared, sizeof content));
  return 0;
}

static int remove_memory(char **args) { return shmctl(atoi(args[0]), IPC_RMID, NULL); }

static int put_message(char **args) {
  struct letter letter = {1, ""};
  slurp(args[0], letter.text, sizeof letter.text);
  int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
  if (id < 0 || msgsnd(id, &letter, sizeof letter.text, IPC_NOWAIT)) give_up("msg");
  printf("%d\n", id);
  return 0;
}

static int get_message(char **args) {
  struct letter letter;
  if (msgrcv(atoi(args[0]), &letter, sizeof letter.text, 0, IPC_NOWAIT) < 0) give_up("msgrcv");
  say(letter.text, strnlen(letter.text, sizeof letter.text));
  return 0;
}

static int remove_message(char **args) { return msgctl(atoi(args[0]), IPC_RMID, NULL); }

static int put_semaphore(char **args) {
  (void)args;
  int id = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
  if (id < 0) give_up("semget");
  printf("%d\n", id);
  return 0;
}

// Changes it: a bystander that counts on it sees another value.
static int get_semaphore(char **args) {
  if (semctl(atoi(args[0]), 0, SETVAL, 7)) give_up("semctl");
  puts("ESCAPED");
  return 0;
}

static int remove_semaphore(char **args) { return semctl(atoi(args[0]), 0, IPC_RMID); }

// NAME FILE
static int put_queue(char **args) {
  struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = sizeof content};
  mqd_t queue = mq_open(args[0], O_CREAT | O_RDWR, 0600, &attributes);
  size_t length = slurp(args[1], content, sizeof content);
  if (queue == (mqd_t)-1 || mq_send(queue, content, length, 0)) give_up("mq");
  return 0;
}

static int get_queue(char **args) {
  mqd_t queue = mq_open(args[0], O_RDONLY | O_NONBLOCK);
  if (queue == (mqd_t)-1) give_up("mq_open");
  ssize_t length = mq_receive(queue, content, sizeof content, NULL);
  if (length < 0) give_up("mq_receive");
  say(content, (size_t)length);
  return 0;
}

static int remove_queue(char **args) { return mq_unlink(args[0]); }

enum { USER_KEYRING = -4, KEYCTL_READ = 11, KEYCTL_UNLINK = 9, KEYCTL_SETPERM = 5, KEYCTL_SEARCH = 10 };

// FILE: into the keyring of the user; tells the id.
static int put_key(char **args) {
  size_t length = slurp(args[0], content, sizeof content);
  long key = syscall(SYS_add_key, "user", "mischief", content, length, USER_KEYRING);
  if (key < 0 || syscall(SYS_keyctl, KEYCTL_SETPERM, key, 0x3f3f0000)) give_up("add_key");
  printf("%ld\n", key);
  return 0;
}

static int get_key(char **args) {
  long length = syscall(SYS_keyctl, KEYCTL_READ, atol(args[0]), content, sizeof content);
  if (length < 0) give_up("keyctl");
  say(content, (size_t)length);
  return 0;
}

static int find_key(char **args) {
  (void)args;
  long key = syscall(SYS_keyctl, KEYCTL_SEARCH, USER_KEYRING, "user", "mischief", 0);
  if (key < 0) give_up("keyctl");
  long length = syscall(SYS_keyctl, KEYCTL_READ, key, content, sizeof content);
  if (length < 0) give_up("keyctl");
  say(content, (size_t)length);
  return 0;
}

static int request_key_deed(char **args) {
  (void)args;
  long key = syscall(SYS_request_key, "user", "mischief", NULL, 0);
  if (key < 0) give_up("request_key");
  puts("ESCAPED");
  return 0;
}

// A key of one's own in the keyring that the user's other processes look into.
static int plant_key(char **args) {
  (void)args;
  if (syscall(SYS_add_key, "user", "planted", "x", 1, USER_KEYRING) < 0) give_up("add_key");
  puts("ESCAPED");
  return 0;
}

// The keyring's own id is not the caller's special one: joined to the session, all that is in it is at hand.
static int link_keyring(char **args) {
  if (syscall(SYS_keyctl, 8 /* LINK */, atol(args[0]), -2 /* process keyring */) < 0) give_up("keyctl");
  puts("ESCAPED");
  return 0;
}

static int remove_key(char **args) { return syscall(SYS_keyctl, KEYCTL_UNLINK, atol(args[0]), USER_KEYRING) < 0; }

const struct deed ipc_deeds[] = {
  {"put-memory", put_memory},
  {"get-memory", get_memory},
  {"remove-memory", remove_memory},
  {"put-message", put_message},
  {"get-message", get_message},
  {"remove-message", remove_message},
  {"put-semaphore", put_semaphore},
  {"get-semaphore", get_semaphore},
  {"remove-semaphore", remove_semaphore},
  {"put-queue", put_queue},
  {"get-queue", get_queue},
  {"remove-queue", remove_queue},
  {"put-key", put_key},
  {"get-key", get_key},
  {"find-key", find_key},
  {"request-key", request_key_deed},
  {"plant-key", plant_key},
  {"link-keyring", link_keyring},
  {"remove-key", remove_key},
  {NULL, NULL},
};
