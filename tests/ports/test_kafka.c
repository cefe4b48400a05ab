/* What the stream port's contract leaves to Kafka's adapter. Skipped where PURSER_STREAM_URL names another. */
#include "engines/stream.h"
#include "port_case.h"

#include <dlfcn.h>
#include <librdkafka/rdkafka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define RECORDS 200
#define TOO_LONG_MS 9000 /* longer than the group waits for a member */

struct member {
    struct stream *stream;
    _Atomic bool fails, is_slow;
    _Atomic int tries, handled;
};

static _Atomic int seen[RECORDS], seen_count;

static int look(void *context, const struct stream_record *records, unsigned count)
{
    struct member *member = context;
    atomic_fetch_add(&member->tries, 1);
    if (atomic_load(&member->fails))
        return -EAGAIN;
    if (atomic_exchange(&member->is_slow, false))
        fiber_sleep(TOO_LONG_MS);
    for (unsigned i = 0; i < count; i++) {
        int64_t number = -1;
        check_equal(text_to_int64(records[i].value, &number), 0);
        check(number >= 0 && number < RECORDS);
        if (atomic_fetch_add(&seen[number], 1) == 0)
            atomic_fetch_add(&seen_count, 1);
        atomic_fetch_add(&member->handled, 1);
    }
    return 0;
}

static void join(struct member *member, const char *group, const char *topic)
{
    struct err err = {0};
    const char *topics[] = {topic, NULL};
    struct stream_consumer consumer = {.group = group, .topics = topics, .batch_max = 32, .handle = look, .context = member};
    if (stream_open(&member->stream, &err) < 0 || stream_consume(member->stream, &consumer, &err) < 0)
        case_failed(__FILE__, __LINE__, err.message);
}

static void leave(struct member *member)
{
    stream_stop(member->stream);
    stream_close(member->stream);
}

static void publish(struct stream *stream, const char *topic, int first, int count)
{
    struct stream_record records[RECORDS];
    for (int i = 0; i < count; i++) {
        char *number = arena_printf(fiber_arena(), "%d", first + i);
        records[i] = (struct stream_record){.topic = topic, .key = number + strlen(number) - 1, .id = number, .value = text_of(number)};
    }
    check_succeeds(stream_publish(stream, records, (unsigned)count));
}

/* ---- partitions that rest, because their handler failed, are taken away by a rebalance and come back: they go on ---- */

static void rested(void *arg)
{
    static struct member first = {.fails = true}, second;
    const char *topic = case_name("rested"), *group = case_name("group");
    join(&first, group, topic);
    publish(first.stream, topic, 0, RECORDS / 2);
    case_until_count(&first.tries, 2); /* between two they have rested */
    join(&second, group, topic);
    case_until_count(&second.handled, 1);
    case_until_count(&first.tries, atomic_load(&first.tries) + 2); /* what it has left rests, too */
    leave(&second);
    publish(first.stream, topic, RECORDS / 2, RECORDS / 2);
    atomic_store(&first.fails, false);
    case_until_count(&seen_count, RECORDS);
    leave(&first);
}

/* ---- a producer that met a fatal error is replaced, and publishing goes on by itself ---- */

static rd_kafka_t *_Atomic producer; /* the last that was made */
static _Atomic int producers;

/* In front of librdkafka's own: the adapter keeps what it makes to itself. */
rd_kafka_t *rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *why, size_t why_size)
{
    rd_kafka_t *(*make)(rd_kafka_type_t, rd_kafka_conf_t *, char *, size_t);
    *(void **)&make = dlsym(RTLD_NEXT, "rd_kafka_new");
    rd_kafka_t *made = make(type, conf, why, why_size);
    if (made && type == RD_KAFKA_PRODUCER) {
        atomic_store(&producer, made);
        atomic_fetch_add(&producers, 1);
    }
    return made;
}

static void replaced(void *arg)
{
    static struct member member;
    const char *topic = case_name("replaced");
    atomic_store(&seen_count, 0);
    memset(seen, 0, sizeof seen);
    join(&member, case_name("group"), topic);
    publish(member.stream, topic, 0, RECORDS / 2);
    int made = atomic_load(&producers);
    check_equal(rd_kafka_test_fatal_error(atomic_load(&producer), RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "as tests have it"), 0);
    publish(member.stream, topic, RECORDS / 2, RECORDS / 2);
    check(atomic_load(&producers) > made);
    case_until_count(&seen_count, RECORDS);
    leave(&member);
}

/* ---- a member that takes so long that the group gives its place away gets a new one, and goes on ---- */

static void slow(void *arg)
{
    static struct member member = {.is_slow = true};
    const char *topic = case_name("slow");
    atomic_store(&seen_count, 0);
    memset(seen, 0, sizeof seen);
    join(&member, case_name("group"), topic);
    publish(member.stream, topic, 0, RECORDS / 2);
    case_until_count(&seen_count, RECORDS / 2);
    publish(member.stream, topic, RECORDS / 2, RECORDS / 2);
    case_until_count(&seen_count, RECORDS);
    leave(&member);
}

static void test_slow(void **state)
{
    if (strncmp(settings_text("stream_url"), "kafka:", 6) != 0)
        skip(); /* the unit stage has no engine; the ports stage runs this on a real one */
    case_run(slow, NULL);
}

static void test_replaced(void **state)
{
    if (strncmp(settings_text("stream_url"), "kafka:", 6) != 0)
        skip(); /* the unit stage has no engine; the ports stage runs this on a real one */
    case_run(replaced, NULL);
}

static void test_rested(void **state)
{
    if (strncmp(settings_text("stream_url"), "kafka:", 6) != 0)
        skip(); /* the unit stage has no engine; the ports stage runs this on a real one */
    case_run(rested, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rested),
        cmocka_unit_test(test_replaced),
        cmocka_unit_test(test_slow),
    };
    case_settings();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
