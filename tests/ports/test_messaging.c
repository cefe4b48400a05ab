/*
 * Messaging over the adapters of all four settings: an effect happens once whatever is delivered, one bad event stops nobody else, what
 * cannot be handled is a dead letter that can be sent again.
 */
#include "base/json_members.h"
#include "base/json_text.h"
#include "engines/database.h"
#include "http/message.h"
#include "messaging/consumer.h"
#include "messaging/dead_letters.h"
#include "messaging/idempotency.h"
#include "messaging/outbox.h"
#include "port_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define EVENTS 60

static struct database *database;
static struct queue *queue;
static struct stream *stream;
static struct outbox_relay *relay;

static int run_script(struct transaction *tx, void *arg)
{
    static const char *const script[] = {
        "DROP TABLE IF EXISTS effects", "CREATE TABLE effects (number BIGINT NOT NULL, id TEXT NOT NULL)",
        "DELETE FROM dead_letters",     "DELETE FROM parked_events",
        "DELETE FROM outbox_queue",     "DELETE FROM outbox_stream", NULL};
    for (const char *const *sql = script; *sql; sql++)
        check(sql_run(tx, *sql, "") >= 0);
    return 0;
}

static bool engines_are_up(void *arg)
{
    return queue_is_up(queue) && stream_is_up(stream) && database_is_up(database);
}

static void open_all(void)
{
    struct err err = {0};
    if (database_open("users", &database, &err) < 0 || database_migrate(database, "users", &err) < 0 || queue_open(&queue, &err) < 0 ||
        stream_open(&stream, &err) < 0)
        case_failed(__FILE__, __LINE__, err.message);
    check_equal(database_transact(database, run_script, NULL), 0);
    check_equal(outbox_relay_start(database, "users", queue, stream, &relay), 0);
    case_until(engines_are_up, NULL);
}

static void close_all(void)
{
    queue_stop(queue);
    stream_stop(stream);
    messaging_stop(database);
    outbox_relay_stop(relay);
    queue_close(queue);
    stream_close(stream);
    database_close(database);
}

/* ---- events that carry numbers ---- */

struct batch {
    enum outbox_kind kind;
    const char *destination;
    int first, count, keys;
};

static int add_events(struct transaction *tx, void *arg)
{
    const struct batch *batch = arg;
    struct arena *arena = transaction_arena(tx);
    for (int i = batch->first; i < batch->first + batch->count; i++) {
        struct outbox_entry entry = {
            .kind = batch->kind,
            .destination = batch->destination,
            .key = arena_printf(arena, "user-%d", i % batch->keys),
            .correlation_id = "c",
            .event = {.source = "/users", .type = "purser.test", .subject = "s", .data = json_text(arena, "i", "number", (int64_t)i)},
        };
        int code = outbox_add(tx, &entry);
        if (code < 0)
            return code;
    }
    return 0;
}

static void send_events(struct batch batch)
{
    check_equal(database_transact(database, add_events, &batch), 0);
}

struct effect {
    _Atomic int told;
    int fails_at, fails_with; /* the number whose effect fails, and how */
    _Atomic int failures;     /* how often it still does */
    int highest[16];
    int keys;
};

static int64_t number_of(struct arena *arena, const struct event *event)
{
    struct json_member number = {.name = "number"};
    check(json_members_known(arena, event->data, &number, 1) == 0);
    return number.integer;
}

static int record_one(struct transaction *tx, struct effect *effect, struct event_item *item)
{
    const struct event *event = item->event;
    int64_t number = number_of(transaction_arena(tx), event);
    if (effect->fails_with && number == effect->fails_at && atomic_load(&effect->failures) > 0) {
        atomic_fetch_sub(&effect->failures, 1);
        return effect->fails_with;
    }
    check(item->message && item->message->body.size);
    item->result = arena_strdup(transaction_arena(tx), event->id);
    return sql_run(tx, "INSERT INTO effects (number, id) VALUES (?1, ?2)", "it", number, event->id) == 1 ? 0 : -EINVAL;
}

static int record(struct transaction *tx, void *context, struct event_item *items, unsigned count)
{
    int code = 0;
    for (unsigned i = 0; i < count && code == 0; i++)
        code = record_one(tx, context, &items[i]);
    return code;
}

static void tell_one(struct effect *effect, const struct event_item *item)
{
    int64_t number = number_of(fiber_arena(), item->event);
    check(!strcmp(item->result, item->event->id)); /* what the effect left */
    if (effect->keys) { /* in order of a key */
        check(effect->highest[number % effect->keys] <= number);
        effect->highest[number % effect->keys] = (int)number + 1;
    }
    atomic_fetch_add(&effect->told, 1);
}

static void tell(void *context, const struct event_item *items, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        tell_one(context, &items[i]);
}

static int count_effects(struct transaction *tx, void *arg)
{
    struct rows rows;
    check_equal(sql_query(tx, &rows, "SELECT count(*), count(DISTINCT number) FROM effects", ""), 0);
    ((int64_t *)arg)[0] = rows_integer(&rows, 0, 0);
    ((int64_t *)arg)[1] = rows_integer(&rows, 0, 1);
    return 0;
}

static void check_effects(int count)
{
    int64_t counts[2];
    check_equal(database_read(database, count_effects, counts), 0);
    check_equal(counts[0], count);
    check_equal(counts[1], count);
}

static struct event_handler handler_of(struct effect *effect)
{
    return (struct event_handler){.name = case_name("consumer"), .effects = record, .committed = tell, .context = effect};
}

static bool outbox_is_empty(void *arg)
{
    int64_t rows, oldest;
    return outbox_backlog(database, &rows, &oldest) == 0 && rows == 0;
}

/* ---- from outbox to effect, by queue and by topic ---- */

static void flows(void *arg)
{
    static struct effect work, facts = {.keys = 7};
    struct err err = {0};
    const char *name = case_name("flows"), *topic = case_name("flows"), *topics[] = {topic, NULL};
    struct event_handler worker = handler_of(&work), reader = handler_of(&facts);
    open_all();
    check_equal(consume_queue(database, queue, name, &worker, &err), 0);
    check_equal(consume_stream(database, stream, case_name("group"), topics, &reader, &err), 0);
    send_events((struct batch){OUTBOX_QUEUE, name, 0, EVENTS, 7});
    for (int i = 0; i < 10; i++)
        send_events((struct batch){OUTBOX_STREAM, topic, 1000 + 6 * i, 6, 7});
    case_until_count(&work.told, EVENTS);
    case_until_count(&facts.told, EVENTS);
    check_effects(2 * EVENTS);
    case_until(outbox_is_empty, NULL);
    close_all();
}

static void test_flows(void **state)
{
    case_run(flows, NULL);
}

/* ---- the same event delivered again and again has one effect ---- */

static void repeats(void *arg)
{
    static struct effect effect;
    struct err err = {0};
    const char *name = case_name("repeats");
    struct event_handler handler = handler_of(&effect);
    struct queue_message message[3];
    open_all();
    for (int i = 0; i < 3; i++) {
        struct event event = {
            .source = "/users", .type = "purser.test", .subject = "s", .data = json_text(fiber_arena(), "i", "number", (int64_t)i)};
        struct text body = event_print(fiber_arena(), &event);
        message[i] = (struct queue_message){.queue = name, .id = event.id, .body = body};
    }
    check_equal(consume_queue(database, queue, name, &handler, &err), 0);
    for (int i = 0; i < 10; i++)
        check_succeeds(queue_publish(queue, message, 2));
    case_until_count(&effect.told, 2);
    check_succeeds(queue_publish(queue, &message[2], 1));
    case_until_count(&effect.told, 3);
    check_effects(3);
    close_all();
}

static void test_repeats(void **state)
{
    case_run(repeats, NULL);
}

/* ---- dead letters over HTTP's handlers ---- */

static int list_letters(json_t **ret_data)
{
    struct dead_letters letters = {"users", database, queue};
    struct http_request request = {.arena = fiber_arena(), .path = text_of("/internal/dead-letters")};
    struct http_response response = {.arena = fiber_arena()};
    json_t *tree;
    dead_letters_list(&letters, &request, &response);
    check_equal(response.status, 200);
    check_equal(json_parse(fiber_arena(), response.body, &tree, NULL), 0);
    *ret_data = json_object_get(tree, "data");
    return (int)json_array_size(*ret_data);
}

static bool has_letter(void *arg)
{
    json_t *data;
    return list_letters(&data) == *(int *)arg;
}

static void change_letter(void (*change)(void *, struct http_request *, struct http_response *), int status)
{
    struct dead_letters letters = {"users", database, queue};
    struct http_response response = {.arena = fiber_arena()};
    json_t *data;
    check_equal(list_letters(&data), 1);
    struct http_request request = {.arena = fiber_arena(), .parameters = {text_of(json_get_string(json_array_get(data, 0), "id"))}};
    change(&letters, &request, &response);
    check_equal(response.status, status);
}

/* One of sixty fails until its last attempt; the others are not held up; sent again, it succeeds. */
static void poison_of_queue(void *arg)
{
    static struct effect effect = {.fails_at = 30, .fails_with = -EINVAL, .failures = 1000};
    struct err err = {0};
    int one = 1, none = 0;
    const char *name = case_name("poison");
    struct event_handler handler = handler_of(&effect);
    open_all();
    check_equal(consume_queue(database, queue, name, &handler, &err), 0);
    send_events((struct batch){OUTBOX_QUEUE, name, 0, EVENTS, 7});
    case_until_count(&effect.told, EVENTS - 1);
    case_until(has_letter, &one);
    json_t *data;
    check_equal(list_letters(&data), 1);
    json_t *letter = json_array_get(data, 0);
    check(!strcmp(json_get_string(letter, "source"), name));
    check(!strcmp(json_get_string(letter, "type"), "purser.test"));
    check_equal(json_get_integer(letter, "attempts"), settings_number("retry_limit"));
    check_equal(json_get_integer(json_object_get(json_object_get(letter, "event"), "data"), "number"), 30);
    check_effects(EVENTS - 1);
    atomic_store(&effect.failures, 0);
    change_letter(dead_letters_retry, 204);
    case_until_count(&effect.told, EVENTS);
    check_effects(EVENTS);
    case_until(has_letter, &none);
    close_all();
}

static void test_poison_of_queue(void **state)
{
    case_run(poison_of_queue, NULL);
}

/* What is no event is a dead letter at once, and can be dropped. */
static void no_event(void *arg)
{
    static struct effect effect;
    struct err err = {0};
    int one = 1, none = 0;
    const char *name = case_name("no-event");
    struct event_handler handler = handler_of(&effect);
    struct queue_message message = {.queue = name, .id = "x", .body = text_of("{\"specversion\":\"1.0\"")};
    open_all();
    check_equal(consume_queue(database, queue, name, &handler, &err), 0);
    check_succeeds(queue_publish(queue, &message, 1));
    case_until(has_letter, &one);
    change_letter(dead_letters_drop, 204);
    case_until(has_letter, &none);
    check_effects(0);
    close_all();
}

static void test_no_event(void **state)
{
    case_run(no_event, NULL);
}

/* A copy that comes late, of what was handled or dropped since, has no effect and is no dead letter, wherever it turns up. */
static void late_copies(void *arg)
{
    enum { HANDLED, DROPPED, LETTER, LAST, COUNT };
    static struct effect effect = {.fails_at = DROPPED, .fails_with = -EBADMSG, .failures = 1000};
    struct err err = {0};
    int one = 1, none = 0;
    const char *name = case_name("late"), *dead = arena_printf(fiber_arena(), "%s.dead", name);
    struct event_handler handler = handler_of(&effect);
    struct queue_message message[COUNT], late[3];
    open_all();
    check_equal(consume_queue(database, queue, name, &handler, &err), 0);
    for (int i = 0; i < COUNT; i++) {
        struct event event = {
            .source = "/users", .type = "purser.test", .subject = "s", .data = json_text(fiber_arena(), "i", "number", (int64_t)i)};
        struct text body = event_print(fiber_arena(), &event);
        message[i] = (struct queue_message){.queue = name, .id = event.id, .body = body};
    }
    check_succeeds(queue_publish(queue, message, 2));
    case_until_count(&effect.told, 1);
    case_until(has_letter, &one);
    int failures = atomic_load(&effect.failures);
    change_letter(dead_letters_drop, 204);
    check_succeeds(queue_publish(queue, &message[DROPPED], 1));
    check_succeeds(queue_publish(queue, &message[LAST], 1));
    case_until_count(&effect.told, 2);
    check_equal(atomic_load(&effect.failures), failures);
    for (int i = 0; i < 3; i++) {
        late[i] = message[i];
        late[i].queue = dead;
    }
    check_succeeds(queue_publish(queue, late, 3)); /* the last of them was never handled */
    case_until(has_letter, &one);
    change_letter(dead_letters_drop, 204);
    case_until(has_letter, &none);
    check_effects(2);
    close_all();
}

static void test_late_copies(void **state)
{
    case_run(late_copies, NULL);
}

/* A poison event of a topic parks its key: later events of the key wait, all others go on; order holds when it is sent again or dropped. */
static void poison_of_stream(void *arg)
{
    static struct effect effect;
    effect = (struct effect){.fails_at = 1, .fails_with = arg ? -EBADMSG : -EINVAL, .failures = 1000, .keys = 5};
    struct err err = {0};
    int one = 1, none = 0;
    const char *topic = case_name("poison"), *topics[] = {topic, NULL};
    struct event_handler handler = handler_of(&effect);
    open_all();
    check_equal(consume_stream(database, stream, case_name("group"), topics, &handler, &err), 0);
    send_events((struct batch){OUTBOX_STREAM, topic, 0, 30, 5});
    send_events((struct batch){OUTBOX_STREAM, topic, 30, 30, 5});
    case_until_count(&effect.told, EVENTS - EVENTS / 5);
    case_until(has_letter, &one);
    check_effects(EVENTS - EVENTS / 5);
    atomic_store(&effect.failures, 0);
    change_letter(arg ? dead_letters_drop : dead_letters_retry, 204);
    case_until_count(&effect.told, arg ? EVENTS - 1 : EVENTS);
    check_effects(arg ? EVENTS - 1 : EVENTS);
    case_until(has_letter, &none);
    close_all();
}

static void test_poison_of_stream(void **state)
{
    case_run(poison_of_stream, NULL);
}

static void test_dropped_of_stream(void **state)
{
    static int drop;
    case_run(poison_of_stream, &drop);
}

/* A failure that passes leaves no dead letter, and keeps the order of the key. */
static void passing(void *arg)
{
    static struct effect effect = {.fails_at = 2, .fails_with = -EINVAL, .failures = 2, .keys = 5};
    struct err err = {0};
    const char *topic = case_name("passing"), *topics[] = {topic, NULL};
    struct event_handler handler = handler_of(&effect);
    json_t *data;
    open_all();
    check_equal(consume_stream(database, stream, case_name("group"), topics, &handler, &err), 0);
    send_events((struct batch){OUTBOX_STREAM, topic, 0, EVENTS, 5});
    case_until_count(&effect.told, EVENTS);
    check_effects(EVENTS);
    check_equal(list_letters(&data), 0);
    close_all();
}

static void test_passing(void **state)
{
    case_run(passing, NULL);
}

/* ---- idempotency keys, sixteen at once ---- */

struct repeat {
    const char *key, *body;
    _Atomic int effects, replays, mismatches;
};

struct answer {
    struct idempotency key;
    bool had_effect;
};

static int have_effect(struct transaction *tx, void *arg)
{
    struct answer *answer = arg;
    answer->had_effect = false;
    int code = idempotency_begin(tx, &answer->key);
    if (code != 0)
        return code < 0 ? code : 0;
    code = sql_run(tx, "INSERT INTO effects (number, id) VALUES (1, 'x')", "");
    if (code < 0)
        return code;
    answer->had_effect = true;
    return idempotency_finish(tx, &answer->key, 201, text_of("{\"made\":1}"), "application/json", "/made/1");
}

static void repeat_once(void *arg)
{
    struct repeat *repeat = arg;
    struct http_request request = {.arena = fiber_arena(), .method = HTTP_POST, .method_name = text_of("POST"), .path = text_of("/orders"),
                                   .body = text_of(repeat->body), .identity = {.user_id = "0190a000-0000-7000-8000-000000000001"}};
    struct http_response response = {.arena = fiber_arena()};
    struct answer answer;
    http_header_add(fiber_arena(), &request.headers, "Idempotency-Key", repeat->key);
    check(idempotency_of(&request, &response, &answer.key));
    check_equal(database_transact(database, have_effect, &answer), 0);
    bool answered = idempotency_answer(&answer.key, &response);
    check(answered != answer.had_effect);
    if (!answered) {
        atomic_fetch_add(&repeat->effects, 1);
    } else if (response.status == 422) {
        atomic_fetch_add(&repeat->mismatches, 1);
    } else {
        check_equal(response.status, 201);
        check(text_equal(response.body, text_of("{\"made\":1}")));
        check(text_equal(http_header(&response.headers, "Location"), text_of("/made/1")));
        check(text_equal(http_header(&response.headers, "Idempotent-Replayed"), text_of("true")));
        atomic_fetch_add(&repeat->replays, 1);
    }
}

static void idempotency(void *arg)
{
    static struct repeat repeat;
    repeat.key = case_name("key");
    repeat.body = "{}";
    open_all();
    case_crowd(16, repeat_once, &repeat);
    check_equal(atomic_load(&repeat.effects), 1);
    check_equal(atomic_load(&repeat.replays), 15);
    repeat.body = "{ }";
    case_crowd(4, repeat_once, &repeat);
    check_equal(atomic_load(&repeat.mismatches), 4);
    check_effects(1);
    check_equal(messaging_clean(database), 0);
    close_all();
}

static void test_idempotency(void **state)
{
    case_run(idempotency, NULL);
}

/* ---- a row that got its number first and was committed last is not passed over (a database with one writer has none) ---- */

struct late {
    struct batch batch;
    _Atomic bool is_numbered, may_commit, has_committed;
};

static int add_and_wait(struct transaction *tx, void *arg)
{
    struct late *late = arg;
    struct rows rows;
    int code = add_events(tx, &late->batch);
    if (code == 0) /* answered when the row is there */
        code = sql_query(tx, &rows, "SELECT 1", "");
    atomic_store(&late->is_numbered, true);
    while (code == 0 && !atomic_load(&late->may_commit))
        fiber_sleep(10);
    return code;
}

static void commit_late(void *arg)
{
    struct late *late = arg;
    check_equal(database_transact(database, add_and_wait, late), 0);
    atomic_store(&late->has_committed, true);
}

static bool is_true(void *arg)
{
    return atomic_load((_Atomic bool *)arg);
}

/* The first number's transaction is open while rows with higher ones are committed, sent and deleted. */
static void check_late(enum outbox_kind kind, const char *destination, int first, struct effect *effect)
{
    struct late late = {.batch = {kind, destination, first, 1, 1}};
    check_equal(fiber_start("late", commit_late, &late), 0);
    case_until(is_true, &late.is_numbered);
    for (int i = 1; i < 4; i++) {
        send_events((struct batch){kind, destination, first + i, 1, 1});
        case_until_count(&effect->told, i);
    }
    case_until(outbox_is_empty, NULL);
    check(!atomic_load(&late.has_committed));
    atomic_store(&late.may_commit, true);
    case_until_count(&effect->told, 4);
    case_until(is_true, &late.has_committed);
}

static void late_commit(void *arg)
{
    static struct effect work, facts;
    struct err err = {0};
    const char *name = case_name("late"), *topic = case_name("late"), *topics[] = {topic, NULL};
    struct event_handler worker = handler_of(&work), reader = handler_of(&facts);
    open_all();
    check_equal(consume_queue(database, queue, name, &worker, &err), 0);
    check_equal(consume_stream(database, stream, case_name("group"), topics, &reader, &err), 0);
    check_late(OUTBOX_QUEUE, name, 0, &work);
    check_late(OUTBOX_STREAM, topic, 100, &facts);
    check_effects(8);
    close_all();
}

static void test_late_commit(void **state)
{
    /* SQLite has one writer: rows are committed in the order of their numbers there. */
    if (strncmp(settings_text("database_url"), "postgres:", 9) != 0)
        skip();
    case_run(late_commit, NULL);
}

/* ---- killed between the commit and the publishing: the event arrives after the restart ---- */

static const char *death_queue, *death_consumer;

static void commit_and_die(void *arg)
{
    struct err err = {0};
    check_equal(database_open("users", &database, &err), 0);
    check_equal(database_migrate(database, "users", &err), 0);
    check_equal(database_transact(database, run_script, NULL), 0);
    send_events((struct batch){OUTBOX_QUEUE, death_queue, 0, 25, 7});
    _exit(77); /* no relay has run */
}

static void arrive_after_death(void *arg)
{
    static struct effect effect;
    struct err err = {0};
    struct event_handler handler = {.name = death_consumer, .effects = record, .committed = tell, .context = &effect};
    check_equal(database_open("users", &database, &err), 0);
    check_equal(queue_open(&queue, &err), 0);
    check_equal(stream_open(&stream, &err), 0);
    check_equal(outbox_relay_start(database, "users", queue, stream, &relay), 0);
    check_equal(consume_queue(database, queue, death_queue, &handler, &err), 0);
    case_until_count(&effect.told, 25);
    check_effects(25);
    close_all();
}

static void test_death(void **state)
{
    death_queue = case_name("death");
    death_consumer = case_name("consumer");
    assert_int_equal(case_run_in_child(commit_and_die, NULL) >> 8, 77);
    case_run(arrive_after_death, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flows),
        cmocka_unit_test(test_repeats),
        cmocka_unit_test(test_poison_of_queue),
        cmocka_unit_test(test_no_event),
        cmocka_unit_test(test_late_copies),
        cmocka_unit_test(test_poison_of_stream),
        cmocka_unit_test(test_dropped_of_stream),
        cmocka_unit_test(test_passing),
        cmocka_unit_test(test_idempotency),
        cmocka_unit_test(test_late_commit),
        cmocka_unit_test(test_death),
    };
    case_settings();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
