/*
 * The signing keys of this process: opened from the database, one of them signing, all that tokens may still be of published. A new key is
 * published for a while before it signs, so that whoever verifies has it by then.
 */
#ifndef PURSER_USERS_KEYS_H
#define PURSER_USERS_KEYS_H

#include "engines/database.h"
#include "security/tokens.h"

struct key_ring;

/* Opens what there is, or makes the first key. 0 or negative with one line. */
FIBER_FN int key_ring_open(struct database *database, const char *secret, struct key_ring **ret_ring, struct err *err);
void key_ring_close(struct key_ring *ring);
/* Takes what other instances have added, drops keys whose last tokens have ended. */
FIBER_FN int key_ring_refresh(struct key_ring *ring);
/* A new key and its id (arena). -EMFILE: there are too many that still count. */
FIBER_FN int key_ring_rotate(struct key_ring *ring, const char **ret_kid);
/* Any thread. */
char *key_ring_sign(struct key_ring *ring, struct arena *arena, const struct token_claims *claims);
/* The JWKS document. Any thread. */
json_t *key_ring_published(struct key_ring *ring, struct arena *arena);

#endif
