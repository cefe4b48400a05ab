/*
 * Consumers: a batch of events is one transaction with their inbox rows; if any effect fails, each event of the batch is redone in a
 * transaction of its own, so that one bad event stops nobody else. What is away (a database, a full disk) says nothing about
 * an event: the batch comes again and no attempt is counted.
 */
#include "messaging/consumer.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/uuid.h"
#include "messaging/handling.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH_MAX 256
#define PREFETCH 256
#define INBOX_KEEP_MS (INT64_C(8) * 24 * 3600 * 1000)
#define IDEMPOTENCY_KEEP_MS (INT64_C(24) * 3600 * 1000)
#define CLEAN_AT_ONCE 500

/* One consumer; lives until messaging_stop. */
struct consumption {
    struct database *database;
    struct event_handler handler;
    struct parking *parking; /* of topics */
    struct counter *handled, *failed;
    struct consumption *next;
};

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct consumption *list_of_all;

/* A transaction over some events. */
struct work {
    struct consumption *consumption;
    struct handling *const *list;
    unsigned count;
};

static struct consumption *consumption_new(struct database *database, const struct event_handler *handler)
{
    struct consumption *consumption = calloc(1, sizeof *consumption);
    char labels[128];
    if (!consumption)
        return NULL;
    snprintf(labels, sizeof labels, "consumer=\"%s\"", handler->name);
    *consumption = (struct consumption){
        .database = database,
        .handler = *handler,
        .handled = counter_get("purser_events_handled_total", labels, "events that had their effect or were recognised as repeats"),
        .failed = counter_get("purser_events_failed_total", labels, "failed attempts at events"),
    };
    pthread_mutex_lock(&list_lock);
    consumption->next = list_of_all;
    list_of_all = consumption;
    pthread_mutex_unlock(&list_lock);
    return consumption;
}

void messaging_stop(struct database *database)
{
    parking_stop(database);
    pthread_mutex_lock(&list_lock);
    for (struct consumption **place = &list_of_all; *place;) {
        struct consumption *consumption = *place;
        if (consumption->database != database) {
            place = &consumption->next;
            continue;
        }
        *place = consumption->next;
        free(consumption);
    }
    pthread_mutex_unlock(&list_lock);
}

/* ---- what queues and topics share ---- */

static bool holds_key(const struct rows *keys, const char *key)
{
    for (unsigned i = 0; i < keys->count; i++)
        if (!strcmp(rows_text(keys, i, 0), key))
            return true;
    return false;
}

/* Keeps what has to wait behind a parked event of its key. Those left are in `ret_free`. */
static int hold_back(struct transaction *tx, const struct work *work, struct handling **ret_free, unsigned *ret_count)
{
    struct parking *parking = work->consumption->parking;
    struct rows parked = {0};
    int code = parking ? parking_keys(tx, parking, &parked) : 0;
    for (unsigned i = 0; i < work->count && code >= 0; i++) {
        if (parked.count && holds_key(&parked, work->list[i]->key))
            code = parking_add(tx, parking, work->list[i], 0);
        else if (work->list[i]->parsed)
            ret_free[(*ret_count)++] = work->list[i];
        else
            code = -EBADMSG;
    }
    return code;
}

static int run_work(struct transaction *tx, void *arg)
{
    const struct work *work = arg;
    struct handling **list = arena_alloc(transaction_arena(tx), sizeof *list * work->count);
    unsigned count = 0;
    for (unsigned i = 0; i < work->count; i++)
        work->list[i]->had_effect = false;
    int code = hold_back(tx, work, list, &count);
    return code < 0 ? code : handling_run(tx, &work->consumption->handler, list, count);
}

struct parked_work {
    struct consumption *consumption;
    struct handling *handling;
};

static int park(struct transaction *tx, void *arg)
{
    const struct parked_work *work = arg;
    return parking_add(tx, work->consumption->parking, work->handling, work->handling->code);
}

/* One event alone. Its code says how it went; the answer is negative only when something was away. */
static int handle_alone(struct consumption *consumption, struct handling *handling)
{
    struct work work = {consumption, &handling, 1};
    int code = database_transact(consumption->database, run_work, &work);
    if (handling_is_outage(code))
        return code;
    handling->code = code;
    if (code == 0)
        return 0;
    counter_add(consumption->failed, 1);
    handling_note_failure(handling, code);
    struct parked_work parked = {consumption, handling};
    return consumption->parking ? database_transact(consumption->database, park, &parked) : 0;
}

/* 0, or negative when something was away: those not done say so by their code. */
static int run_all(struct consumption *consumption, struct handling *const *list, unsigned count)
{
    struct work work = {consumption, list, count};
    for (unsigned i = 0; i < count; i++)
        list[i]->code = -EAGAIN;
    int code = database_transact(consumption->database, run_work, &work);
    if (handling_is_outage(code))
        return code;
    for (unsigned i = 0; i < count && code == 0; i++)
        list[i]->code = 0;
    for (unsigned i = 0; i < count && code < 0; i++) {
        int outage = handle_alone(consumption, list[i]);
        if (outage < 0)
            return outage;
    }
    return 0;
}

static int handle_all(struct consumption *consumption, struct handling *events, unsigned count)
{
    struct handling **list = handling_order(&consumption->handler, events, count);
    int code = run_all(consumption, list, count);
    unsigned done = 0;
    for (unsigned i = 0; i < count; i++) {
        if (list[i]->code != 0)
            list[i]->had_effect = false;
        done += list[i]->code == 0;
    }
    counter_add(consumption->handled, done);
    handling_tell(&consumption->handler, list, count);
    return code;
}

/* ---- queues ---- */

static enum queue_verdict verdict_of(const struct handling *handling)
{
    if (handling->code == 0)
        return QUEUE_ACK;
    if (handling->code == -EBADMSG)
        return QUEUE_DEAD;
    return handling_is_outage(handling->code) ? QUEUE_AGAIN : QUEUE_RETRY;
}

static void handle_queue(void *context, struct queue_delivery *batch, unsigned count)
{
    struct consumption *consumption = context;
    struct handling *list = arena_alloc(fiber_arena(), sizeof *list * count);
    for (unsigned i = 0; i < count; i++)
        handling_of(&batch[i].message, &list[i]);
    handle_all(consumption, list, count);
    for (unsigned i = 0; i < count; i++) {
        batch[i].verdict = verdict_of(&list[i]);
        snprintf(batch[i].error, sizeof batch[i].error, "%s", list[i].error);
    }
}

struct burial {
    const struct consumption *consumption;
    const struct queue_delivery *batch;
    struct handling *list;
    unsigned count;
};

/* Another copy of it had its effect, or was dropped from the list. */
static int was_handled(struct transaction *tx, const char *consumer, const struct handling *handling, bool *ret_handled)
{
    struct rows rows = {0};
    int code = 0;
    if (handling->parsed && uuid_is_valid(handling->event.id))
        code = sql_query(tx, &rows, "SELECT 1 FROM inbox WHERE event_id = ?1 AND consumer = ?2", "tt", handling->event.id, consumer);
    *ret_handled = rows.count > 0;
    return code;
}

static int bury(struct transaction *tx, void *arg)
{
    const struct burial *burial = arg;
    for (unsigned i = 0; i < burial->count; i++) {
        const struct queue_delivery *delivery = &burial->batch[i];
        bool handled;
        int code = was_handled(tx, burial->consumption->handler.name, &burial->list[i], &handled);
        if (code < 0)
            return code;
        if (handled)
            continue;
        struct dead_letter letter = {
            .source = delivery->message.queue,
            .consumer = burial->consumption->handler.name,
            .attempts = delivery->attempt,
            .error = delivery->error,
        };
        code = dead_letter_add(tx, &letter, &burial->list[i]);
        if (code < 0)
            return code;
    }
    return 0;
}

static void handle_dead(void *context, struct queue_delivery *batch, unsigned count)
{
    struct consumption *consumption = context;
    struct handling *list = arena_alloc(fiber_arena(), sizeof *list * count);
    for (unsigned i = 0; i < count; i++)
        handling_of(&batch[i].message, &list[i]);
    struct burial burial = {consumption, batch, list, count};
    int code = database_transact(consumption->database, bury, &burial);
    for (unsigned i = 0; i < count; i++)
        batch[i].verdict = code == 0 ? QUEUE_ACK : QUEUE_AGAIN;
}

static int consume_dead(struct consumption *consumption, struct queue *queue, const char *queue_name, struct err *err)
{
    struct queue_consumer consumer = {
        .queue = queue_name, .batch_max = BATCH_MAX, .prefetch = PREFETCH, .dead_letters = true, .handle = handle_dead, .context = consumption};
    return queue_consume(queue, &consumer, err);
}

int consume_queue(struct database *database, struct queue *queue, const char *queue_name, const struct event_handler *handler,
                  struct err *err)
{
    struct consumption *consumption = consumption_new(database, handler);
    if (!consumption)
        return err_set(err, -ENOMEM, "out of memory");
    struct queue_consumer consumer = {
        .queue = queue_name, .batch_max = BATCH_MAX, .prefetch = PREFETCH, .handle = handle_queue, .context = consumption};
    int code = queue_consume(queue, &consumer, err);
    return code < 0 ? code : consume_dead(consumption, queue, queue_name, err);
}

int consume_dead_letters(struct database *database, struct queue *queue, const char *queue_name, const char *name, struct err *err)
{
    struct event_handler handler = {.name = name};
    struct consumption *consumption = consumption_new(database, &handler);
    return consumption ? consume_dead(consumption, queue, queue_name, err) : err_set(err, -ENOMEM, "out of memory");
}

/* ---- topics ---- */

static int handle_stream(void *context, const struct stream_record *records, unsigned count)
{
    struct consumption *consumption = context;
    struct arena *arena = fiber_arena();
    struct handling *list = arena_alloc(arena, sizeof *list * count);
    struct queue_message *messages = arena_alloc(arena, sizeof *messages * count);
    for (unsigned i = 0; i < count; i++) {
        messages[i] = (struct queue_message){
            .queue = records[i].topic, .id = records[i].id, .traceparent = records[i].traceparent, .body = records[i].value};
        handling_of(&messages[i], &list[i]);
        list[i].key = records[i].key ? records[i].key : "";
        if (!list[i].record_id)
            list[i].record_id = arena_printf(arena, "%s/%d/%lld", records[i].topic, records[i].partition, (long long)records[i].offset);
    }
    return handle_all(consumption, list, count);
}

int consume_stream(struct database *database, struct stream *stream, const char *group, const char *const *topics,
                   const struct event_handler *handler, struct err *err)
{
    struct consumption *consumption = consumption_new(database, handler);
    if (consumption)
        consumption->parking = parking_start(database, &consumption->handler);
    if (!consumption || !consumption->parking)
        return err_set(err, -ENOMEM, "out of memory");
    struct stream_consumer consumer = {
        .group = group, .topics = topics, .batch_max = BATCH_MAX, .handle = handle_stream, .context = consumption};
    return stream_consume(stream, &consumer, err);
}

/* ---- what is old ---- */

/* The id that a version 7 UUID of that moment would begin with. */
static void first_id_of(int64_t wall_ms, char ret_id[UUID_SIZE])
{
    snprintf(ret_id, UUID_SIZE, "%08x-%04x-7000-8000-000000000000", (unsigned)((uint64_t)wall_ms >> 16 & 0xffffffff),
             (unsigned)(wall_ms & 0xffff));
}

/* Both tables are deleted from at their old end, which is short to look at; a row that is young in spite of its place stays. */
static int clean(struct transaction *tx, void *arg)
{
    int *removed = arg;
    int64_t now = clock_wall_ms();
    char before[UUID_SIZE];
    first_id_of(now - INBOX_KEEP_MS, before);
    static const char *const inbox[] = {
        "DELETE FROM inbox WHERE (event_id, consumer) IN (SELECT event_id, consumer FROM inbox WHERE event_id < ?1 AND received_at < ?2 "
        "ORDER BY event_id LIMIT ?3)",
        "DELETE FROM inbox WHERE (event_id, consumer) IN (SELECT event_id, consumer FROM inbox WHERE event_id < ?1::uuid AND "
        "received_at < ?2 ORDER BY event_id LIMIT ?3)",
    };
    int code = sql_run(tx, inbox[database_is_postgres(transaction_database(tx))], "tii", before, now - INBOX_KEEP_MS, (int64_t)CLEAN_AT_ONCE);
    if (code < 0)
        return code;
    *removed = code;
    code = sql_run(tx, "DELETE FROM idempotency WHERE id < (SELECT min(id) FROM idempotency) + ?1 AND created_at < ?2", "ii",
                   (int64_t)CLEAN_AT_ONCE, now - IDEMPOTENCY_KEEP_MS);
    if (code > 0)
        *removed += code;
    return code < 0 ? code : 0;
}

int messaging_clean(struct database *database)
{
    int removed = 0, code;
    do
        code = database_transact(database, clean, &removed);
    while (code == 0 && removed >= CLEAN_AT_ONCE);
    return code;
}
