/*
 * Refresh tokens: "v1.<session>.<generation>.<code>", where the code is an HMAC of the installation's secret over session and generation. So
 * none of them has to be kept, and the successor of a token can be told again.
 */
#ifndef PURSER_SECURITY_REFRESH_TOKENS_H
#define PURSER_SECURITY_REFRESH_TOKENS_H

#include "base/arena.h"
#include "base/text.h"
#include "base/uuid.h"

#include <stdint.h>

struct refresh_token {
    char session_id[UUID_SIZE];
    int64_t generation; /* from 1; one more at every use */
};

/* The token's text, in the arena. */
char *refresh_token_print(struct arena *arena, const char *secret, const char *session_id, int64_t generation);
/* 0, or -EACCES for whatever was not made by refresh_token_print with this secret, byte for byte. */
int refresh_token_parse(struct arena *arena, const char *secret, struct text token, struct refresh_token *ret_token);

#endif
