// What is spoken on descriptor 3: requests from the stub, reports to it. docs/protocol.md "Stub and spawner" is the
// reference; protocol/frames.ts is the other end. Little endian, as is every machine this is built for.
#ifndef WIRE_H
#define WIRE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPORT_FD 3
#define INLINE_MAX 16384                  // one send of this size on a unix stream socket is all or nothing on Linux
#define REQUEST_MAX (16u << 20)           // a longer one is a broken stub
#define UMASK_INHERITED 0xffffffffu

enum request_kind { REQUEST_START = 1, REQUEST_CANCEL = 2 };
enum start_flags { START_STDIN = 1 };     // stdin is a pipe (input.h), else /dev/null
enum cancel_reason { CANCEL_ABORT = 1, CANCEL_TIMEOUT = 2 };

enum report_type {
  REPORT_STARTED = 0,
  REPORT_OUTPUT = 1,
  REPORT_GREW = 2,
  REPORT_END = 3,
  REPORT_FAILED = 4,
  REPORT_SETTLED = 5,
  REPORT_GONE = 8,                        // by the spawner: this command's helper died before it had settled
  REPORT_ASKS = 9,                        // it asks: the socket base.asks is there (asks.h)
};

struct __attribute__((packed)) report_header {
  uint32_t length;                        // of what follows this field
  uint32_t id;
  uint8_t type, stream;
  uint16_t zero;
  uint64_t offset;
};

struct start_request {
  uint32_t id;
  uint32_t flags;
  uint32_t grace_ms;                      // from SIGTERM to SIGKILL
  uint64_t timeout_ms;                    // 0: none
  uint64_t log_cap;                       // bytes that both logs may hold together; 0: no limit
  uint32_t umask;
  uint32_t fallback;                      // argv[0, fallback) is tried first, then the rest; 0: argv is one command
  const char *base, *cwd, *tmpdir;
  char **argv;                            // NULL-terminated, with one free slot before the first (see launch.c)
  char **alternative;                     // likewise; NULL without a fallback
  char **envp;
  unsigned level;                         // enum confine_level; 0: nothing is applied
  uint32_t ask_wait_ms;                   // an ask that no stub takes for so long is denied
  const char *key;                        // names the policy: equal keys, equal policies
  char *policy;                           // policy.h, in place; nothing at level 0
  uint32_t policy_length;
  const char *meta;
  uint32_t meta_length;
};

// Parses the `length` bytes behind a start request's kind. The strings point into `bytes`; the arrays are
// allocated. Returns 0, or -1 if the request is malformed (then nothing is allocated that matters: the caller ends).
int wire_parse_start(char *bytes, size_t length, struct start_request *out);

// Level and key of the same bytes; the key points into them. False if they are malformed.
bool wire_level(const char *bytes, size_t length, unsigned *level, const char **key);

// Copies the directory part of `base` out of the same bytes. False, with nothing copied, if it is malformed or too long.
bool wire_directory(const char *bytes, size_t length, char *out, size_t room);

#endif
