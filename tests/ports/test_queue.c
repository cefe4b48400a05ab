/* The queue port, against the adapter of PURSER_QUEUE_URL. Every case uses a queue of its own. */
#include "engines/queue.h"
#include "port_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <signal.h>
#include <unistd.h>

#define MESSAGES 200

static struct queue *queue;

static void open_queue(void)
{
    struct err err = {0};
    if (queue_open(&queue, &err) < 0)
        case_failed(__FILE__, __LINE__, err.message);
}

static bool is_up(void *arg)
{
    return queue_is_up(queue);
}

/* Publishes `count` messages whose ids and bodies are their numbers. */
static void publish(const char *name, int first, int count)
{
    struct queue_message *messages = arena_alloc(fiber_arena(), sizeof *messages * (size_t)count);
    for (int i = 0; i < count; i++) {
        char *number = arena_printf(fiber_arena(), "%d", first + i);
        messages[i] = (struct queue_message){.queue = name, .id = number, .body = text_of(number)};
    }
    check_succeeds(queue_publish(queue, messages, (unsigned)count));
}

static void consume(const char *name, void (*handle)(void *context, struct queue_delivery *batch, unsigned count), void *context, bool dead)
{
    struct err err = {0};
    struct queue_consumer consumer = {
        .queue = name, .batch_max = 16, .prefetch = 64, .handle = handle, .context = context, .dead_letters = dead};
    if (queue_consume(queue, &consumer, &err) < 0)
        case_failed(__FILE__, __LINE__, err.message);
}

/* What a case has seen; `seen[n]` counts deliveries of message n. */
struct sight {
    _Atomic int seen[MESSAGES], handled, calls, batches;
    int fail_until; /* attempts that fail */
    bool bury;
    _Atomic bool busy;
};

static int number_of(const struct queue_delivery *delivery)
{
    int64_t number = -1;
    check_equal(text_to_int64(delivery->message.body, &number), 0);
    check(number >= 0 && number < MESSAGES);
    return (int)number;
}

static void acknowledge(void *context, struct queue_delivery *batch, unsigned count)
{
    struct sight *sight = context;
    check(!atomic_exchange(&sight->busy, true)); /* one call at a time */
    check(count >= 1 && count <= 16);
    fiber_yield();
    for (unsigned i = 0; i < count; i++) {
        check(!strcmp(batch[i].message.id, arena_printf(fiber_arena(), "%d", number_of(&batch[i]))));
        check(batch[i].attempt >= 1);
        atomic_fetch_add(&sight->seen[number_of(&batch[i])], 1);
        batch[i].verdict = QUEUE_ACK;
        atomic_fetch_add(&sight->handled, 1);
    }
    atomic_fetch_add(&sight->batches, 1);
    atomic_store(&sight->busy, false);
}

static void close_queue(void)
{
    queue_stop(queue);
    queue_close(queue);
}

/* ---- published before and after there is a consumer: each once ---- */

static void once(void *arg)
{
    const char *name = case_name("once");
    static struct sight sight;
    open_queue();
    case_until(is_up, NULL);
    publish(name, 0, MESSAGES / 2);
    consume(name, acknowledge, &sight, false);
    for (int i = MESSAGES / 2; i < MESSAGES; i++)
        publish(name, i, 1);
    case_until_count(&sight.handled, MESSAGES);
    queue_stop(queue);
    for (int i = 0; i < MESSAGES; i++)
        check_equal(atomic_load(&sight.seen[i]), 1);
    check(atomic_load(&sight.batches) < MESSAGES);
    queue_close(queue);
}

static void test_once(void **state)
{
    case_run(once, NULL);
}

/* ---- everything a message carries ---- */

static _Atomic int carried;

static void look_at_message(void *context, struct queue_delivery *batch, unsigned count)
{
    check_equal(count, 1);
    check(!strcmp(batch[0].message.correlation_id, "c-1"));
    check(!strcmp(batch[0].message.reply_to, "answers"));
    check(!strncmp(batch[0].message.traceparent, "00-", 3));
    check(text_equal(batch[0].message.body, text_of("{\"ü\":\"\\u0000\"}")));
    check_equal(batch[0].attempt, 1);
    batch[0].verdict = QUEUE_ACK;
    atomic_store(&carried, 1);
}

static void carries(void *arg)
{
    const char *name = case_name("carries");
    open_queue();
    case_until(is_up, NULL);
    struct queue_message message = {
        .queue = name,
        .id = "m-1",
        .correlation_id = "c-1",
        .reply_to = "answers",
        .traceparent = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
        .body = text_of("{\"ü\":\"\\u0000\"}"),
    };
    check_succeeds(queue_publish(queue, &message, 1));
    consume(name, look_at_message, NULL, false);
    case_until_count(&carried, 1);
    close_queue();
}

static void test_carries(void **state)
{
    case_run(carries, NULL);
}

/* ---- bodies of nothing and of more than an engine takes at once, between small ones ---- */

static struct text body_of(struct arena *arena, int i)
{
    static const size_t sizes[] = {0, 1, 131072 - 8, 131072 - 7, 131072, 400000, 3};
    size_t size = sizes[i % 7];
    char *bytes = arena_alloc(arena, size + 1);
    for (size_t k = 0; k < size; k++)
        bytes[k] = (char)('a' + (k / 7 + (size_t)i) % 26);
    return (struct text){bytes, size};
}

static void look_at_bodies(void *context, struct queue_delivery *batch, unsigned count)
{
    struct sight *sight = context;
    for (unsigned i = 0; i < count; i++) {
        int64_t number = -1;
        check_equal(text_to_int64(text_of(batch[i].message.id), &number), 0);
        check(number >= 0 && number < MESSAGES);
        check(text_equal(batch[i].message.body, body_of(fiber_arena(), (int)number)));
        batch[i].verdict = QUEUE_ACK;
        atomic_fetch_add(&sight->handled, 1);
    }
}

static void sizes(void *arg)
{
    const char *name = case_name("sizes");
    static struct sight sight;
    struct queue_message messages[14];
    open_queue();
    case_until(is_up, NULL);
    for (int i = 0; i < 14; i++)
        messages[i] = (struct queue_message){.queue = name, .id = arena_printf(fiber_arena(), "%d", i), .body = body_of(fiber_arena(), i)};
    check_succeeds(queue_publish(queue, messages, 14));
    consume(name, look_at_bodies, &sight, false);
    case_until_count(&sight.handled, 14);
    close_queue();
}

static void test_sizes(void **state)
{
    case_run(sizes, NULL);
}

/* ---- retry with back-off, in spite of others that succeed ---- */

static void fail_at_first(void *context, struct queue_delivery *batch, unsigned count)
{
    struct sight *sight = context;
    for (unsigned i = 0; i < count; i++) {
        int number = number_of(&batch[i]);
        atomic_fetch_add(&sight->calls, 1);
        check_equal(batch[i].attempt, atomic_fetch_add(&sight->seen[number], 1) + 1);
        if (number % 10 == 0 && (int)batch[i].attempt <= sight->fail_until) {
            snprintf(batch[i].error, sizeof batch[i].error, "attempt %u", batch[i].attempt);
            continue; /* RETRY is the default */
        }
        batch[i].verdict = QUEUE_ACK;
        atomic_fetch_add(&sight->handled, 1);
    }
}

static void retries(void *arg)
{
    const char *name = case_name("retries");
    static struct sight sight = {.fail_until = 2};
    open_queue();
    case_until(is_up, NULL);
    int64_t began = clock_mono_ms();
    consume(name, fail_at_first, &sight, false);
    publish(name, 0, 50);
    case_until_count(&sight.handled, 50);
    queue_stop(queue);
    check_equal(atomic_load(&sight.calls), 50 + 5 * 2);
    check(clock_mono_ms() - began >= 20 + 40);
    queue_close(queue);
}

static void test_retries(void **state)
{
    case_run(retries, NULL);
}

/* ---- AGAIN is not counted ---- */

static void put_back(void *context, struct queue_delivery *batch, unsigned count)
{
    struct sight *sight = context;
    for (unsigned i = 0; i < count; i++) {
        check_equal(batch[i].attempt, 1);
        batch[i].verdict = atomic_fetch_add(&sight->calls, 1) < 8 ? QUEUE_AGAIN : QUEUE_ACK;
        if (batch[i].verdict == QUEUE_ACK)
            atomic_fetch_add(&sight->handled, 1);
    }
}

static void again(void *arg)
{
    const char *name = case_name("again");
    static struct sight sight;
    open_queue();
    case_until(is_up, NULL);
    consume(name, put_back, &sight, false);
    publish(name, 0, 1);
    case_until_count(&sight.handled, 1);
    check_equal(atomic_load(&sight.calls), 9);
    close_queue();
}

static void test_again(void **state)
{
    case_run(again, NULL);
}

/* ---- dead letters: after the last attempt, and at once ---- */

static void fail_for_good(void *context, struct queue_delivery *batch, unsigned count)
{
    struct sight *sight = context;
    for (unsigned i = 0; i < count; i++) {
        atomic_fetch_add(&sight->calls, 1);
        snprintf(batch[i].error, sizeof batch[i].error, "it cannot be done");
        if (sight->bury)
            batch[i].verdict = QUEUE_DEAD;
    }
}

static unsigned dead_attempt;

static void take_dead(void *context, struct queue_delivery *batch, unsigned count)
{
    struct sight *sight = context;
    for (unsigned i = 0; i < count; i++) {
        check(!strcmp(batch[i].error, "it cannot be done"));
        dead_attempt = batch[i].attempt;
        /* Dead letters that fail come again, for ever. */
        batch[i].verdict = atomic_fetch_add(&sight->calls, 1) < 7 ? QUEUE_RETRY : QUEUE_ACK;
        if (batch[i].verdict == QUEUE_ACK)
            atomic_fetch_add(&sight->handled, 1);
    }
}

static void dies(void *arg)
{
    static struct sight live, dead;
    const char *name = case_name("dies");
    live = dead = (struct sight){0};
    live.bury = arg != NULL;
    open_queue();
    case_until(is_up, NULL);
    consume(name, fail_for_good, &live, false);
    consume(name, take_dead, &dead, true);
    publish(name, 0, 1);
    case_until_count(&dead.handled, 1);
    unsigned attempts = live.bury ? 1 : (unsigned)settings_number("retry_limit");
    check_equal(atomic_load(&live.calls), attempts);
    check_equal(dead_attempt, attempts);
    check_equal(atomic_load(&dead.calls), 8);
    close_queue();
}

static void test_dead_letters(void **state)
{
    case_run(dies, NULL);
}

static void test_dead_at_once(void **state)
{
    static int at_once;
    case_run(dies, &at_once);
}

/* ---- several consumers share the work ---- */

static void compete(void *arg)
{
    static struct sight first, second;
    const char *name = case_name("compete");
    open_queue();
    case_until(is_up, NULL);
    consume(name, acknowledge, &first, false);
    consume(name, acknowledge, &second, false);
    publish(name, 0, MESSAGES);
    int64_t until = clock_mono_ms() + 60000;
    while (atomic_load(&first.handled) + atomic_load(&second.handled) < MESSAGES && clock_mono_ms() < until)
        fiber_sleep(2);
    queue_stop(queue);
    for (int i = 0; i < MESSAGES; i++)
        check_equal(atomic_load(&first.seen[i]) + atomic_load(&second.seen[i]), 1);
    queue_close(queue);
}

static void test_competing(void **state)
{
    case_run(compete, NULL);
}

/* ---- killed before it acknowledged ---- */

static void die_in_hand(void *context, struct queue_delivery *batch, unsigned count)
{
    kill(getpid(), SIGKILL);
}

static void publish_and_die(void *arg)
{
    open_queue();
    case_until(is_up, NULL);
    publish(arg, 0, 50);
    consume(arg, die_in_hand, NULL, false);
    fiber_sleep(60000);
}

static void consume_after_death(void *arg)
{
    static struct sight sight;
    open_queue();
    consume(arg, acknowledge, &sight, false);
    case_until_count(&sight.handled, 50);
    for (int i = 0; i < 50; i++)
        check_equal(atomic_load(&sight.seen[i]), 1);
    close_queue();
}

static void test_death(void **state)
{
    const char *name = case_name("death");
    assert_int_equal(case_run_in_child(publish_and_die, (void *)name), SIGKILL);
    case_run(consume_after_death, (void *)name);
}

/* ---- stopping lets handlers end, and what was not acknowledged stays ---- */

static _Atomic int entered;

static void linger(void *context, struct queue_delivery *batch, unsigned count)
{
    struct sight *sight = context;
    atomic_fetch_add(&entered, 1);
    fiber_sleep(50);
    batch[0].verdict = QUEUE_ACK;
    for (unsigned i = 1; i < count; i++)
        batch[i].verdict = QUEUE_AGAIN;
    atomic_fetch_add(&sight->handled, 1);
}

static void stops(void *arg)
{
    static struct sight sight, rest;
    const char *name = case_name("stops");
    open_queue();
    case_until(is_up, NULL);
    publish(name, 0, 10);
    consume(name, linger, &sight, false);
    case_until_count(&entered, 1);
    queue_stop(queue);
    check_equal(atomic_load(&sight.handled), atomic_load(&entered));
    int left = 10 - atomic_load(&sight.handled);
    consume(name, acknowledge, &rest, false);
    case_until_count(&rest.handled, left);
    close_queue();
}

static void test_stops(void **state)
{
    case_run(stops, NULL);
}

/* ---- depths ---- */

struct depth {
    const char *name, *member;
    int64_t want;
};

static bool has_depth(void *arg)
{
    const struct depth *depth = arg;
    json_t *list, *item;
    size_t i;
    if (queue_depths(queue, fiber_arena(), &list) < 0)
        return false;
    json_array_foreach(list, i, item) if (!strcmp(json_get_string(item, "name"), depth->name))
    {
        check(json_object_get(item, "ready") && json_object_get(item, "unacknowledged") && json_object_get(item, "retrying") &&
              json_object_get(item, "dead"));
        return json_get_integer(item, depth->member) == depth->want;
    }
    return false;
}

static void depths(void *arg)
{
    static struct sight sight = {.bury = true};
    const char *name = case_name("depths");
    open_queue();
    case_until(is_up, NULL);
    publish(name, 0, 12);
    case_until(has_depth, &(struct depth){name, "ready", 12});
    consume(name, fail_for_good, &sight, false);
    case_until(has_depth, &(struct depth){name, "dead", 12});
    case_until(has_depth, &(struct depth){name, "ready", 0});
    close_queue();
}

static void test_depths(void **state)
{
    case_run(depths, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once),      cmocka_unit_test(test_carries),      cmocka_unit_test(test_retries),
        cmocka_unit_test(test_again),     cmocka_unit_test(test_dead_letters), cmocka_unit_test(test_dead_at_once),
        cmocka_unit_test(test_competing), cmocka_unit_test(test_death),        cmocka_unit_test(test_stops),
        cmocka_unit_test(test_depths),    cmocka_unit_test(test_sizes),
    };
    case_settings();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
