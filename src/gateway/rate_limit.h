/*
 * Rate limits: GCRA (a leaky bucket as one time per key) in one table of fixed size, changed with compare-and-swap alone. Keys are hashed
 * with a secret, so nobody can aim at somebody else's slot.
 */
#ifndef PURSER_GATEWAY_RATE_LIMIT_H
#define PURSER_GATEWAY_RATE_LIMIT_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct rate {
    int64_t count, period_ms; /* count 0: no limit */
};

struct rate_answer {
    bool allowed;
    int64_t remaining;      /* more that would be allowed now */
    int64_t reset_ms;       /* until all are allowed again */
    int64_t retry_after_ms; /* refused: until one is allowed */
};

/* `secret` keys the hash: gateways that settle with each other need the same one; "" takes a random one. */
void rate_limit_init(const char *secret);
/* Takes one of `key`'s at this rate, if `take`; else only looks. `kind` keeps keys of different limits apart ("ip", "user"). */
struct rate_answer rate_limit(const char *kind, const char *key, struct rate rate, int64_t now_ms, bool take);
/* What was taken here since the last call and other gateways do not know of: text of "hash:count:interval_ms:period_ms," each, appended to
 * `out` for at most `keys_max` keys. Returns how many requests that were. */
uint64_t rate_limit_drain(struct buffer *out, unsigned keys_max);
/* Counts what another gateway has allowed, from its text. */
void rate_limit_apply(struct text taken, int64_t now_ms);
/* Requests allowed here that no other gateway knows of yet. */
uint64_t rate_limit_unsettled(void);

/* The key of an address: itself for IPv4, its /64 for IPv6 (RFC 6177: a subscriber has at least that). `ret_key` has room for 64. */
void rate_limit_address_key(const char *address, char ret_key[64]);

#endif
