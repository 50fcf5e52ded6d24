#define _GNU_SOURCE
#include "confine_cli.h"
#include "landlock.h"
#include "probe.h"
#include "run.h"
#include "words.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char HELP[] =
  "usage: helper confine --level LEVEL [OPTION...] -- PROGRAM [ARG...]\n"
  "       helper confine --probe     one line of JSON: the levels that work here, each tried\n"
  "\n"
  "LEVEL  landlock, mount, mount+landlock, guard\n"
  "\n"
  "  --policy FILE     what may be reached, in the format of policy.h; or:\n"
  "  --policy-fd N\n"
  "  --policy-once FILE   it is removed as soon as it was read\n"
  "  --sys PATH        read and execute; links are followed, what is absent is passed over\n"
  "  --dev PATH        a device\n"
  "  --ro PATH         read and execute: a directory with all below it, or a file\n"
  "  --rw PATH         the same, and write\n"
  "  --sock PATH       a unix socket\n"
  "  --hide PATH       below a root, and not to be reached (with mount)\n"
  "  --no-network\n"
  "\n"
  "  --cwd DIR         where it starts: absolute, no link in it\n"
  "  --report          at guard: a line on stderr for each refusal\n"
  "  --min-abi N       refuse to run below this ABI of Landlock\n"
  "  --max-abi N       use no more than this ABI, as on an older kernel\n"
  "\n"
  "Nothing ran if the status is 125 (usage), 124 (the level cannot be had here), 123 (an approval no longer names what was approved)\n"
  "or 122 (a file or directory is open as 0, 1 or 2); 127 and 126: there is no such program, or it cannot be executed.\n";

enum option_code { OPTION_HELP = 1, PROBE, LEVEL, POLICY, POLICY_FD, POLICY_ONCE, NO_NETWORK, CWD, MIN_ABI, MAX_ABI, REPORT, SHORT_FORM };

static const struct option OPTIONS[] = {
  { "help", no_argument, NULL, OPTION_HELP },         { "probe", no_argument, NULL, PROBE },
  { "level", required_argument, NULL, LEVEL },        { "policy", required_argument, NULL, POLICY },
  { "policy-once", required_argument, NULL, POLICY_ONCE },
  { "policy-fd", required_argument, NULL, POLICY_FD }, { "no-network", no_argument, NULL, NO_NETWORK },
  { "cwd", required_argument, NULL, CWD },            { "min-abi", required_argument, NULL, MIN_ABI },
  { "max-abi", required_argument, NULL, MAX_ABI },    { "report", no_argument, NULL, REPORT },
  { "sys", required_argument, NULL, SHORT_FORM },
  { "dev", required_argument, NULL, SHORT_FORM },     { "ro", required_argument, NULL, SHORT_FORM },
  { "rw", required_argument, NULL, SHORT_FORM },      { "sock", required_argument, NULL, SHORT_FORM },
  { "hide", required_argument, NULL, SHORT_FORM },    { 0 },
};

static int usage(const char *what, const char *which) {
  fprintf(stderr, "confine: %s%s%s (--help says more)\n", what, which ? " " : "", which ? which : "");
  return CONFINE_USAGE;
}

static unsigned level_of(const char *word) {
  static const struct { const char *word; unsigned level; } LEVELS[] = {
    { "landlock", LEVEL_LANDLOCK }, { "mount", LEVEL_MOUNT }, { "mount+landlock", LEVEL_MOUNT | LEVEL_LANDLOCK }, { "guard", LEVEL_GUARD } };
  for (size_t i = 0; i < sizeof LEVELS / sizeof *LEVELS; i++)
    if (strcmp(LEVELS[i].word, word) == 0) return LEVELS[i].level;
  return 0;
}

// Not negative; -1: no number.
static int number_of(const char *text) {
  char *end;
  errno = 0;
  long n = strtol(text, &end, 10);
  return errno != 0 || end == text || *end != 0 || n < 0 || n > 1 << 20 ? -1 : (int)n;
}

static bool read_policy(struct words *words, const char *file, int fd) {
  if (file != NULL) fd = open(file, O_RDONLY | O_CLOEXEC);
  bool done = fd >= 0 && words_read(words, fd);
  int error = errno;
  if (fd >= 0) close(fd);
  errno = error;
  return done;
}

// Of its own: what is in `argv` is wiped in a process that starts the command.
static char **copied(char **words, int count) {
  char **copy = calloc((size_t)count + 1, sizeof *copy);
  for (int i = 0; copy != NULL && i < count; i++)
    if ((copy[i] = strdup(words[i])) == NULL) return NULL;
  return copy;
}

int confine_cli(int argc, char **argv) {
  struct words words;
  struct run what = { 0 };
  const char *level = NULL;
  int min_abi = 0, n = 0;
  if (!words_begin(&words)) return usage(strerror(errno), NULL);
  optind = 1;
  for (int code, which; (code = getopt_long(argc, argv, "+", OPTIONS, &which)) != -1;)
    switch (code) {
    case OPTION_HELP: return fputs(HELP, stdout) < 0;
    case PROBE: return probe();
    case LEVEL: level = optarg; break;
    case POLICY:
      if (!read_policy(&words, optarg, -1)) return usage(strerror(errno), optarg);
      break;
    case POLICY_ONCE:
      if (!read_policy(&words, optarg, -1)) return usage(strerror(errno), optarg);
      unlink(optarg);
      break;
    case POLICY_FD:
      if (!read_policy(&words, NULL, number_of(optarg))) return usage("cannot read --policy-fd", optarg);
      break;
    case NO_NETWORK: words_add(&words, "option no-network"); break;
    case REPORT: what.report = true; break;
    case CWD: what.cwd = strdup(optarg); break;
    case MIN_ABI:
      if ((min_abi = number_of(optarg)) < 0) return usage("no number:", optarg);
      break;
    case MAX_ABI:
      if ((n = number_of(optarg)) < 0) return usage("no number:", optarg);
      landlock_limit(n);
      break;
    case SHORT_FORM:
      if (!words_add_path(&words, OPTIONS[which].name, optarg)) return usage(strerror(errno), optarg);
      break;
    default: return CONFINE_USAGE;
    }
  what.level = level == NULL ? 0 : level_of(level);
  if (what.level == 0) return usage("no such level:", level ? level : "none");
  if (optind == argc) return usage("no program", NULL);
  if (landlock_abi() < min_abi) {
    fprintf(stderr, "confine: the ABI of Landlock is %d here\n", landlock_abi());
    return CONFINE_UNAVAILABLE;
  }
  what.policy = words.bytes;
  what.length = words.length;
  what.command = copied(argv + optind, argc - optind);
  if (what.command == NULL) return usage(strerror(errno), NULL);
  what.argv = argv;
  return run(&what);
}
