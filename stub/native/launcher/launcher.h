// The launcher: the static front of the one file (docs/protocol.md, "The one file").
// main.c decides what the command line means; the other files do one thing each.
#ifndef LAUNCHER_H
#define LAUNCHER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Exit codes, each with one line `error CODE: message` on stderr. 70-76 are the protocol's.
enum {
  EXIT_USAGE = 64,
  EXIT_STUB_MISSING = 69,
  EXIT_INSTALL_FAILED = 70,
  EXIT_NO_SPACE = 71,
  EXIT_NO_INODES = 72,
  EXIT_ADDRESS_SPACE = 73,
  EXIT_NOEXEC = 74,
  EXIT_UPLOAD_CORRUPT = 75,
  EXIT_PLATFORM = 76,
};

#define SHA256_SIZE 32
#define SHA256_HEX 65
#define PARTS_MAX 32

// container.c: our own file, and what stands behind the launcher in it.
struct part {
  char name[64];        // "stub", "rt/libc.so.6"
  unsigned mode;        // permission bits
  uint64_t size;        // bytes
  char sha256[SHA256_HEX];
  uint64_t patch_offset; // where the path of the dynamic loader goes: zeros in the archive
  uint64_t patch_length; // 0: nowhere
};

struct container {
  int fd;
  uint64_t file_size;
  uint64_t archive_offset, archive_length;
  char archive_sha256[SHA256_HEX];
  uint64_t unpacked_size;
  char *index; // text, `index_length` bytes; the beginning of every `complete` file
  size_t index_length;
  char id[17]; // first 16 hex digits of the index's hash
  char version[64], protocol[32];
  struct part parts[PARTS_MAX];
  size_t part_count;
};

void self_path(char path[PATH_MAX]);
int self_open(void);
void container_open(struct container *container);

// verify.c
struct sha256 {
  uint32_t state[8];
  uint64_t length;
  unsigned char block[64];
};
void sha256_begin(struct sha256 *hash);
void sha256_add(struct sha256 *hash, const void *data, size_t length);
void sha256_end(struct sha256 *hash, char hex[SHA256_HEX]);
// The hash of `length` bytes of a file from `offset`; bytes in [zero_offset, zero_offset + zero_length) count as zeros.
bool sha256_file(int fd, uint64_t offset, uint64_t length, uint64_t zero_offset, uint64_t zero_length,
                 char hex[SHA256_HEX]);
int verify_command(const char *expected);

// root.c
void install_root(char root[PATH_MAX], const char *given);
void make_private_directory(const char *path);

// preflight.c
void check_address_space(void);
void check_room(const char *directory, const struct container *container);
_Noreturn void fail_writing(const char *path, int error);
_Noreturn void fail_executing(const char *stub, int error);

// unpack.c: returns a descriptor whose shared lock says that the unpack directory is in use.
int unpack(const struct container *container, const char *root, bool deep, char directory[PATH_MAX]);

// existing.c
enum { UNPACK_ABSENT = -1, UNPACK_DAMAGED = -2 };
int use_existing(const struct container *container, const char *directory, bool deep);

// sweep.c: what dead unpacks and old versions left in `bin`.
void sweep_leftovers(const char *bin, bool lock_held);
void sweep_old_versions(const char *bin, const char *current);
void remove_tree(const char *path);
void set_aside_and_remove(const char *bin, const char *directory);

// daemonize.c
_Noreturn void daemonize_and_execute(const char *log_file, int in_use, char **arguments, char **environment);

// environment.c
char **stub_environment(char **environment, const char *parts);

// attach.c
int attach_command(const char *root, const char *socket_path);

// fail.c
_Noreturn void fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
// snprintf into a PATH_MAX buffer; a path that does not fit ends the launcher.
void path_join(char path[PATH_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
