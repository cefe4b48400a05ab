/* The cache port, against the adapter of PURSER_CACHE_URL. */
#include "engines/cache.h"
#include "port_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct cache *cache;

static bool is_up(void *arg)
{
    return cache_is_up(cache);
}

static void open_cache(void)
{
    struct err err = {0};
    if (cache_open(&cache, &err) < 0)
        case_failed(__FILE__, __LINE__, err.message);
    case_until(is_up, NULL);
}

/* ---- values and expiry ---- */

static bool is_gone(void *arg)
{
    struct text value;
    return cache_get(cache, arg, fiber_arena(), &value) == -ENOENT;
}

static void values(void *arg)
{
    struct text value, bytes = {"a\0b\r\n\377", 6};
    const char *key = case_name("key"), *other = case_name("other");
    open_cache();
    check_equal(cache_get(cache, key, fiber_arena(), &value), -ENOENT);
    check_equal(cache_set(cache, key, bytes, 60000), 0);
    check_equal(cache_set(cache, other, text_of(""), 60000), 0);
    check_equal(cache_get(cache, key, fiber_arena(), &value), 0);
    check(text_equal(value, bytes) && value.at[value.size] == 0);
    check_equal(cache_get(cache, other, fiber_arena(), &value), 0);
    check_equal(value.size, 0);
    check_equal(cache_set(cache, key, text_of("new"), 60000), 0);
    check_equal(cache_get(cache, key, fiber_arena(), &value), 0);
    check(text_equal(value, text_of("new")));
    check_equal(cache_delete(cache, key), 0);
    check_equal(cache_delete(cache, key), 0);
    check_equal(cache_get(cache, key, fiber_arena(), &value), -ENOENT);
    check_equal(cache_set(cache, key, text_of("short"), 30), 0);
    case_until(is_gone, (void *)key);
    cache_close(cache);
}

static void test_values(void **state)
{
    case_run(values, NULL);
}

/* ---- publish and subscribe ---- */

struct ear {
    _Atomic int heard, unexpected;
    struct worker *worker;
    const char *channel;
};

static void hear(void *context, const char *channel, struct text message)
{
    struct ear *ear = context;
    check(worker_self() == ear->worker);
    check(!fiber_self());
    if (!strcmp(channel, ear->channel) && text_equal(message, text_of("hello")))
        atomic_fetch_add(&ear->heard, 1);
    else
        atomic_fetch_add(&ear->unexpected, 1);
}

static void subscribe_here(void *arg)
{
    struct ear *ears = arg;
    char pattern[80];
    snprintf(pattern, sizeof pattern, "%s*", ears[1].channel);
    ears[0].worker = ears[1].worker = worker_self();
    struct cache_subscription exact = {.pattern = ears[0].channel, .message = hear, .context = &ears[0]};
    struct cache_subscription prefix = {.pattern = pattern, .message = hear, .context = &ears[1]};
    check_equal(cache_subscribe(cache, &exact), 0);
    check_equal(cache_subscribe(cache, &prefix), 0);
    atomic_fetch_add(&ears[2].heard, 1);
}


/* A subscription takes a moment with an engine elsewhere: publishes until everybody has heard. */
static bool has_heard(void *arg)
{
    struct ear *ears = arg;
    check_equal(cache_publish(cache, ears[0].channel, text_of("hello")), 0);
    fiber_sleep(5);
    return atomic_load(&ears[0].heard) && atomic_load(&ears[1].heard) && atomic_load(&ears[3].heard) && atomic_load(&ears[4].heard);
}

static void publishing(void *arg)
{
    static struct ear ears[6];
    const char *channel = case_name("channel");
    for (int i = 0; i < 6; i++)
        ears[i].channel = channel;
    open_cache();
    for (unsigned i = 0; i < 2; i++)
        check_equal(worker_start_fiber(worker_at(i), "subscribe", subscribe_here, &ears[3 * i]), 0);
    case_until_count(&ears[2].heard, 1);
    case_until_count(&ears[5].heard, 1);
    check_equal(cache_publish(cache, "somebody-else", text_of("hello")), 0);
    case_until(has_heard, ears);
    for (int i = 0; i < 6; i++)
        check_equal(atomic_load(&ears[i].unexpected), 0);
    cache_close(cache);
}

static void test_publishing(void **state)
{
    case_run(publishing, NULL);
}

/* ---- many messages at once ---- */

#define TOGETHER 300

struct listener {
    const char *channel;
    int next; /* of a batch */
    _Atomic int whole; /* batches that came in their order */
};

static void hear_batch(void *context, const char *channel, struct text message)
{
    struct listener *listener = context;
    int64_t number;
    check_equal(text_to_int64(message, &number), 0);
    listener->next = number == 0 ? 1 : number == listener->next ? listener->next + 1 : 0;
    if (listener->next == TOGETHER)
        atomic_fetch_add(&listener->whole, 1);
}

/* Until the subscription is there, and has heard a whole batch. */
static bool has_heard_batch(void *arg)
{
    struct listener *listener = arg;
    struct cache_message batch[TOGETHER];
    for (int i = 0; i < TOGETHER; i++)
        batch[i] = (struct cache_message){listener->channel, text_of(arena_printf(fiber_arena(), "%d", i))};
    check_equal(cache_publish_all(cache, batch, TOGETHER), 0);
    fiber_sleep(5);
    return atomic_load(&listener->whole);
}

static void publishing_together(void *arg)
{
    static struct listener listener;
    listener.channel = case_name("together");
    struct cache_subscription subscription = {.pattern = listener.channel, .message = hear_batch, .context = &listener};
    open_cache();
    check_equal(cache_publish_all(cache, NULL, 0), 0);
    check_equal(cache_subscribe(cache, &subscription), 0);
    case_until(has_heard_batch, &listener);
    cache_close(cache);
}

static void test_publishing_together(void **state)
{
    case_run(publishing_together, NULL);
}

/* ---- many keys: bounded, and what was just written is there ---- */

static void many(void *arg)
{
    char big[4000], key[64];
    struct text value;
    const char *prefix = case_name("many");
    memset(big, 'x', sizeof big);
    open_cache();
    for (int i = 0; i < 20000; i++) {
        snprintf(key, sizeof key, "%s-%d", prefix, i);
        check_equal(cache_set(cache, key, (struct text){big, sizeof big}, 20000), 0);
        if (i % 1000 == 0) {
            check_equal(cache_get(cache, key, fiber_arena(), &value), 0);
            check_equal(value.size, sizeof big);
        }
    }
    cache_close(cache);
}

static void test_many(void **state)
{
    case_run(many, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_publishing),
        cmocka_unit_test(test_publishing_together),
        cmocka_unit_test(test_many),
    };
    case_settings();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
