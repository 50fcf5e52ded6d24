// Servers that give a file away to whoever asks, and clients that ask. A name that begins with @ is abstract.
#define _GNU_SOURCE
#include "mischief.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include <fcntl.h>

static int kind_of(const char *word) {
  return strcmp(word, "stream") == 0 ? SOCK_STREAM : strcmp(word, "datagram") == 0 ? SOCK_DGRAM : SOCK_SEQPACKET;
}

static socklen_t unix_address(struct sockaddr_un *address, const char *name) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  size_t size = strlen(name);
  if (size >= sizeof address->sun_path) give_up("name too long");
  memcpy(address->sun_path, name, size);
  if (*name != '@') return sizeof *address;
  address->sun_path[0] = 0;
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
}

static char content[256];
static size_t length;

_Noreturn static void serve(int listener, int kind) {
  for (;;) {
    if (kind == SOCK_DGRAM) {
      struct sockaddr_storage from;
      socklen_t size = sizeof from;
      char question[16];
      if (recvfrom(listener, question, sizeof question, 0, (struct sockaddr *)&from, &size) >= 0)
        sendto(listener, content, length, 0, (struct sockaddr *)&from, size);
    } else {
      int peer = accept(listener, NULL, NULL);
      if (peer < 0) continue;
      if (write(peer, content, length) < 0) perror("write");
      close(peer);
    }
  }
}

// KIND NAME FILE
static int serve_unix(char **args) {
  length = slurp(args[2], content, sizeof content);
  struct sockaddr_un address;
  int kind = kind_of(args[0]), listener = socket(AF_UNIX, kind, 0);
  socklen_t size = unix_address(&address, args[1]);
  if (bind(listener, (struct sockaddr *)&address, size) || (kind != SOCK_DGRAM && listen(listener, 8))) give_up("bind");
  become_bystander("");
  serve(listener, kind);
}

// NAME FILE: sends the open file itself.
static int serve_descriptor(char **args) {
  int file = open(args[1], O_RDONLY);
  struct sockaddr_un address;
  int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  socklen_t size = unix_address(&address, args[0]);
  if (file < 0 || bind(listener, (struct sockaddr *)&address, size) || listen(listener, 8)) give_up("bind");
  become_bystander("");
  for (;;) {
    int peer = accept(listener, NULL, NULL);
    union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(int))]; } control;
    struct iovec one = {"x", 1};
    struct msghdr message = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), &file, sizeof file);
    sendmsg(peer, &message, 0);
    close(peer);
  }
}

static void patience(int handle) {
  struct timeval limit = {3, 0};
  setsockopt(handle, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

static int hear(int handle, int kind) {
  if (kind == SOCK_DGRAM && send(handle, "?", 1, 0) != 1) give_up("send");
  ssize_t got = recv(handle, content, sizeof content, 0);
  if (got <= 0) give_up("recv");
  say(content, (size_t)got);
  return 0;
}

// KIND NAME
static int ask_unix(char **args) {
  struct sockaddr_un address, own = {.sun_family = AF_UNIX};
  int kind = kind_of(args[0]), handle = socket(AF_UNIX, kind, 0);
  if (handle < 0) give_up("socket");
  patience(handle);
  // an address of its own, chosen by the kernel: datagrams are answered to it
  if (kind == SOCK_DGRAM && bind(handle, (struct sockaddr *)&own, sizeof(sa_family_t))) give_up("bind");
  socklen_t size = unix_address(&address, args[1]);
  if (connect(handle, (struct sockaddr *)&address, size)) give_up("connect");
  return hear(handle, kind);
}

// NAME: without connect, by sendto.
static int ask_unconnected(char **args) {
  struct sockaddr_un address, own = {.sun_family = AF_UNIX};
  int handle = socket(AF_UNIX, SOCK_DGRAM, 0);
  if (handle < 0 || bind(handle, (struct sockaddr *)&own, sizeof(sa_family_t))) give_up("socket");
  patience(handle);
  socklen_t size = unix_address(&address, args[0]);
  if (sendto(handle, "?", 1, 0, (struct sockaddr *)&address, size) != 1) give_up("sendto");
  ssize_t got = recv(handle, content, sizeof content, 0);
  if (got <= 0) give_up("recv");
  say(content, (size_t)got);
  return 0;
}

// KIND NAME: on one half of a pair, which needs no socket(2).
static int ask_by_pair(char **args) {
  int pair[2];
  struct sockaddr_un address;
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair)) give_up("socketpair");
  patience(pair[0]);
  struct sockaddr_un own = {.sun_family = AF_UNIX};
  if (bind(pair[0], (struct sockaddr *)&own, sizeof(sa_family_t))) give_up("bind");
  socklen_t size = unix_address(&address, args[0]);
  if (connect(pair[0], (struct sockaddr *)&address, size)) give_up("connect");
  return hear(pair[0], SOCK_DGRAM);
}

// NAME: receives an open file and reads it.
static int take_sent(char **args) {
  struct sockaddr_un address;
  int handle = socket(AF_UNIX, SOCK_STREAM, 0);
  if (handle < 0) give_up("socket");
  socklen_t size = unix_address(&address, args[0]);
  if (connect(handle, (struct sockaddr *)&address, size)) give_up("connect");
  union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(int))]; } control;
  char byte;
  struct iovec one = {&byte, 1};
  struct msghdr message = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  if (recvmsg(handle, &message, 0) <= 0 || !CMSG_FIRSTHDR(&message)) give_up("recvmsg");
  int file;
  memcpy(&file, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof file);
  ssize_t got = pread(file, content, sizeof content, 0);
  if (got <= 0) give_up("read");
  say(content, (size_t)got);
  return 0;
}

// tcp|udp FILE: tells the port.
static int serve_network(char **args) {
  length = slurp(args[1], content, sizeof content);
  int kind = strcmp(args[0], "tcp") == 0 ? SOCK_STREAM : SOCK_DGRAM, listener = socket(AF_INET6, kind, 0), no = 0;
  struct sockaddr_in6 address = {.sin6_family = AF_INET6};
  socklen_t size = sizeof address;
  setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || (kind == SOCK_STREAM && listen(listener, 8)) ||
      getsockname(listener, (struct sockaddr *)&address, &size))
    give_up("bind");
  char told[16];
  snprintf(told, sizeof told, "%d\n", ntohs(address.sin6_port));
  become_bystander(told);
  serve(listener, kind);
}

// tcp|udp 4|6 PORT, on loopback
static int ask_network(char **args) {
  int kind = strcmp(args[0], "tcp") == 0 ? SOCK_STREAM : SOCK_DGRAM, family = *args[1] == '6' ? AF_INET6 : AF_INET;
  int handle = socket(family, kind, 0);
  if (handle < 0) give_up("socket");
  patience(handle);
  unsigned short port = htons((unsigned short)atoi(args[2]));
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  int failed = family == AF_INET ? connect(handle, (struct sockaddr *)&four, sizeof four)
                                 : connect(handle, (struct sockaddr *)&six, sizeof six);
  if (failed) give_up("connect");
  return hear(handle, kind);
}

// PORT: TCP Fast Open connects by sendto.
static int ask_fast_open(char **args) {
  int handle = socket(AF_INET, SOCK_STREAM, 0);
  if (handle < 0) give_up("socket");
  patience(handle);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  address.sin_port = htons((unsigned short)atoi(args[0]));
  if (sendto(handle, "?", 1, MSG_FASTOPEN, (struct sockaddr *)&address, sizeof address) < 0) give_up("sendto");
  return hear(handle, SOCK_STREAM);
}

// DIRECTORY: a socket of one's own, inside, heard by oneself. Says WORKS.
static int own_socket(char **args) {
  char name[108];
  snprintf(name, sizeof name, "%.90s/own.sock", args[0]);
  struct sockaddr_un address;
  socklen_t size = unix_address(&address, name);
  int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
  if (listener < 0 || client < 0 || bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1) ||
      connect(client, (struct sockaddr *)&address, size))
    give_up("own socket");
  puts("ESCAPED");
  return 0;
}

const struct deed socket_deeds[] = {
  {"serve-unix", serve_unix},
  {"serve-descriptor", serve_descriptor},
  {"ask-unix", ask_unix},
  {"ask-unconnected", ask_unconnected},
  {"ask-by-pair", ask_by_pair},
  {"take-sent", take_sent},
  {"serve-network", serve_network},
  {"ask-network", ask_network},
  {"ask-fast-open", ask_fast_open},
  {"own-socket", own_socket},
  {NULL, NULL},
};
