// Text of others as JSON: what is no UTF-8 becomes U+FFFD, control characters are escaped.
#ifndef JSON_H
#define JSON_H
#include <stdbool.h>
#include <stddef.h>

// Writes `text` with its quotation marks and a NUL behind. Returns its length; 0, with nothing written, if it does not fit.
size_t json_string(char *out, size_t room, const char *text);

// Whether it is shown as it is, nothing replaced.
bool json_faithful(const char *text);

#endif
