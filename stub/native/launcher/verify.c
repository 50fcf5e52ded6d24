// SHA-256 (FIPS 180-4), and `--verify`: is this file what was uploaded?
#include "launcher.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t word, unsigned bits) { return word >> bits | word << (32 - bits); }

static void compress(uint32_t state[8], const unsigned char *block) {
  uint32_t w[64];
  for (int i = 0; i < 16; i++)
    w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 |
           block[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
    uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
  uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
  for (int i = 0; i < 64; i++) {
    uint32_t t1 = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i];
    uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d;
  state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

void sha256_begin(struct sha256 *hash) {
  static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memcpy(hash->state, start, sizeof start);
  hash->length = 0;
}

void sha256_add(struct sha256 *hash, const void *data, size_t length) {
  const unsigned char *bytes = data;
  while (length > 0) {
    size_t filled = hash->length % 64;
    if (filled == 0 && length >= 64) {
      compress(hash->state, bytes);
      bytes += 64, length -= 64, hash->length += 64;
      continue;
    }
    size_t take = 64 - filled < length ? 64 - filled : length;
    memcpy(hash->block + filled, bytes, take);
    bytes += take, length -= take, hash->length += take;
    if (filled + take == 64) compress(hash->state, hash->block);
  }
}

void sha256_end(struct sha256 *hash, char hex[SHA256_HEX]) {
  uint64_t bits = hash->length * 8;
  unsigned char tail[72] = {0x80};
  size_t padding = (hash->length % 64 < 56 ? 56 : 120) - hash->length % 64;
  for (int i = 0; i < 8; i++) tail[padding + (size_t)i] = (unsigned char)(bits >> (56 - 8 * i));
  sha256_add(hash, tail, padding + 8);
  for (int i = 0; i < 8; i++) snprintf(hex + 8 * i, 9, "%08x", hash->state[i]);
}

bool sha256_file(int fd, uint64_t offset, uint64_t length, uint64_t zero_offset, uint64_t zero_length,
                 char hex[SHA256_HEX]) {
  static unsigned char buffer[128 * 1024];
  struct sha256 hash;
  sha256_begin(&hash);
  for (uint64_t done = 0; done < length;) {
    uint64_t want = length - done < sizeof buffer ? length - done : sizeof buffer;
    ssize_t got = pread(fd, buffer, (size_t)want, (off_t)(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    uint64_t from = zero_offset > done ? zero_offset : done, end = zero_offset + zero_length;
    uint64_t to = end < done + (uint64_t)got ? end : done + (uint64_t)got;
    if (from < to) memset(buffer + (from - done), 0, (size_t)(to - from));
    sha256_add(&hash, buffer, (size_t)got);
    done += (uint64_t)got;
  }
  sha256_end(&hash, hex);
  return true;
}

// Prints nothing where the hashes are equal. Works on a file of any content: it may be damaged behind the launcher.
int verify_command(const char *expected) {
  int fd = self_open();
  struct stat status;
  char actual[SHA256_HEX];
  if (fstat(fd, &status) < 0 || !sha256_file(fd, 0, (uint64_t)status.st_size, 0, 0, actual))
    fail(EXIT_INSTALL_FAILED, "cannot read this file: %s", strerror(errno));
  if (strcasecmp(actual, expected) == 0) return 0;
  dprintf(STDERR_FILENO, "error upload_corrupt: this file has the hash %s\n", actual);
  return 1;
}
