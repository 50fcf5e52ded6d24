#define _GNU_SOURCE
#include "built.h"
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { DESCRIPTORS = 5 };

// What a message says of its descriptors: which of them there are, lowest bit first.
struct which { uint32_t present, processes; };
union control { char bytes[CMSG_SPACE(DESCRIPTORS * sizeof(int))]; struct cmsghdr align; };

static int *field(struct built *built, int i) {
  int *fields[DESCRIPTORS] = { &built->ruleset, &built->namespaces.user, &built->namespaces.mount, &built->namespaces.ipc,
                               &built->namespaces.network };
  return fields[i];
}

void built_none(struct built *built) {
  memset(built, 0, sizeof *built);
  for (int i = 0; i < DESCRIPTORS; i++) *field(built, i) = -1;
}

bool built_is_none(const struct built *built) { return built->ruleset < 0 && built->namespaces.mount < 0; }

void built_close(struct built *built) {
  for (int i = 0; i < DESCRIPTORS; i++)
    if (*field(built, i) >= 0) close(*field(built, i));
  built_none(built);
}

bool built_send(int socket, const struct built *built, const void *head, size_t head_length, const void *bytes, size_t length) {
  union control control;
  struct which which = { 0, 0 };
  struct iovec parts[3] = { { &which, sizeof which }, { (void *)head, head_length }, { (void *)bytes, length } };
  struct msghdr message = { .msg_iov = parts, .msg_iovlen = 3 };
  int count = 0, fds[DESCRIPTORS];
  for (int i = 0; built != NULL && i < DESCRIPTORS; i++) {
    int fd = *field((struct built *)built, i);
    if (fd < 0) continue;
    which.present |= 1u << i;
    fds[count++] = fd;
  }
  if (count > 0) {
    which.processes = built->namespaces.processes;
    memset(&control, 0, sizeof control);
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
    struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    first->cmsg_level = SOL_SOCKET;
    first->cmsg_type = SCM_RIGHTS;
    first->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    memcpy(CMSG_DATA(first), fds, (size_t)count * sizeof(int));
  }
  ssize_t sent;
  do sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  return sent == (ssize_t)(sizeof which + head_length + length);
}

bool built_receive(int socket, struct built *built, void *head, size_t head_length, void *bytes, size_t room, size_t *length, int flags) {
  union control control;
  struct which which = { 0, 0 };
  struct iovec parts[3] = { { &which, sizeof which }, { head, head_length }, { bytes, room } };
  struct msghdr message = { .msg_iov = parts, .msg_iovlen = 3, .msg_control = &control, .msg_controllen = sizeof control };
  built_none(built);
  ssize_t n;
  do n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | flags);
  while (n < 0 && errno == EINTR);
  if (n == 0) errno = EPIPE;
  if (n <= 0) return false;
  int count = 0, fds[DESCRIPTORS];
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(fds, CMSG_DATA(c), (size_t)count * sizeof(int));
  }
  int used = 0;
  for (int i = 0; i < DESCRIPTORS && used < count; i++)
    if (which.present & 1u << i) *field(built, i) = fds[used++];
  built->namespaces.processes = which.processes != 0;
  bool whole = n >= (ssize_t)(sizeof which + head_length) && used == count && __builtin_popcount(which.present) == count &&
               (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
  if (whole) {
    *length = (size_t)n - sizeof which - head_length;
    return true;
  }
  while (used < count) close(fds[used++]);
  built_close(built);
  errno = EBADMSG;
  return false;
}
