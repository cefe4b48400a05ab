/* Tokens that this worker has verified, with what they say, so that a signature is computed once per token and worker. */
#ifndef PURSER_GATEWAY_KNOWN_TOKENS_H
#define PURSER_GATEWAY_KNOWN_TOKENS_H

#include "security/tokens.h"

struct known_token {
    char *token; /* heap; the claims' strings lie behind it */
    size_t size;
    uint64_t hash;
    const char *user_id, *role, *session_id;
    int64_t expires_wall_ms;
};

/* Once, before any worker looks. */
void known_tokens_init(void);
/* Borrowed until this worker adds or forgets one; NULL if it is not known. It may have expired, and its session may have ended. */
struct known_token *known_tokens_find(struct text token);
void known_tokens_forget(struct known_token *known);
/* Copies. Where there is no place for it, or no memory, another one goes or it is not remembered. */
void known_tokens_add(struct text token, const struct token_claims *claims);

#endif
