/* The passwords that are tried first by whoever guesses. */
#ifndef PURSER_SECURITY_COMMON_PASSWORDS_H
#define PURSER_SECURITY_COMMON_PASSWORDS_H

#include <stdbool.h>

/* Whether it is one of the most common ones of 8 characters and more; ASCII case does not count. */
bool password_is_common(const char *password);

#endif
