/*
 * Settlement of rate limits. A message is this process's mark and what it allowed since the last one; whoever hears it moves the same keys on
 * in its own table. A message that is lost makes a limit looser by what was in it, never stricter.
 */
#include "gateway/settle.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/uuid.h"
#include "gateway/rate_limit.h"

#include <inttypes.h>
#include <string.h>

#define CHANNEL "rate-limits"
#define KEYS_MAX 1024
#define MARK (UUID_SIZE - 1)

static struct cache *cache;
static char mark[UUID_SIZE];
static struct fiber *background;
static bool stopping;
static struct gauge *unsettled, *alone;
static struct counter *settled, *heard;

static void on_message(void *unused, const char *channel, struct text message)
{
    (void)unused, (void)channel;
    if (message.size <= MARK || memcmp(message.at, mark, MARK) == 0)
        return;
    counter_add(heard, 1);
    rate_limit_apply((struct text){message.at + MARK, message.size - MARK}, clock_mono_ms());
}

static void fini_buffer(void *buffer)
{
    buffer_fini(buffer);
}

static FIBER_FN void tell(void *unused)
{
    (void)unused;
    struct buffer *said = arena_alloc(fiber_arena(), sizeof *said);
    fiber_defer(fini_buffer, said);
    fiber_narrow_deadline(1000);
    buffer_add(said, mark, MARK);
    uint64_t requests = rate_limit_drain(said, KEYS_MAX);
    if (requests && !said->failed && cache_publish(cache, CHANNEL, (struct text){said->at, said->size}) == 0)
        counter_add(settled, requests);
}

static FIBER_FN void run(void *unused)
{
    (void)unused;
    background = fiber_self();
    while (!stopping && fiber_sleep(SETTLE_MS) == 0) {
        gauge_set(unsettled, (int64_t)rate_limit_unsettled());
        gauge_set(alone, cache_is_up(cache) ? 0 : 1);
        fiber_start("settle", tell, NULL);
    }
    background = NULL;
}

int settle_start(struct cache *the_cache, struct err *err)
{
    struct cache_subscription subscription = {.pattern = CHANNEL, .message = on_message};
    if (!cache_is_shared(the_cache))
        return 0;
    cache = the_cache;
    uuid_make(mark);
    unsettled = gauge_get("purser_rate_limit_unsettled", NULL, "Requests allowed here that other gateways have not been told of yet: the error of the limit");
    alone = gauge_get("purser_rate_limit_alone", NULL, "1 while the cache is away and each gateway limits for itself");
    settled = counter_get("purser_rate_limit_settled_total", NULL, "Requests that other gateways were told of");
    heard = counter_get("purser_rate_limit_heard_total", NULL, "Messages of other gateways");
    int error = cache_subscribe(cache, &subscription);
    if (!error)
        error = fiber_start("settle", run, NULL);
    return error ? err_set(err, error, "cannot settle rate limits") : 0;
}

void settle_stop(void)
{
    stopping = true;
    if (background)
        fiber_cancel(background);
}
