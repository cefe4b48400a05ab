/*
 * Keys once opened stay in memory until the ring is closed, also when they count no longer: whoever signs needs no lock while he does, and
 * there are few of them in the life of a process.
 */
#include "users/keys.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/settings.h"
#include "users/rules.h"
#include "users/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define KEYS_MAX 8     /* that count at once; a reader of key sets takes 16 */
#define OPENED_MAX 256 /* of one process's life */

struct opened {
    struct signing_key *key;
    int64_t signs_from_wall_ms;
};

struct key_ring {
    struct database *database;
    const char *secret;
    pthread_mutex_t lock;      /* of what follows */
    struct opened *now[KEYS_MAX + 1]; /* ascending by signs_from */
    unsigned count;
    struct opened all[OPENED_MAX];
    unsigned all_count;
};

/* A copy of the list, to work on without the lock. */
struct view {
    struct opened *keys[KEYS_MAX + 1];
    int64_t signs_from_wall_ms[KEYS_MAX + 1];
    unsigned count;
};

static struct view view_of(struct key_ring *ring)
{
    struct view view;
    pthread_mutex_lock(&ring->lock);
    view.count = ring->count;
    for (unsigned i = 0; i < ring->count; i++) {
        view.keys[i] = ring->now[i];
        view.signs_from_wall_ms[i] = ring->now[i]->signs_from_wall_ms;
    }
    pthread_mutex_unlock(&ring->lock);
    return view;
}

/* The opened key of that row, opening it if it is new. With the lock held. */
static int open_key(struct key_ring *ring, const struct stored_key *stored, struct opened **ret_opened, struct err *err)
{
    for (unsigned i = 0; i < ring->all_count; i++)
        if (strcmp(signing_key_id(ring->all[i].key), stored->kid) == 0) {
            *ret_opened = &ring->all[i];
            return 0;
        }
    if (ring->all_count == OPENED_MAX)
        return err_set(err, -EMFILE, "too many keys were made since the start");
    struct opened *opened = &ring->all[ring->all_count];
    int error = signing_key_open(stored->sealed, ring->secret, &opened->key, err);
    if (error)
        return error;
    opened->signs_from_wall_ms = stored->signs_from_wall_ms;
    ring->all_count++;
    *ret_opened = opened;
    return 0;
}

static FIBER_FN int load(struct key_ring *ring, struct err *err)
{
    struct stored_key *stored;
    struct opened *fresh[KEYS_MAX + 1];
    unsigned count;
    int error = users_store_keys(ring->database, &stored, &count);
    if (error)
        return err_set(err, error, "the signing keys cannot be read");
    unsigned skipped = count > KEYS_MAX + 1 ? count - (KEYS_MAX + 1) : 0;
    pthread_mutex_lock(&ring->lock);
    for (unsigned i = skipped; i < count && !error; i++)
        error = open_key(ring, &stored[i], &fresh[i - skipped], err);
    if (!error) {
        ring->count = count - skipped;
        memcpy(ring->now, fresh, ring->count * sizeof *fresh);
    }
    pthread_mutex_unlock(&ring->lock);
    return error;
}

static FIBER_FN int make_first(struct key_ring *ring)
{
    struct signing_key *key = signing_key_new();
    if (!key)
        return -ENOMEM;
    struct stored_key stored = {
        .kid = arena_strdup(fiber_arena(), signing_key_id(key)),
        .sealed = signing_key_seal(fiber_arena(), key, ring->secret),
        .signs_from_wall_ms = clock_wall_ms(),
    };
    signing_key_free(key);
    return users_store_first_key(ring->database, &stored);
}

FIBER_FN int key_ring_open(struct database *database, const char *secret, struct key_ring **ret_ring, struct err *err)
{
    struct key_ring *ring = memory_get_zeroed(sizeof *ring);
    if (!ring)
        return err_set(err, -ENOMEM, "out of memory");
    ring->database = database;
    ring->secret = secret;
    pthread_mutex_init(&ring->lock, NULL);
    int error = load(ring, err);
    if (!error && !ring->count) {
        error = make_first(ring);
        error = error ? err_set(err, error, "the first signing key cannot be made") : load(ring, err);
    }
    if (error) {
        key_ring_close(ring);
        return error;
    }
    *ret_ring = ring;
    return 0;
}

void key_ring_close(struct key_ring *ring)
{
    if (!ring)
        return;
    for (unsigned i = 0; i < ring->all_count; i++)
        signing_key_free(ring->all[i].key);
    pthread_mutex_destroy(&ring->lock);
    free(ring);
}

FIBER_FN int key_ring_refresh(struct key_ring *ring)
{
    struct err err;
    int64_t now = clock_wall_ms(), life = settings_duration_ms("access_token_ttl");
    int error = load(ring, &err);
    if (error) {
        log_warn("signing keys not refreshed", "{s:s}", "why", err.message);
        return error;
    }
    struct view view = view_of(ring);
    for (unsigned i = 0; i < view.count && !error; i++)
        if (!key_is_published(view.signs_from_wall_ms, view.count, i, now, life))
            error = users_store_drop_key(ring->database, signing_key_id(view.keys[i]->key));
    return error;
}

FIBER_FN int key_ring_rotate(struct key_ring *ring, const char **ret_kid)
{
    struct err err;
    struct view view = view_of(ring);
    int64_t last = view.signs_from_wall_ms[view.count - 1], from = clock_wall_ms() + settings_duration_ms("key_lead");
    struct signing_key *key = view.count < KEYS_MAX ? signing_key_new() : NULL;
    if (!key)
        return view.count < KEYS_MAX ? -ENOMEM : -EMFILE;
    struct stored_key stored = {
        .kid = arena_strdup(fiber_arena(), signing_key_id(key)),
        .sealed = signing_key_seal(fiber_arena(), key, ring->secret),
        .signs_from_wall_ms = from > last ? from : last + 1,
    };
    signing_key_free(key);
    int error = users_store_add_key(ring->database, &stored);
    if (!error && load(ring, &err))
        log_warn("signing keys not refreshed", "{s:s}", "why", err.message); /* the next look at the database finds it */
    if (!error)
        *ret_kid = stored.kid;
    return error;
}

char *key_ring_sign(struct key_ring *ring, struct arena *arena, const struct token_claims *claims)
{
    struct view view = view_of(ring);
    unsigned signs = key_that_signs(view.signs_from_wall_ms, view.count, claims->issued_wall_ms);
    return token_sign(arena, view.keys[signs]->key, claims);
}

json_t *key_ring_published(struct key_ring *ring, struct arena *arena)
{
    struct view view = view_of(ring);
    int64_t now = clock_wall_ms(), life = settings_duration_ms("access_token_ttl");
    json_t *list = json_make(arena, "[]");
    for (unsigned i = 0; i < view.count; i++)
        if (key_is_published(view.signs_from_wall_ms, view.count, i, now, life))
            json_add(list, signing_key_jwk(arena, view.keys[i]->key));
    return json_make(arena, "{s:O}", "keys", list);
}
