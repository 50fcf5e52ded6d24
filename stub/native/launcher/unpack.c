// Puts the parts into `<install root>/bin/<version>-<hash>/`: all of them, synced, or nothing under that name.
// Two starts at once: one unpacks, the other waits for it. A kill at any moment leaves only what the next unpack removes.
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#define LOCK_SECONDS 180

// The archive as a stream of plain bytes.
struct reader {
  const struct container *container;
  ZSTD_DStream *stream;
  uint64_t taken; // of the archive
  ZSTD_inBuffer in;
  char in_bytes[128 * 1024];
};

static char unfinished[PATH_MAX];

static _Noreturn void give_up_writing(const char *path, int error) {
  remove_tree(unfinished);
  fail_writing(path, error);
}

static _Noreturn void give_up_corrupt(void) {
  if (unfinished[0] != 0) remove_tree(unfinished);
  fail(EXIT_UPLOAD_CORRUPT, "this file is damaged (archive): upload it again");
}

static size_t read_plain(struct reader *reader, char *data, size_t length) {
  ZSTD_outBuffer out = {data, length, 0};
  while (out.pos < length) {
    if (reader->in.pos == reader->in.size) {
      uint64_t left = reader->container->archive_length - reader->taken;
      size_t want = left < sizeof reader->in_bytes ? (size_t)left : sizeof reader->in_bytes;
      if (want == 0) break;
      ssize_t got = pread(reader->container->fd, reader->in_bytes, want,
                          (off_t)(reader->container->archive_offset + reader->taken));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) give_up_corrupt();
      reader->taken += (uint64_t)got;
      reader->in = (ZSTD_inBuffer){reader->in_bytes, (size_t)got, 0};
    }
    if (ZSTD_isError(ZSTD_decompressStream(reader->stream, &out, &reader->in))) give_up_corrupt();
  }
  return out.pos;
}

static void write_all(int fd, const char *path, const char *data, size_t length) {
  while (length > 0) {
    ssize_t wrote = write(fd, data, length);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) give_up_writing(path, errno);
    data += wrote, length -= (size_t)wrote;
  }
}

static void sync_and_close(int fd, const char *path) {
  // EINVAL: a file system that cannot sync; it has nothing better to offer.
  if (fsync(fd) < 0 && errno != EINVAL) give_up_writing(path, errno);
  if (close(fd) < 0) give_up_writing(path, errno);
}

static void sync_directory(const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) give_up_writing(path, errno);
  sync_and_close(fd, path);
}

// The bytes of `loader`, then zeros, wherever the part's patch region meets this chunk.
static void patch(const struct part *part, uint64_t offset, char *chunk, size_t length, const char *loader) {
  for (size_t i = 0; i < length; i++) {
    uint64_t at = offset + i;
    if (at < part->patch_offset || at - part->patch_offset >= part->patch_length) continue;
    size_t place = (size_t)(at - part->patch_offset);
    chunk[i] = place < strlen(loader) ? loader[place] : 0;
  }
}

static void write_part(struct reader *reader, const struct part *part, const char *directory, const char *loader) {
  static char chunk[256 * 1024];
  char path[PATH_MAX];
  path_join(path, "%s/%s", directory, part->name);
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, part->mode);
  if (fd < 0) give_up_writing(path, errno);
  for (uint64_t done = 0; done < part->size;) {
    size_t want = part->size - done < sizeof chunk ? (size_t)(part->size - done) : sizeof chunk;
    if (read_plain(reader, chunk, want) != want) give_up_corrupt();
    if (part->patch_length > 0 && done < part->patch_offset + part->patch_length && done + want > part->patch_offset)
      patch(part, done, chunk, want, loader);
    write_all(fd, path, chunk, want);
    done += want;
  }
  if (fchmod(fd, part->mode) < 0) give_up_writing(path, errno); // whatever the umask
  sync_and_close(fd, path);
}

static void write_complete(const struct container *container, const char *temporary, const char *directory) {
  char path[PATH_MAX];
  path_join(path, "%s/complete", temporary);
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) give_up_writing(path, errno);
  write_all(fd, path, container->index, container->index_length);
  write_all(fd, path, "dir ", 4);
  write_all(fd, path, directory, strlen(directory));
  write_all(fd, path, "\n", 1);
  if (fchmod(fd, 0600) < 0) give_up_writing(path, errno);
  sync_and_close(fd, path);
}

static void write_parts(const struct container *container, const char *temporary, const char *directory) {
  char loader[PATH_MAX], libraries[PATH_MAX];
  path_join(loader, "%s/rt/ld.so", directory);
  for (size_t i = 0; i < container->part_count; i++)
    if (container->parts[i].patch_length > 0 && strlen(loader) >= container->parts[i].patch_length)
      fail(EXIT_INSTALL_FAILED, "the install root's path is too long: set installRoot to a shorter one");

  char hex[SHA256_HEX];
  if (!sha256_file(container->fd, container->archive_offset, container->archive_length, 0, 0, hex) ||
      strcmp(hex, container->archive_sha256) != 0)
    give_up_corrupt();

  path_join(unfinished, "%s", temporary);
  if (mkdir(temporary, 0700) < 0) give_up_writing(temporary, errno);
  path_join(libraries, "%s/rt", temporary);
  if (mkdir(libraries, 0700) < 0) give_up_writing(libraries, errno);

  struct reader *reader = calloc(1, sizeof *reader);
  ZSTD_DStream *stream = ZSTD_createDStream();
  if (reader == NULL || stream == NULL) give_up_writing(temporary, ENOMEM);
  reader->container = container;
  reader->stream = stream;
  for (size_t i = 0; i < container->part_count; i++)
    write_part(reader, &container->parts[i], temporary, loader);
  ZSTD_freeDStream(stream);
  free(reader);

  sync_directory(libraries);
  write_complete(container, temporary, directory);
  sync_directory(temporary);
}

// Waits for another start that unpacks. False: this file system has no locks.
static bool lock_bin(int fd, const char *bin) {
  const struct timespec pause = {0, 20 * 1000 * 1000};
  for (long waited = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited++) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return false;
    if (waited > LOCK_SECONDS * 50)
      fail(EXIT_INSTALL_FAILED, "another start has been unpacking into %s for %d seconds", bin, LOCK_SECONDS);
    nanosleep(&pause, NULL);
  }
  return true;
}

int unpack(const struct container *container, const char *root, bool deep, char directory[PATH_MAX]) {
  char bin[PATH_MAX], path[PATH_MAX], temporary[PATH_MAX];
  path_join(bin, "%s/bin", root);
  path_join(directory, "%s/%s-%s", bin, container->version, container->id);
  int in_use = use_existing(container, directory, deep);
  if (in_use >= 0) return in_use;

  make_private_directory(root);
  make_private_directory(bin);
  path_join(path, "%s/.lock", bin);
  int lock = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (lock < 0) fail_writing(path, errno);
  bool locked = lock_bin(lock, bin);
  in_use = use_existing(container, directory, deep);
  if (in_use < 0) {
    sweep_leftovers(bin, locked);
    check_room(bin, container);
    path_join(temporary, "%s/.unpack-%s-%ld", bin, container->id, (long)getpid());
    write_parts(container, temporary, directory);
    if (in_use == UNPACK_DAMAGED) set_aside_and_remove(bin, directory);
    if (rename(temporary, directory) < 0) {
      // Without locks another start may have been first; its work is as good as ours.
      int error = errno;
      remove_tree(temporary);
      if (error != ENOTEMPTY && error != EEXIST) fail_writing(directory, error);
    }
    unfinished[0] = 0;
    sync_directory(bin);
    in_use = use_existing(container, directory, false);
    if (in_use < 0) fail(EXIT_INSTALL_FAILED, "%s was unpacked and is not whole: is the disk failing?", directory);
    sweep_old_versions(bin, directory);
  }
  close(lock);
  return in_use;
}
