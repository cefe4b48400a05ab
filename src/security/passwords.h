/* Passwords: argon2id (19 MiB, t=2, p=1) in a pool of its own: 2 at once, 64 waiting. */
#ifndef PURSER_SECURITY_PASSWORDS_H
#define PURSER_SECURITY_PASSWORDS_H

#include "runtime/fiber.h"

int passwords_start(void);
void passwords_stop(void);
/* Whether a call would be refused at this moment: asked before there is other work in vain. */
bool passwords_are_busy(void);
/* NULL, or what is wrong: length 8 to 256 characters, not among the most common. */
const char *password_complaint(const char *password);
/* 0 and the encoded hash in the fiber's arena; -EBUSY when too many wait; -ETIMEDOUT, -ECANCELED. */
FIBER_FN int password_hash(const char *password, char **ret_encoded);
/* 0 if it matches, -EACCES if not; else as above. `encoded` NULL checks against a dummy, so that unknown emails take as long. */
FIBER_FN int password_verify(const char *encoded, const char *password);

#endif
