/*
 * One set, shared by all workers: whoever verifies holds a reference, so that a fresh set can take its place meanwhile.
 */
#include "gateway/token_keys.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "service/service.h"

#include <errno.h>
#include <pthread.h>

#define LOOK_MS 500
#define FIRST_LOOK_MS 50 /* as long as there are none, */
#define FIRST_MS 5000    /* for so long */
#define FETCH_MS 2000
#define FRESH_MS 30000
#define COOL_DOWN_MS 2000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct key_set *keys;     /* guarded by the lock, as is the next */
static int64_t fetched_mono_ms;  /* 0: never */
static int64_t tried_mono_ms;    /* atomic */
static struct fiber *background; /* worker 0 alone, as is the next */
static bool fetching;
static struct counter *fetches;

/* The set, which stays as long as the arena; NULL: none yet. */
static struct key_set *keys_held(struct arena *arena)
{
    pthread_mutex_lock(&lock);
    struct key_set *set = keys ? key_set_ref(keys) : NULL;
    pthread_mutex_unlock(&lock);
    if (set)
        key_set_keep(arena, set);
    return set;
}

static FIBER_FN int fetch(void)
{
    struct err err;
    int status = 0;
    json_t *answer = NULL;
    struct key_set *fresh;
    __atomic_store_n(&tried_mono_ms, clock_mono_ms(), __ATOMIC_RELAXED);
    counter_add(fetches, 1);
    int error = service_ask("users", "GET", "/.well-known/jwks.json", NULL, &status, &answer);
    if (error || status != 200)
        return error ? error : -EPROTO;
    error = key_set_read(answer, &fresh, &err);
    if (error) {
        log_warn("key set refused", "{s:s}", "why", err.message);
        return error;
    }
    pthread_mutex_lock(&lock);
    struct key_set *old = keys;
    keys = fresh;
    fetched_mono_ms = clock_mono_ms();
    pthread_mutex_unlock(&lock);
    key_set_unref(old);
    return 0;
}

static int64_t fetched_at(void)
{
    pthread_mutex_lock(&lock);
    int64_t mono_ms = fetched_mono_ms;
    pthread_mutex_unlock(&lock);
    return mono_ms;
}

bool token_keys_are_there(void)
{
    return fetched_at() != 0;
}

/* Whether a key that is not among ours may be a good one all the same: we could not ask for a while. */
static bool are_stale(void)
{
    return clock_mono_ms() - fetched_at() > 2 * FRESH_MS;
}

/* Unknown key ids are a way to make us ask: once per cool-down, whoever asks. */
static bool may_fetch(void)
{
    return clock_mono_ms() - __atomic_load_n(&tried_mono_ms, __ATOMIC_RELAXED) >= COOL_DOWN_MS;
}

FIBER_FN int token_keys_verify(struct arena *arena, struct text token, struct token_claims *ret_claims, struct err *err)
{
    struct key_set *set = keys_held(arena);
    int error = set ? token_verify(arena, set, token, ret_claims, err) : err_set(err, -ENOKEY, "no keys yet");
    bool known = set && !are_stale();
    if (error != -ENOKEY)
        return error;
    if (!may_fetch() || fetch())
        return known ? error : -EAGAIN;
    return token_verify(arena, keys_held(arena), token, ret_claims, err);
}

static void fetched(void *unused)
{
    (void)unused;
    fetching = false;
}

static FIBER_FN void fetch_fiber(void *unused)
{
    (void)unused;
    fiber_defer(fetched, NULL);
    fetching = true;
    fiber_narrow_deadline(FETCH_MS);
    fetch();
}

static FIBER_FN void background_fiber(void *unused)
{
    (void)unused;
    int64_t at, began = clock_mono_ms();
    background = fiber_self();
    do {
        at = fetched_at();
        if (!fetching && (!at || clock_mono_ms() - at > FRESH_MS))
            fiber_start("keys", fetch_fiber, NULL); /* on a fiber of its own, whose arena goes with it */
    } while (!fiber_sleep(at || clock_mono_ms() - began > FIRST_MS ? LOOK_MS : FIRST_LOOK_MS));
    background = NULL;
}

int token_keys_start(void)
{
    fetches = counter_get("purser_key_set_fetches_total", NULL, "Times the key set of access tokens was asked for");
    return fiber_start("token keys", background_fiber, NULL);
}

void token_keys_stop(void)
{
    if (background)
        fiber_cancel(background);
    pthread_mutex_lock(&lock);
    key_set_unref(keys);
    keys = NULL;
    pthread_mutex_unlock(&lock);
}
