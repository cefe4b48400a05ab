/* The public keys of access tokens, from the user service's key set: fetched anew now and then, and when a token names one that is new. */
#ifndef PURSER_GATEWAY_TOKEN_KEYS_H
#define PURSER_GATEWAY_TOKEN_KEYS_H

#include "base/err.h"
#include "runtime/fiber.h"
#include "security/tokens.h"

/* On worker 0; starts the fiber that keeps them fresh. 0 or negative. */
int token_keys_start(void);
void token_keys_stop(void);
/* Whether they have been had. Any thread. */
bool token_keys_are_there(void);
/* As token_verify; for a key that is unknown it fetches the set, once per cool-down whoever asks. -EAGAIN: the key may be a good one, but
 * the set can't be had. Any worker. */
FIBER_FN int token_keys_verify(struct arena *arena, struct text token, struct token_claims *ret_claims, struct err *err);

#endif
