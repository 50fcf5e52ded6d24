#include "json.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>

// Bytes of the UTF-8 sequence at `at`; 0 where there is none: overlong, a surrogate, beyond U+10FFFF, cut off.
static size_t sequence(const unsigned char *at) {
  static const struct { unsigned char mask, lead; size_t length; uint32_t least; } FORMS[] = {
    { 0x80, 0x00, 1, 0 }, { 0xe0, 0xc0, 2, 0x80 }, { 0xf0, 0xe0, 3, 0x800 }, { 0xf8, 0xf0, 4, 0x10000 },
  };
  for (size_t f = 0; f < sizeof FORMS / sizeof *FORMS; f++) {
    if ((at[0] & FORMS[f].mask) != FORMS[f].lead) continue;
    uint32_t value = at[0] & ~FORMS[f].mask & 0xff;
    for (size_t i = 1; i < FORMS[f].length; i++) {
      if ((at[i] & 0xc0) != 0x80) return 0;
      value = value << 6 | (at[i] & 0x3f);
    }
    bool surrogate = value >= 0xd800 && value < 0xe000;
    return value >= FORMS[f].least && value < 0x110000 && !surrogate ? FORMS[f].length : 0;
  }
  return 0;
}

bool json_faithful(const char *text) {
  for (const unsigned char *at = (const unsigned char *)text; *at != 0;) {
    size_t length = sequence(at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

size_t json_string(char *out, size_t room, const char *text) {
  size_t n = 0;
  if (room < 3) return 0;
  out[n++] = '"';
  for (const unsigned char *at = (const unsigned char *)text; *at != 0;) {
    char piece[8];
    size_t length = sequence(at), size = length;
    if (length == 0) size = (size_t)snprintf(piece, sizeof piece, "\xef\xbf\xbd");
    else if (*at < 0x20 || *at == 0x7f) size = (size_t)snprintf(piece, sizeof piece, "\\u%04x", *at);
    else if (*at == '"' || *at == '\\') size = (size_t)snprintf(piece, sizeof piece, "\\%c", *at);
    else memcpy(piece, at, length);
    if (n + size + 2 > room) return 0;
    memcpy(out + n, piece, size);
    n += size;
    at += length == 0 ? 1 : length;
  }
  out[n++] = '"';
  out[n] = 0;
  return n;
}
