// The descriptor that notifications come from belongs to the process that applied the filter; its supervisor gets it from there.
#define _GNU_SOURCE
#include "notify.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

union control { struct cmsghdr align; char bytes[CMSG_SPACE(sizeof(int))]; };

bool notify_send(int socket, int listener) {
  union control control;
  char byte = 0;
  struct iovec part = { &byte, 1 };
  struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
  memset(&control, 0, sizeof control);
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof listener);
  memcpy(CMSG_DATA(head), &listener, sizeof listener);
  return sendmsg(socket, &message, MSG_NOSIGNAL) == 1;
}

int notify_receive(int socket) {
  union control control;
  char byte;
  int listener = -1;
  struct iovec part = { &byte, 1 };
  struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
  ssize_t n;
  do n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n < 0) return -1;
  struct cmsghdr *head = n == 1 ? CMSG_FIRSTHDR(&message) : NULL;
  if (head != NULL && head->cmsg_type == SCM_RIGHTS) memcpy(&listener, CMSG_DATA(head), sizeof listener);
  if (listener < 0) errno = ECONNRESET;   // it ended before it had one
  return listener;
}
