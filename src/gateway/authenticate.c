/*
 * Verified tokens are remembered per worker, so that a signature is computed once per token and worker; what can change while a token lives
 * (its session's end) is looked up each time. Revocations are numbered by the user service: a gap in the numbers, a reconnect, or a cache
 * that is away makes us ask for what we have missed.
 */
#include "gateway/authenticate.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/settings.h"
#include "contracts/sessions.h"
#include "gateway/revocations.h"
#include "http/problem.h"
#include "runtime/worker.h"
#include "security/tokens.h"
#include "service/service.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETS 8192u /* of remembered tokens, a worker */
#define WAYS 8u
#define POLL_MS 500
#define KEYS_FRESH_MS 30000
#define KEYS_COOL_DOWN_MS 2000
#define BLIND_WARNING_MS 5000

struct remembered {
    char *token; /* heap; the claims' strings lie behind it */
    size_t size;
    uint64_t hash;
    const char *user_id, *role, *session_id;
    int64_t expires_wall_ms;
};

static _Thread_local struct remembered (*remembered)[WAYS]; /* of this worker, by hash */
static unsigned char hash_key[crypto_shorthash_KEYBYTES];

static struct key_set *keys; /* guarded by keys_lock */
static pthread_mutex_t keys_lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t keys_fetched_mono_ms, keys_tried_mono_ms;

static struct cache *cache;
static struct fiber *background;
static bool stopping, must_ask;
static int64_t last_number;        /* worker 0 alone */
static int64_t heard_mono_ms;      /* when revocations were last known to be complete */
static void (*on_ended)(const char *session_id);
static struct counter *blind, *fetches;

/* ---- keys ---- */

static struct key_set *keys_ref(void)
{
    pthread_mutex_lock(&keys_lock);
    struct key_set *set = keys ? key_set_ref(keys) : NULL;
    pthread_mutex_unlock(&keys_lock);
    return set;
}

static FIBER_FN int fetch_keys(void)
{
    struct err err;
    int status = 0;
    json_t *answer = NULL;
    struct key_set *fresh;
    __atomic_store_n(&keys_tried_mono_ms, clock_mono_ms(), __ATOMIC_RELAXED);
    counter_add(fetches, 1);
    int error = service_ask("users", "GET", "/.well-known/jwks.json", NULL, &status, &answer);
    if (error || status != 200)
        return error ? error : -EPROTO;
    struct text said;
    said.at = json_print(fiber_arena(), answer, &said.size);
    error = key_set_parse(said, &fresh, &err);
    if (error) {
        log_warn("key set refused", "{s:s}", "why", err.message);
        return error;
    }
    pthread_mutex_lock(&keys_lock);
    struct key_set *old = keys;
    keys = fresh;
    keys_fetched_mono_ms = clock_mono_ms();
    pthread_mutex_unlock(&keys_lock);
    key_set_unref(old);
    return 0;
}

bool authenticate_has_keys(void)
{
    pthread_mutex_lock(&keys_lock);
    bool has = keys_fetched_mono_ms != 0;
    pthread_mutex_unlock(&keys_lock);
    return has;
}

/* Whether a key that is not among ours may be a good one all the same: we could not ask for a while. */
static bool keys_are_stale(void)
{
    pthread_mutex_lock(&keys_lock);
    bool stale = clock_mono_ms() - keys_fetched_mono_ms > 2 * KEYS_FRESH_MS;
    pthread_mutex_unlock(&keys_lock);
    return stale;
}

/* Unknown key ids are a way to make us ask: once per cool-down, whoever asks. */
static bool may_fetch_keys(void)
{
    return clock_mono_ms() - __atomic_load_n(&keys_tried_mono_ms, __ATOMIC_RELAXED) >= KEYS_COOL_DOWN_MS;
}

/* ---- remembered tokens ---- */

static uint64_t hash_of(struct text token)
{
    uint64_t hash;
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)token.at, token.size, hash_key);
    return hash;
}

static struct remembered *find_remembered(struct text token)
{
    uint64_t hash = hash_of(token);
    struct remembered *set = remembered ? remembered[hash % SETS] : NULL;
    for (unsigned i = 0; set && i < WAYS; i++)
        if (set[i].token && set[i].hash == hash && set[i].size == token.size && memcmp(set[i].token, token.at, token.size) == 0)
            return &set[i];
    return NULL;
}

/* Where a token may be put: a free place, else that of the one which expires first. NULL when memory is short. */
static struct remembered *place_for(uint64_t hash)
{
    if (!remembered)
        remembered = calloc(SETS, sizeof *remembered);
    if (!remembered)
        return NULL;
    struct remembered *set = remembered[hash % SETS], *best = &set[0];
    for (unsigned i = 1; i < WAYS && best->token; i++)
        if (!set[i].token || set[i].expires_wall_ms < best->expires_wall_ms)
            best = &set[i];
    return best;
}

static void forget(struct remembered *place)
{
    free(place->token);
    *place = (struct remembered){0};
}

/* Of the worker that ends. */
static void forget_all(void)
{
    for (unsigned i = 0; remembered && i < SETS; i++)
        for (unsigned k = 0; k < WAYS; k++)
            free(remembered[i][k].token);
    free(remembered);
    remembered = NULL;
}

static char *append(char **at, const char *string)
{
    char *start = *at;
    size_t size = strlen(string) + 1;
    memcpy(start, string, size);
    *at += size;
    return start;
}

static void remember(struct text token, const struct token_claims *claims)
{
    uint64_t hash = hash_of(token);
    struct remembered *place = place_for(hash);
    if (!place)
        return;
    forget(place);
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

bool authenticate_known(struct http_request *request, struct text token)
{
    struct remembered *place = find_remembered(token);
    if (!place)
        return false;
    if (place->expires_wall_ms <= clock_wall_ms() || revocations_has(place->session_id)) {
        forget(place);
        return false;
    }
    request->identity = (struct http_identity){
        .user_id = arena_strdup(request->arena, place->user_id),
        .role = arena_strdup(request->arena, place->role),
        .session_id = arena_strdup(request->arena, place->session_id),
        .expires_wall_ms = place->expires_wall_ms,
    };
    return true;
}

/* ---- tokens ---- */

struct text authenticate_token(const struct http_request *request)
{
    struct text bearer = text_of("Bearer "), value = http_header(&request->headers, "Authorization");
    if (value.size >= bearer.size && text_equal_nocase((struct text){value.at, bearer.size}, bearer))
        return text_trim((struct text){value.at + bearer.size, value.size - bearer.size});
    if (value.at)
        return text_of("-"); /* another scheme, which we do not know: whatever it carries is refused */
    struct text protocols = http_header(&request->headers, "Sec-WebSocket-Protocol"), part, start = text_of("bearer.");
    while (protocols.at && text_split(&protocols, ',', &part)) {
        part = text_trim(part);
        if (text_starts(part, start))
            return (struct text){part.at + start.size, part.size - start.size};
    }
    return (struct text){NULL, 0};
}

static FIBER_FN int verify_with_keys(struct arena *arena, struct text token, struct token_claims *claims, struct err *err)
{
    struct key_set *set = keys_ref();
    int error = set ? token_verify(arena, set, token, claims, err) : err_set(err, -ENOKEY, "no keys yet");
    bool known = set && !keys_are_stale();
    key_set_unref(set);
    if (error != -ENOKEY)
        return error;
    if (!may_fetch_keys() || fetch_keys())
        return known ? error : -EAGAIN;
    set = keys_ref();
    error = token_verify(arena, set, token, claims, err);
    key_set_unref(set);
    return error;
}

FIBER_FN enum authenticate_result authenticate_verify(struct http_request *request, struct text token, const char **ret_why)
{
    struct err err;
    struct token_claims claims;
    int error = verify_with_keys(request->arena, token, &claims, &err);
    if (error == -EAGAIN) {
        *ret_why = "The keys of access tokens cannot be had at the moment.";
        return AUTHENTICATE_UNAVAILABLE;
    }
    if (error == -EKEYEXPIRED) {
        *ret_why = "The access token has expired.";
        return AUTHENTICATE_EXPIRED;
    }
    if (error) {
        *ret_why = "The access token is not valid.";
        log_debug("token refused", "{s:s}", "why", err.message);
        return AUTHENTICATE_INVALID;
    }
    if (revocations_has(claims.session_id)) {
        *ret_why = "The session has ended.";
        return AUTHENTICATE_INVALID;
    }
    remember(token, &claims);
    request->identity = (struct http_identity){claims.user_id, claims.role, claims.session_id, claims.expires_wall_ms};
    return AUTHENTICATE_OK;
}

bool authenticate_is_revoked(const char *session_id)
{
    return revocations_has(session_id);
}

void authenticate_on_revoked(void (*ended)(const char *session_id))
{
    on_ended = ended;
}

/* ---- revocations ---- */

void authenticate_session_over(const char *session_id)
{
    revocations_add(session_id, clock_wall_ms() + settings_duration_ms("access_token_ttl") + 60000);
}

static void heard(const char *session_id)
{
    authenticate_session_over(session_id);
    if (on_ended)
        on_ended(session_id);
}

static void take_number(int64_t number)
{
    if (number > last_number + 1)
        must_ask = true; /* some came before it that we did not hear */
    else if (number == last_number + 1)
        last_number = number;
}

static void on_message(void *unused, const char *channel, struct text message)
{
    (void)unused, (void)channel;
    json_error_t error;
    json_t *said = json_loadb(message.at, message.size, JSON_REJECT_DUPLICATES, &error);
    struct session_ended ended;
    if (said && session_ended_decode(said, &ended) == 0) {
        take_number(ended.number);
        heard(ended.session_id);
    } else {
        must_ask = true; /* not understood, or no memory for it */
    }
    json_decref(said);
    if (must_ask && background)
        fiber_wake(background);
}

static void on_reconnect(void *unused)
{
    (void)unused;
    must_ask = true;
    if (background)
        fiber_wake(background);
}

/* All endings after the last one that we know. The service may answer with a part: asked again until nothing is new. */
static FIBER_FN int ask_for_revocations(void)
{
    for (;;) {
        int status = 0;
        size_t i;
        json_t *answer = NULL, *item;
        char *target = arena_printf(fiber_arena(), "/internal/revocations?after=%" PRId64, last_number);
        int error = service_ask("users", "GET", target, NULL, &status, &answer);
        if (error || status != 200)
            return error ? error : -EPROTO;
        json_t *list = json_object_get(answer, "data");
        json_array_foreach(list, i, item) {
            struct session_ended ended;
            if (session_ended_decode(item, &ended))
                continue;
            heard(ended.session_id);
            if (ended.number > last_number)
                last_number = ended.number;
        }
        if (!json_array_size(list))
            return 0;
    }
}

static FIBER_FN void ask_fiber(void *unused)
{
    (void)unused;
    fiber_narrow_deadline(2000);
    must_ask = false;
    if (ask_for_revocations() == 0)
        __atomic_store_n(&heard_mono_ms, clock_mono_ms(), __ATOMIC_RELAXED);
    else
        must_ask = true;
}

static FIBER_FN void keys_fiber(void *unused)
{
    (void)unused;
    fiber_narrow_deadline(2000);
    fetch_keys();
}

static void warn_if_blind(int64_t now)
{
    static int64_t warned_mono_ms;
    if (now - heard_mono_ms < BLIND_WARNING_MS)
        return;
    counter_add(blind, 1);
    if (now - warned_mono_ms > 10000) {
        warned_mono_ms = now;
        log_warn("ended sessions can't be learned of: tokens pass until they expire", "{s:I}", "since_ms", (json_int_t)(now - heard_mono_ms));
    }
}

static FIBER_FN void background_fiber(void *unused)
{
    (void)unused;
    int64_t swept = 0;
    background = fiber_self();
    while (!stopping) {
        int64_t now = clock_mono_ms();
        if (cache_is_up(cache) && !must_ask)
            __atomic_store_n(&heard_mono_ms, now, __ATOMIC_RELAXED);
        else
            fiber_start("revocations", ask_fiber, NULL);
        if (now - keys_fetched_mono_ms > KEYS_FRESH_MS || !keys_fetched_mono_ms)
            fiber_start("keys", keys_fiber, NULL);
        if (now - swept > 60000) {
            revocations_sweep(clock_wall_ms());
            swept = now;
        }
        warn_if_blind(now);
        int64_t before = fiber_narrow_deadline(POLL_MS);
        int waited = fiber_wait(); /* -ETIMEDOUT is the usual case: the next round */
        fiber_set_deadline(before);
        if (waited == -ECANCELED)
            break;
    }
    background = NULL;
}

FIBER_FN int authenticate_start(struct cache *the_cache, struct err *err)
{
    struct cache_subscription subscription = {.pattern = CHANNEL_SESSIONS, .message = on_message, .reconnected = on_reconnect};
    cache = the_cache;
    workers_at_end(forget_all);
    must_ask = true;
    heard_mono_ms = clock_mono_ms();
    randombytes_buf(hash_key, sizeof hash_key);
    blind = counter_get("purser_revocations_blind_total", NULL, "Half seconds in which ended sessions could not be learned of");
    fetches = counter_get("purser_key_set_fetches_total", NULL, "Times the key set of access tokens was asked for");
    int error = cache_subscribe(cache, &subscription);
    if (!error)
        error = fiber_start("authenticate", background_fiber, NULL);
    return error ? err_set(err, error, "cannot watch for ended sessions") : 0;
}

void authenticate_stop(void)
{
    stopping = true;
    if (background)
        fiber_cancel(background);
    pthread_mutex_lock(&keys_lock);
    key_set_unref(keys);
    keys = NULL;
    pthread_mutex_unlock(&keys_lock);
}
