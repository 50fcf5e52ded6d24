// Our own file and what stands behind the launcher in it:
//
//   launcher (ELF), padding | archive: zstd frames, the parts one after the other | index: text | footer
//   footer, 72 bytes, little endian: "ORSSTUB1", u64 offset and length of the archive, u64 length of the index,
//   u64 unpacked size, the 32 bytes of the index's SHA-256
//
// The index names version, protocol, the archive's hash and the parts; nothing in the file is trusted before its hash fits.
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOOTER_SIZE 72
#define INDEX_MAX (64 * 1024)

// Where our file lies, links resolved. Without /proc: the path that execve was given.
void self_path(char path[PATH_MAX]) {
  ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
  if (length > 0) {
    path[length] = 0;
    // The kernel's way to say that the file was replaced or removed while we start.
    static const char deleted[] = " (deleted)";
    size_t cut = (size_t)length - (sizeof deleted - 1);
    if ((size_t)length > sizeof deleted && strcmp(path + cut, deleted) == 0) path[cut] = 0;
    return;
  }
  const char *executed = (const char *)getauxval(AT_EXECFN);
  if (executed == NULL || realpath(executed, path) == NULL)
    fail(EXIT_INSTALL_FAILED, "cannot find this program's own file");
}

int self_open(void) {
  int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (fd >= 0) return fd;
  char path[PATH_MAX];
  self_path(path);
  fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(EXIT_INSTALL_FAILED, "cannot read %s: %s", path, strerror(errno));
  return fd;
}

static bool read_at(int fd, uint64_t offset, void *data, size_t length) {
  for (size_t done = 0; done < length;) {
    ssize_t got = pread(fd, (char *)data + done, length - done, (off_t)(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    done += (size_t)got;
  }
  return true;
}

static uint64_t little_endian(const unsigned char *bytes) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; i--) value = value << 8 | bytes[i];
  return value;
}

static _Noreturn void corrupt(const char *what) {
  fail(EXIT_UPLOAD_CORRUPT, "this file is damaged or incomplete (%s): upload it again", what);
}

// A name becomes a path below the unpack directory: letters, digits and `.-_+`, one `/` at most, nothing that starts with a dot.
static bool is_part_name(const char *name) {
  if (name[0] == 0 || name[0] == '/' || name[0] == '.' || strstr(name, "/.") || strstr(name, "//")) return false;
  return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_+/") == strlen(name);
}

static void parse_index(struct container *container) {
  char *text = strndup(container->index, container->index_length);
  if (text == NULL) fail(EXIT_INSTALL_FAILED, "out of memory");
  char *rest = NULL;
  char *line = strtok_r(text, "\n", &rest);
  if (line == NULL || strcmp(line, "opencode-remote-ssh parts 1") != 0) corrupt("index");
  uint64_t total = 0;
  while ((line = strtok_r(NULL, "\n", &rest)) != NULL) {
    if (sscanf(line, "version %63[0-9A-Za-z.+-]", container->version) == 1) continue;
    if (sscanf(line, "protocol %31[0-9.]", container->protocol) == 1) continue;
    if (sscanf(line, "archive %64[0-9a-f]", container->archive_sha256) == 1) continue;
    if (container->part_count == PARTS_MAX) corrupt("index");
    struct part *part = &container->parts[container->part_count++];
    unsigned long long size, patch_offset, patch_length;
    if (sscanf(line, "part %63s %o %llu %64[0-9a-f] %llu %llu", part->name, &part->mode, &size, part->sha256,
               &patch_offset, &patch_length) != 6 ||
        !is_part_name(part->name) || patch_length > size || patch_offset > size - patch_length)
      corrupt("index");
    part->size = size, part->patch_offset = patch_offset, part->patch_length = patch_length;
    part->mode &= 0777;
    total += size;
  }
  free(text);
  if (container->version[0] == 0 || container->protocol[0] == 0 || container->part_count == 0 ||
      strlen(container->archive_sha256) != SHA256_HEX - 1 || total != container->unpacked_size)
    corrupt("index");
}

void container_open(struct container *container) {
  memset(container, 0, sizeof *container);
  container->fd = self_open();
  struct stat status;
  if (fstat(container->fd, &status) < 0) fail(EXIT_INSTALL_FAILED, "cannot read this file: %s", strerror(errno));
  container->file_size = (uint64_t)status.st_size;

  unsigned char footer[FOOTER_SIZE];
  if (container->file_size < FOOTER_SIZE ||
      !read_at(container->fd, container->file_size - FOOTER_SIZE, footer, FOOTER_SIZE) ||
      memcmp(footer, "ORSSTUB1", 8) != 0)
    corrupt("end");
  container->archive_offset = little_endian(footer + 8);
  container->archive_length = little_endian(footer + 16);
  uint64_t index_length = little_endian(footer + 24);
  container->unpacked_size = little_endian(footer + 32);
  uint64_t body = container->file_size - FOOTER_SIZE;
  if (index_length == 0 || index_length > INDEX_MAX || index_length > body ||
      container->archive_length > body - index_length ||
      container->archive_offset != body - index_length - container->archive_length)
    corrupt("end");

  container->index_length = (size_t)index_length;
  container->index = malloc(container->index_length);
  if (container->index == NULL) fail(EXIT_INSTALL_FAILED, "out of memory");
  char hex[SHA256_HEX], expected[SHA256_HEX];
  struct sha256 hash;
  if (!read_at(container->fd, body - index_length, container->index, container->index_length)) corrupt("index");
  sha256_begin(&hash);
  sha256_add(&hash, container->index, container->index_length);
  sha256_end(&hash, hex);
  for (int i = 0; i < SHA256_SIZE; i++) snprintf(expected + 2 * i, 3, "%02x", footer[40 + i]);
  if (strcmp(hex, expected) != 0) corrupt("index");
  snprintf(container->id, sizeof container->id, "%.16s", hex);
  parse_index(container);
}
