/* A table of sets by hash. What has expired goes when its set takes another one; in a full set the token that expires first gives way. */
#include "gateway/known_tokens.h"

#include "base/clock.h"
#include "runtime/worker.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define SETS 8192u
#define WAYS 8u

static _Thread_local struct known_token (*sets)[WAYS]; /* made at first use */
static unsigned char hash_key[crypto_shorthash_KEYBYTES];

static uint64_t hash_of(struct text token)
{
    uint64_t hash;
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)token.at, token.size, hash_key);
    return hash;
}

struct known_token *known_tokens_find(struct text token)
{
    uint64_t hash = hash_of(token);
    struct known_token *set = sets ? sets[hash % SETS] : NULL;
    for (unsigned i = 0; set && i < WAYS; i++)
        if (set[i].token && set[i].hash == hash && set[i].size == token.size && memcmp(set[i].token, token.at, token.size) == 0)
            return &set[i];
    return NULL;
}

void known_tokens_forget(struct known_token *known)
{
    free(known->token);
    *known = (struct known_token){0};
}

/* Where a token may be put: a free place, else that of the one which expires first. NULL when memory is short. */
static struct known_token *place_for(uint64_t hash)
{
    if (!sets)
        sets = calloc(SETS, sizeof *sets);
    if (!sets)
        return NULL;
    struct known_token *set = sets[hash % SETS], *best = &set[0];
    int64_t now_ms = clock_wall_ms();
    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].token && set[i].expires_wall_ms <= now_ms)
            known_tokens_forget(&set[i]);
    for (unsigned i = 1; i < WAYS && best->token; i++)
        if (!set[i].token || set[i].expires_wall_ms < best->expires_wall_ms)
            best = &set[i];
    return best;
}

/* Of the worker that ends. */
static void forget_all(void)
{
    for (unsigned i = 0; sets && i < SETS; i++)
        for (unsigned k = 0; k < WAYS; k++)
            free(sets[i][k].token);
    free(sets);
    sets = NULL;
}

static char *append(char **at, const char *string)
{
    char *start = *at;
    size_t size = strlen(string) + 1;
    memcpy(start, string, size);
    *at += size;
    return start;
}

void known_tokens_add(struct text token, const struct token_claims *claims)
{
    uint64_t hash = hash_of(token);
    struct known_token *place = place_for(hash);
    if (!place)
        return;
    known_tokens_forget(place);
    char *at = malloc(token.size + strlen(claims->user_id) + strlen(claims->role) + strlen(claims->session_id) + 3);
    if (!at)
        return;
    place->token = at;
    place->size = token.size;
    place->hash = hash;
    memcpy(at, token.at, token.size);
    at += token.size;
    place->user_id = append(&at, claims->user_id);
    place->role = append(&at, claims->role);
    place->session_id = append(&at, claims->session_id);
    place->expires_wall_ms = claims->expires_wall_ms;
}

void known_tokens_init(void)
{
    randombytes_buf(hash_key, sizeof hash_key);
    workers_at_end(forget_all);
}
