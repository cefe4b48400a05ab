/* The stream port, against the adapter of PURSER_STREAM_URL. Every case uses a topic and groups of its own. */
#include "engines/stream.h"
#include "port_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <signal.h>
#include <unistd.h>

#define RECORDS 200
#define KEYS 10

static struct stream *stream;

static void open_stream(void)
{
    struct err err = {0};
    if (stream_open(&stream, &err) < 0)
        case_failed(__FILE__, __LINE__, err.message);
}

/* Values are numbers; the key of a value is its last digit. */
static void publish(const char *topic, int first, int count)
{
    struct stream_record *records = arena_alloc(fiber_arena(), sizeof *records * (size_t)count);
    for (int i = 0; i < count; i++) {
        char *number = arena_printf(fiber_arena(), "%d", first + i);
        records[i] = (struct stream_record){.topic = topic, .key = number + strlen(number) - 1, .id = number, .value = text_of(number)};
    }
    check_succeeds(stream_publish(stream, records, (unsigned)count));
}

/* What a group has seen. */
struct sight {
    _Atomic int seen[RECORDS], handled, fails;
    int last[KEYS]; /* the highest value of each key, +1 */
    bool repeats;   /* records may come twice */
};

static int look(void *context, const struct stream_record *records, unsigned count)
{
    struct sight *sight = context;
    check(count >= 1 && count <= 32);
    if (atomic_load(&sight->fails) > 0) {
        atomic_fetch_sub(&sight->fails, 1);
        return -EAGAIN;
    }
    for (unsigned i = 0; i < count; i++) {
        int64_t number = -1;
        check_equal(text_to_int64(records[i].value, &number), 0);
        check(number >= 0 && number < RECORDS);
        int key = (int)(number % KEYS);
        check(records[i].key && records[i].key[0] == '0' + key && !records[i].key[1]);
        check(!strcmp(records[i].id, arena_printf(fiber_arena(), "%d", (int)number)));
        check(sight->repeats || sight->last[key] <= (int)number); /* in order of a key */
        sight->last[key] = (int)number + 1;
        if (atomic_fetch_add(&sight->seen[number], 1) == 0)
            atomic_fetch_add(&sight->handled, 1);
    }
    return 0;
}

static void consume(const char *group, const char *topic, struct sight *sight)
{
    struct err err = {0};
    const char *topics[] = {topic, NULL};
    struct stream_consumer consumer = {.group = group, .topics = topics, .batch_max = 32, .handle = look, .context = sight};
    if (stream_consume(stream, &consumer, &err) < 0)
        case_failed(__FILE__, __LINE__, err.message);
}

static void close_stream(void)
{
    stream_stop(stream);
    stream_close(stream);
}

/* ---- order of keys; two groups each see everything; a new group replays ---- */

static void groups(void *arg)
{
    static struct sight first, second, late;
    const char *topic = case_name("groups");
    open_stream();
    consume(case_name("first"), topic, &first);
    consume(case_name("second"), topic, &second);
    publish(topic, 0, RECORDS / 2);
    for (int i = RECORDS / 2; i < RECORDS; i++)
        publish(topic, i, 1);
    case_until_count(&first.handled, RECORDS);
    case_until_count(&second.handled, RECORDS);
    consume(case_name("late"), topic, &late);
    case_until_count(&late.handled, RECORDS);
    for (int i = 0; i < RECORDS; i++)
        check_equal(atomic_load(&first.seen[i]), 1);
    close_stream();
}

static void test_groups(void **state)
{
    case_run(groups, NULL);
}

/* ---- a handler that fails gets the same records again; nothing is skipped ---- */

static void failing(void *arg)
{
    static struct sight sight = {.fails = 2};
    const char *topic = case_name("failing");
    open_stream();
    publish(topic, 0, 60);
    consume(case_name("group"), topic, &sight);
    case_until_count(&sight.handled, 60);
    check_equal(atomic_load(&sight.fails), 0);
    for (int i = 0; i < 60; i++)
        check_equal(atomic_load(&sight.seen[i]), 1);
    close_stream();
}

static void test_failing(void **state)
{
    case_run(failing, NULL);
}

/* ---- positions are kept: what was handled before a stop does not come again ---- */

static void positions(void *arg)
{
    static struct sight before, after;
    const char *topic = case_name("positions"), *group = case_name("group");
    open_stream();
    consume(group, topic, &before);
    publish(topic, 0, 100);
    case_until_count(&before.handled, 100);
    close_stream();
    open_stream();
    publish(topic, 100, 50);
    consume(group, topic, &after);
    case_until_count(&after.handled, 50);
    close_stream();
    for (int i = 0; i < 150; i++)
        check_equal(atomic_load(&(i < 100 ? &before : &after)->seen[i]), 1);
}

static void test_positions(void **state)
{
    case_run(positions, NULL);
}

/* ---- killed in the middle: everything published is there, nothing unhandled is skipped ---- */

static int die_in_hand(void *context, const struct stream_record *records, unsigned count)
{
    kill(getpid(), SIGKILL);
    return 0;
}

static const char *death_topic, *death_group;

static void publish_and_die(void *arg)
{
    struct err err = {0};
    const char *topics[] = {death_topic, NULL};
    open_stream();
    publish(death_topic, 0, 80);
    struct stream_consumer consumer = {.group = death_group, .topics = topics, .batch_max = 32, .handle = die_in_hand};
    check_equal(stream_consume(stream, &consumer, &err), 0);
    fiber_sleep(60000);
}

static void consume_after_death(void *arg)
{
    static struct sight sight;
    open_stream();
    consume(death_group, death_topic, &sight);
    case_until_count(&sight.handled, 80);
    close_stream();
}

static void test_death(void **state)
{
    death_topic = case_name("death");
    death_group = case_name("group");
    assert_int_equal(case_run_in_child(publish_and_die, NULL), SIGKILL);
    case_run(consume_after_death, NULL);
}

/* ---- many publishers at once ---- */

static _Atomic int next_record;
static const char *crowd_topic;

static void publish_some(void *arg)
{
    for (int i = 0; i < RECORDS / 16; i++)
        publish(crowd_topic, atomic_fetch_add(&next_record, 1), 1);
}

static void crowd(void *arg)
{
    static struct sight sight = {.repeats = true}; /* fibers race, so numbers of a key may be out of order */
    crowd_topic = case_name("crowd");
    open_stream();
    consume(case_name("group"), crowd_topic, &sight);
    case_crowd(16, publish_some, NULL);
    case_until_count(&sight.handled, RECORDS / 16 * 16);
    close_stream();
}

static void test_crowd(void **state)
{
    case_run(crowd, NULL);
}

/* ---- lags ---- */

struct lag {
    const char *topic, *group;
};

static bool has_no_lag(void *arg)
{
    const struct lag *lag = arg;
    json_t *list, *item;
    size_t i;
    if (stream_lags(stream, fiber_arena(), &list) < 0)
        return false;
    json_array_foreach(list, i, item)
    {
        check(json_get_string(item, "topic") && json_get_string(item, "group"));
        if (!strcmp(json_get_string(item, "topic"), lag->topic) && !strcmp(json_get_string(item, "group"), lag->group))
            return json_get_integer(item, "lag") == 0 && json_get_integer(item, "end") >= 20;
    }
    return false;
}

static void lags(void *arg)
{
    static struct sight sight;
    struct lag lag = {case_name("lags"), case_name("group")};
    open_stream();
    publish(lag.topic, 0, 20);
    consume(lag.group, lag.topic, &sight);
    case_until_count(&sight.handled, 20);
    case_until(has_no_lag, &lag);
    check(stream_is_up(stream));
    close_stream();
}

static void test_lags(void **state)
{
    case_run(lags, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups), cmocka_unit_test(test_failing), cmocka_unit_test(test_positions),
        cmocka_unit_test(test_death),  cmocka_unit_test(test_crowd),   cmocka_unit_test(test_lags),
    };
    case_settings();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
