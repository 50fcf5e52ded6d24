// One line for each file of tests.
#include "check.h"

extern const struct test policy_tests[];
extern const struct test pin_tests[];
extern const struct test resolve_tests[];
extern const struct test filter_tests[];
extern const struct test notify_tests[];
extern const struct test landlock_tests[];
extern const struct test confine_tests[];

const struct test *const groups[] = {
  policy_tests,
  pin_tests,
  resolve_tests,
  filter_tests,
  notify_tests,
  landlock_tests,
  confine_tests,
  NULL,
};
