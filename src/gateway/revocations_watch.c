/*
 * While endings come through the cache and no number is missing, what is known is complete; else the user service is asked every half
 * second: while a shared cache is away, and always where there is none and the user service is in another process, too.
 */
#include "gateway/revocations_watch.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/settings.h"
#include "contracts/sessions.h"
#include "gateway/revocations.h"
#include "service/service.h"

#include <errno.h>
#include <inttypes.h>

#define POLL_MS 500
#define FIRST_POLL_MS 50 /* until it has asked once */
#define ASK_MS 2000
#define SWEEP_MS 60000
#define BLIND_WARNING_MS 5000
#define CLOCKS_APART_MS 60000 /* what a token may outlive its time by */

/* All on worker 0. */
static struct cache *cache;
static struct fiber *background;
static bool stopping, must_ask, asking, all_heard, asked;
static int64_t last_number;
static int64_t heard_mono_ms; /* when revocations were last known to be complete */
static void (*on_ended)(const char *session_id);
static struct counter *blind;

void revocations_session_over(const char *session_id)
{
    revocations_add(session_id, clock_wall_ms() + settings_duration_ms("access_token_ttl") + CLOCKS_APART_MS);
}

static void heard(const char *session_id)
{
    revocations_session_over(session_id);
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
    json_forgive();
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

static void ask_ended(void *unused)
{
    (void)unused;
    asking = false;
    must_ask |= !all_heard; /* also where there was no memory for it */
}

static FIBER_FN void ask_fiber(void *unused)
{
    (void)unused;
    fiber_defer(ask_ended, NULL);
    asking = true;
    fiber_narrow_deadline(ASK_MS);
    must_ask = all_heard = false;
    if (ask_for_revocations())
        return;
    all_heard = asked = true;
    heard_mono_ms = clock_mono_ms();
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
        if (service_is_heard("users", cache) && !must_ask && !asking)
            heard_mono_ms = now;
        else if (!asking)
            fiber_start("revocations", ask_fiber, NULL);
        if (now - swept > SWEEP_MS) {
            revocations_sweep(clock_wall_ms());
            swept = now;
        }
        warn_if_blind(now);
        int64_t before = fiber_narrow_deadline(asked || now - heard_mono_ms > BLIND_WARNING_MS ? POLL_MS : FIRST_POLL_MS);
        int waited = fiber_wait(); /* -ETIMEDOUT is the usual case: the next round */
        fiber_set_deadline(before);
        if (waited == -ECANCELED)
            break;
    }
    background = NULL;
}

FIBER_FN int revocations_watch_start(struct cache *the_cache, void (*ended)(const char *session_id))
{
    struct cache_subscription subscription = {.pattern = CHANNEL_SESSIONS, .message = on_message, .reconnected = on_reconnect};
    cache = the_cache;
    on_ended = ended;
    must_ask = true;
    heard_mono_ms = clock_mono_ms();
    blind = counter_get("purser_revocations_blind_total", NULL, "Half seconds in which ended sessions could not be learned of");
    int error = cache_subscribe(cache, &subscription);
    return error ? error : fiber_start("revocations watch", background_fiber, NULL);
}

bool revocations_are_known(void)
{
    return asked;
}

void revocations_watch_stop(void)
{
    stopping = true;
    if (background)
        fiber_cancel(background);
}
