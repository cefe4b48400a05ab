/* How a payment provider signs its callbacks: `X-Purser-Signature: t=<seconds>,v1=<hex>`, an HMAC-SHA-256 by the setting callback_secret over
 * the seconds, a point and the body. */
#ifndef PURSER_CONTRACTS_CALLBACKS_H
#define PURSER_CONTRACTS_CALLBACKS_H

#include "base/arena.h"
#include "base/text.h"

#include <stdint.h>

#define CALLBACK_SIGNATURE_HEADER "X-Purser-Signature"
#define CALLBACK_AGE_MAX_S 300

/* The header's value, in the arena. */
char *callback_sign(struct arena *arena, const char *secret, int64_t now_s, struct text body);
/* 0, or -EACCES: malformed, of another secret or body, or more than CALLBACK_AGE_MAX_S away from `now_s`. */
int callback_verify(const char *secret, int64_t now_s, struct text header, struct text body);

#endif
