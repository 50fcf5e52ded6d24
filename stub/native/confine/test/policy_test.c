#include "../policy.h"
#include "check.h"

// A policy of up to eight strings; they are copied, because parsing writes into them.
static struct policy parsed;
static int parse_bytes(const char *bytes, size_t length) {
  char *copy = malloc(length + 1);
  memcpy(copy, bytes, length);
  return policy_parse(copy, length, &parsed);
}
#define PARSE(text) parse_bytes(text, sizeof text)          // with the last NUL
#define V "confine 1\0"

static void reads_every_kind(void) {
  EQUAL(PARSE(V "sys - /usr\0dev - /dev/null\0sock - /run/nscd/socket\0ro 2049:77 /opt/tools\0rw 2049:99 /srv/app\0"
                "ro-file 2049:5 /etc/x\0rw-file 18446744073709551615:1 /srv/y\0hide - /home/u/.ssh\0option no-network"), 0);
  EQUAL(parsed.count, 8);
  CHECK(parsed.no_network);
  EQUAL(parsed.entries[0].kind, ENTRY_SYS);
  CHECK(!parsed.entries[0].identified);
  EQUAL(parsed.entries[3].kind, ENTRY_RO);
  CHECK(parsed.entries[3].identified);
  EQUAL(parsed.entries[3].dev, 2049);
  EQUAL(parsed.entries[3].ino, 77);
  CHECK(strcmp(parsed.entries[4].path, "/srv/app") == 0);
  CHECK(parsed.entries[6].dev == UINT64_MAX);
  EQUAL(parsed.entries[7].kind, ENTRY_HIDE);
}

static void keeps_spaces_and_newlines_of_paths(void) {
  EQUAL(PARSE(V "rw 1:2 /srv/my app\n2 "), 0);
  CHECK(strcmp(parsed.entries[0].path, "/srv/my app\n2 ") == 0);
  EQUAL(PARSE(V "bind 1:2 /home/u u/tmp dir /tmp"), 0);
  CHECK(strcmp(parsed.entries[0].path, "/home/u u/tmp dir") == 0);
  CHECK(strcmp(parsed.entries[0].shown, "/tmp") == 0);
}

static void refuses_what_it_does_not_know(void) {
  EQUAL(PARSE("confine 2"), -1);
  EQUAL(PARSE("sys - /usr"), -1);
  EQUAL(parse_bytes("", 0), -1);
  EQUAL(parse_bytes("confine 1", 9), -1);                   // no NUL
  EQUAL(PARSE(V "option fast"), -1);
  EQUAL(PARSE(V "wr 1:2 /srv"), -1);
  EQUAL(PARSE(V "rw 1:2"), -1);
  EQUAL(PARSE(V "rw 1:2 "), -1);
  EQUAL(PARSE(V "bind 1:2 /srv"), -1);
  EQUAL(PARSE(V "bind 1:2 /srv tmp"), -1);
  EQUAL(PARSE(V "\0sys - /usr"), -1);                       // an empty string
  EQUAL(PARSE(V ""), -1);
}

static void refuses_malformed_identities(void) {
  static const char *const wrong[] = { "1", "1:", ":2", "1:2x", "-1:2", "x:y", "18446744073709551616:1", "1:2:3", "--", "" };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    char text[128] = V;
    char *entry = text + sizeof V - 1;
    int length = sprintf(entry, "rw %s /srv", wrong[i]);
    EQUAL(parse_bytes(text, (size_t)(entry + length + 1 - text)), -1);
  }
}

static void refuses_paths_that_are_not_canonical(void) {
  CHECK(policy_canonical("/"));
  CHECK(policy_canonical("/a/..b/.c/d."));
  CHECK(!policy_canonical(""));
  CHECK(!policy_canonical("a"));
  CHECK(!policy_canonical("/a/../b"));
  CHECK(!policy_canonical("/.."));
  CHECK(!policy_canonical("/a/."));
  CHECK(!policy_canonical("/a//b"));
  CHECK(!policy_canonical("/a/"));
  CHECK(!policy_canonical("//"));
  EQUAL(PARSE(V "rw 1:2 srv"), -1);
  EQUAL(PARSE(V "rw 1:2 /srv/../etc"), -1);
}

static void covers_by_component(void) {
  EQUAL(PARSE(V "rw 1:2 /a/b\0sys - /usr"), 0);
  CHECK(policy_covers(&parsed, "/a/b", true));
  CHECK(policy_covers(&parsed, "/a/b/c", true));
  CHECK(!policy_covers(&parsed, "/a/bc", false));
  CHECK(!policy_covers(&parsed, "/a", false));
  CHECK(policy_covers(&parsed, "/usr/bin/sh", false));
  CHECK(!policy_covers(&parsed, "/usr/bin/sh", true));
  EQUAL(PARSE(V "ro 1:2 /"), 0);
  CHECK(policy_covers(&parsed, "/", false));
  CHECK(policy_covers(&parsed, "/x", false));
  CHECK(!policy_covers(&parsed, "/x", true));
}

static void covers_a_file_alone(void) {
  EQUAL(PARSE(V "rw-file 1:2 /a/f\0ro-file 1:2 /a/g\0sock - /run/s"), 0);
  CHECK(policy_covers(&parsed, "/a/f", true));
  CHECK(!policy_covers(&parsed, "/a/f/x", false));
  CHECK(policy_covers(&parsed, "/a/g", false));
  CHECK(!policy_covers(&parsed, "/a/g", true));
  CHECK(!policy_covers(&parsed, "/a", false));
  CHECK(policy_covers(&parsed, "/run/s", true));
  CHECK(!policy_covers(&parsed, "/run/s/x", true));
}

static void hides_until_a_longer_one_gives_again(void) {
  EQUAL(PARSE(V "rw 1:2 /h\0hide - /h/.ssh\0ro 1:3 /h/.ssh/pub\0rw 1:4 /h/same\0hide - /h/same"), 0);
  CHECK(policy_covers(&parsed, "/h/x", true));
  CHECK(!policy_covers(&parsed, "/h/.ssh", false));
  CHECK(!policy_covers(&parsed, "/h/.ssh/id", false));
  CHECK(policy_covers(&parsed, "/h/.ssh/pub/k", false));
  CHECK(!policy_covers(&parsed, "/h/.ssh/pub/k", true));
  CHECK(!policy_covers(&parsed, "/h/same/x", false));
}

static void adds_approvals_up(void) {
  EQUAL(PARSE(V "rw 1:2 /s\0ro 1:3 /s/sub"), 0);
  CHECK(policy_covers(&parsed, "/s/sub/f", true));          // as Landlock has it
  EQUAL(PARSE(V "ro 1:2 /s\0rw 1:3 /s/sub"), 0);
  CHECK(!policy_covers(&parsed, "/s/f", true));
  CHECK(policy_covers(&parsed, "/s/sub/f", true));
}

const struct test policy_tests[] = {
  { "policy", "every kind and option is read", reads_every_kind },
  { "policy", "spaces and newlines in a path are its own", keeps_spaces_and_newlines_of_paths },
  { "policy", "what is not known is refused, never passed over", refuses_what_it_does_not_know },
  { "policy", "an identity is two numbers or a dash", refuses_malformed_identities },
  { "policy", "a path must be absolute and canonical", refuses_paths_that_are_not_canonical },
  { "policy", "a directory covers by component: /a/b is not above /a/bc", covers_by_component },
  { "policy", "a single file covers itself and nothing below its name", covers_a_file_alone },
  { "policy", "what is hidden stays so until a longer entry gives it again", hides_until_a_longer_one_gives_again },
  { "policy", "approvals add up", adds_approvals_up },
  { 0 },
};
