/* Access tokens: JWT signed ES256 (RFC 7519, RFC 7518), one EC key found by `kid`. */
#ifndef PURSER_SECURITY_TOKENS_H
#define PURSER_SECURITY_TOKENS_H

#include "base/err.h"
#include "base/json.h"

#define TOKEN_SIZE_MAX 8192

struct token_claims {
    const char *user_id, *session_id, *role, *token_id; /* sub, sid, role, jti */
    int64_t issued_wall_ms, expires_wall_ms;
};

/* A private key; any thread may sign with it. */
struct signing_key;
/* New P-256 key; `kid` is the RFC 7638 thumbprint. NULL when short of memory. */
struct signing_key *signing_key_new(void);
void signing_key_free(struct signing_key *key);
const char *signing_key_id(const struct signing_key *key);
/* Sealed with `secret` (XChaCha20-Poly1305, key by BLAKE2b of the secret) for the database: text in the arena, and back. */
char *signing_key_seal(struct arena *arena, const struct signing_key *key, const char *secret);
int signing_key_open(const char *sealed, const char *secret, struct signing_key **ret_key, struct err *err);
/* The public half as a JWK object. */
json_t *signing_key_jwk(struct arena *arena, const struct signing_key *key);
/* Signs; compact serialisation in the arena. */
char *token_sign(struct arena *arena, const struct signing_key *key, const struct token_claims *claims);

/* The public keys of a JWKS document (RFC 7517), of which those that are not for ES256 are passed over. Immutable; shared between threads by
 * reference. -EINVAL where it is no such document, -ENOMEM. */
struct key_set;
int key_set_read(const json_t *jwks, struct key_set **ret_set, struct err *err);
struct key_set *key_set_ref(struct key_set *set);
void key_set_unref(struct key_set *set);
/* Takes the reference over: it goes with the arena, also where memory is short. */
void key_set_keep(struct arena *arena, struct key_set *set);

/* Verifies everything: shape, header (alg ES256 alone; jwk, jku, x5u, x5c, crit refused before the signature), kid, signature (raw r||s, not
 * zero), iss and aud (setting issuer), exp and iat types. 0; -ENOKEY (unknown kid: fetch the set once); -EKEYEXPIRED; -EACCES with words. */
int token_verify(struct arena *arena, struct key_set *set, struct text token, struct token_claims *ret_claims, struct err *err);

#endif
