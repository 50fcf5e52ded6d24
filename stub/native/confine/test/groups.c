#include "check.h"

extern const struct test policy_tests[], pin_tests[], resolve_tests[];

const struct test *const groups[] = { policy_tests, pin_tests, resolve_tests, NULL };
