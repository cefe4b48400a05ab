/*
 * The queue port inside the process: one SQLite file, queue.db, through the writer's lane that databases use, so that messages of many
 * publishers are made durable by one commit.
 *
 * A message's id holds its queue's number and its place, so that a queue is a range of the table and needs no index. Places are
 * given on the writer's thread, in the order of commits; so a consumer claims what follows the last claimed place and skips
 * nothing. What failed moves to `delayed` until it is due, what is dead to the queue <name>.dead. Claims are kept in memory alone:
 * after a crash everything unacknowledged is delivered again. Prefetch means nothing here: a batch is what is at work.
 */
#include "base/clock.h"
#include "base/log.h"
#include "engines/database_ops.h"
#include "engines/queue_ops.h"
#include "engines/wakeup.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define PLACE_BITS 40
#define REDO_PAUSE_MS 500
#define DUE_AT_ONCE 200

static const char schema[] = "CREATE TABLE IF NOT EXISTS queues (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
                             "CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, attempts INTEGER NOT NULL, message_id TEXT, "
                             "correlation_id TEXT, reply_to TEXT, traceparent TEXT, body TEXT NOT NULL, error TEXT);"
                             "CREATE TABLE IF NOT EXISTS delayed (id INTEGER PRIMARY KEY, queue INTEGER NOT NULL, due_at INTEGER NOT NULL, "
                             "attempts INTEGER NOT NULL, message_id TEXT, correlation_id TEXT, reply_to TEXT, traceparent TEXT, "
                             "body TEXT NOT NULL, error TEXT);"
                             "CREATE INDEX IF NOT EXISTS delayed_due ON delayed (queue, due_at);";

struct channel {
    char *name;
    int64_t number;      /* 0 until it is known; then never changes */
    int64_t last_place;  /* given; the writer's thread alone */
    pthread_mutex_t claim_lock;
    int64_t last_claimed; /* id */
    _Atomic int64_t next_due_ms; /* of what is delayed; INT64_MAX: nothing */
    struct channel *next;
};

struct consumer {
    struct embedded_queue *queue;
    struct queue_consumer wanted;
    struct channel *channel, *dead;
    struct wakeup wakeup;
    /* The claimed range; kept until its end is recorded. */
    int64_t from, to;
    unsigned handled;
    int code;
    struct consumer *next;
};

struct embedded_queue {
    struct queue base; /* first */
    struct database *file;
    pthread_mutex_t lock; /* of the lists, which only grow */
    struct channel *channels;
    struct consumer *consumers;
    _Atomic bool stopping;
    _Atomic unsigned running;
    struct wakeup stopped;
};

static int64_t id_of(const struct channel *channel, int64_t place)
{
    return channel->number << PLACE_BITS | place;
}

/* ---- channels ---- */

static struct channel *channel_named(struct embedded_queue *queue, const char *name)
{
    pthread_mutex_lock(&queue->lock);
    struct channel *channel = queue->channels;
    while (channel && strcmp(channel->name, name))
        channel = channel->next;
    if (!channel && (channel = calloc(1, sizeof *channel))) {
        channel->name = strdup(name);
        channel->next = queue->channels;
        pthread_mutex_init(&channel->claim_lock, NULL);
        if (channel->name)
            queue->channels = channel;
        else
            free(channel), channel = NULL;
    }
    pthread_mutex_unlock(&queue->lock);
    return channel;
}

struct resolution {
    const char *name;
    int64_t number, last_id;
};

static int resolve(struct transaction *tx, void *arg)
{
    struct resolution *found = arg;
    struct rows rows;
    int code = sql_run(tx, "INSERT INTO queues (name) VALUES (?1) ON CONFLICT DO NOTHING", "t", found->name);
    if (code >= 0)
        code = sql_query(tx, &rows, "SELECT number FROM queues WHERE name = ?1", "t", found->name);
    if (code < 0)
        return code;
    found->number = rows_integer(&rows, 0, 0);
    code = sql_query(tx, &rows, "SELECT max(id) FROM messages WHERE id > ?1 AND id < ?2", "ii", found->number << PLACE_BITS,
                     (found->number + 1) << PLACE_BITS);
    found->last_id = code == 0 ? rows_integer(&rows, 0, 0) : 0;
    return code;
}

/* The channel with its number known, or NULL and a code. */
static struct channel *channel_open(struct embedded_queue *queue, const char *name, int *ret_code)
{
    struct channel *channel = channel_named(queue, name);
    *ret_code = channel ? 0 : -ENOMEM;
    if (!channel || __atomic_load_n(&channel->number, __ATOMIC_ACQUIRE))
        return channel;
    struct resolution found = {.name = name};
    *ret_code = database_transact(queue->file, resolve, &found);
    if (*ret_code < 0)
        return NULL;
    pthread_mutex_lock(&queue->lock);
    if (!channel->number) {
        channel->last_place = found.last_id ? found.last_id - (found.number << PLACE_BITS) : 0;
        channel->last_claimed = found.number << PLACE_BITS;
        __atomic_store_n(&channel->number, found.number, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&queue->lock);
    return channel;
}

static void ring_consumers(struct embedded_queue *queue, const struct channel *channel)
{
    pthread_mutex_lock(&queue->lock);
    for (struct consumer *consumer = queue->consumers; consumer; consumer = consumer->next)
        if (consumer->channel == channel)
            wakeup_ring(&consumer->wakeup);
    pthread_mutex_unlock(&queue->lock);
}

/* ---- publishing ---- */

static int insert_message(struct transaction *tx, struct channel *channel, const struct queue_message *message, unsigned attempts,
                          const char *error)
{
    return sql_run(tx,
                   "INSERT INTO messages (id, attempts, message_id, correlation_id, reply_to, traceparent, body, error) "
                   "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                   "iittttst", id_of(channel, ++channel->last_place), (int64_t)attempts, message->id, message->correlation_id,
                   message->reply_to, message->traceparent, &message->body, error);
}

struct publication {
    struct channel **channels;
    const struct queue_message *messages;
    unsigned count;
};

static int publish(struct transaction *tx, void *arg)
{
    const struct publication *publication = arg;
    for (unsigned i = 0; i < publication->count; i++) {
        int code = insert_message(tx, publication->channels[i], &publication->messages[i], 0, NULL);
        if (code < 0)
            return code;
    }
    return 0;
}

static int embedded_publish(struct queue *base, const struct queue_message *messages, unsigned count)
{
    struct embedded_queue *queue = (struct embedded_queue *)base;
    struct channel **channels = arena_alloc(fiber_arena(), sizeof *channels * count);
    struct publication publication = {channels, messages, count};
    int code = 0;
    for (unsigned i = 0; i < count; i++)
        if (!(channels[i] = channel_open(queue, messages[i].queue, &code)))
            return code;
    code = database_transact(queue->file, publish, &publication);
    for (unsigned i = 0; i < count && code == 0; i++)
        if (i == 0 || channels[i] != channels[i - 1])
            ring_consumers(queue, channels[i]);
    return code;
}

/* ---- what was delayed and is due ---- */

struct due {
    struct channel *channel;
    int64_t next_due;
};

static int move_one(struct transaction *tx, struct channel *channel, const struct rows *rows, unsigned row)
{
    struct queue_message message = {
        .id = rows_text(rows, row, 2),
        .correlation_id = rows_text(rows, row, 3),
        .reply_to = rows_text(rows, row, 4),
        .traceparent = rows_text(rows, row, 5),
        .body = rows->cells[row * rows->columns + 6],
    };
    int code = insert_message(tx, channel, &message, (unsigned)rows_integer(rows, row, 1), rows_text(rows, row, 7));
    return code < 0 ? code : sql_run(tx, "DELETE FROM delayed WHERE id = ?1", "i", rows_integer(rows, row, 0));
}

/* A time that is further away than any pause is from a clock that was set back since. */
static int move_due(struct transaction *tx, void *arg)
{
    struct due *due = arg;
    int64_t now = clock_steady_ms();
    struct rows rows;
    int code = sql_query(tx, &rows,
                         "SELECT id, attempts, message_id, correlation_id, reply_to, traceparent, body, error FROM delayed "
                         "WHERE queue = ?1 AND (due_at <= ?2 OR due_at > ?3) ORDER BY due_at LIMIT ?4",
                         "iiii", due->channel->number, now, now + 2 * QUEUE_PAUSE_MAX_MS, (int64_t)DUE_AT_ONCE);
    for (unsigned i = 0; code >= 0 && i < rows.count; i++)
        code = move_one(tx, due->channel, &rows, i);
    if (code >= 0)
        code = sql_query(tx, &rows, "SELECT min(due_at) FROM delayed WHERE queue = ?1", "i", due->channel->number);
    if (code < 0)
        return code;
    due->next_due = rows_null(&rows, 0, 0) ? INT64_MAX : rows_integer(&rows, 0, 0);
    return 0;
}

/* ---- delivering ---- */

struct claim {
    int64_t from, to, limit;
    struct rows rows;
};

static int read_claim(struct transaction *tx, void *arg)
{
    struct claim *claim = arg;
    return sql_query(tx, &claim->rows,
                     "SELECT id, attempts, message_id, correlation_id, reply_to, traceparent, body, error FROM messages "
                     "WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3",
                     "iii", claim->from, claim->to, claim->limit);
}

/* Reads while a lock is held, which may not be left by a jump: -ENOMEM where memory is short. */
static int read_under_lock(struct database *file, struct claim *claim)
{
    jmp_buf rescue, *outer = memory_rescue;
    volatile int code = -ENOMEM;
    memory_rescue = &rescue;
    if (_setjmp(rescue) == 0)
        code = database_read(file, read_claim, claim);
    memory_rescue = outer;
    return code;
}

static int claim_messages(struct consumer *consumer, struct claim *claim)
{
    struct channel *channel = consumer->channel;
    bool again = consumer->to != 0; /* a claim whose end could not be recorded */
    pthread_mutex_lock(&channel->claim_lock);
    *claim = (struct claim){again ? consumer->from : channel->last_claimed, again ? consumer->to : id_of(channel, (INT64_C(1) << PLACE_BITS) - 1),
                            consumer->wanted.batch_max, {0}};
    int code = read_under_lock(consumer->queue->file, claim);
    if (code == 0 && !again && claim->rows.count) {
        consumer->from = claim->from;
        consumer->to = channel->last_claimed = rows_integer(&claim->rows, claim->rows.count - 1, 0);
    }
    pthread_mutex_unlock(&channel->claim_lock);
    if (code < 0 || !again || claim->rows.count)
        return code;
    consumer->from = consumer->to = 0; /* its end was recorded after all */
    return claim_messages(consumer, claim);
}

static struct queue_delivery *deliveries_of(const struct consumer *consumer, const struct rows *rows)
{
    struct queue_delivery *batch = arena_alloc(fiber_arena(), sizeof *batch * rows->count);
    for (unsigned i = 0; i < rows->count; i++) {
        bool dead = consumer->wanted.dead_letters;
        batch[i].attempt = (unsigned)rows_integer(rows, i, 1) + (dead ? 0 : 1);
        batch[i].message = (struct queue_message){
            .queue = consumer->wanted.queue,
            .id = rows_text(rows, i, 2),
            .correlation_id = rows_text(rows, i, 3),
            .reply_to = rows_text(rows, i, 4),
            .traceparent = rows_text(rows, i, 5),
            .body = rows->cells[i * rows->columns + 6],
        };
        if (!rows_null(rows, i, 7))
            snprintf(batch[i].error, sizeof batch[i].error, "%s", rows_text(rows, i, 7));
    }
    return batch;
}

struct settlement {
    struct consumer *consumer;
    const struct queue_delivery *batch;
    const struct rows *rows;
    int64_t next_due;
    bool buried;
};

static int delay(struct transaction *tx, struct settlement *settlement, const struct queue_delivery *delivery, unsigned attempts)
{
    int64_t due = clock_steady_ms() + queue_pause_ms(attempts ? attempts : 1);
    if (due < settlement->next_due)
        settlement->next_due = due;
    return sql_run(tx,
                   "INSERT INTO delayed (queue, due_at, attempts, message_id, correlation_id, reply_to, traceparent, body, error) "
                   "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                   "iiittttst", settlement->consumer->channel->number, due, (int64_t)attempts, delivery->message.id,
                   delivery->message.correlation_id, delivery->message.reply_to, delivery->message.traceparent, &delivery->message.body,
                   delivery->error);
}

static int settle_one(struct transaction *tx, struct settlement *settlement, unsigned i)
{
    const struct consumer *consumer = settlement->consumer;
    const struct queue_delivery *delivery = &settlement->batch[i];
    int code = 0;
    switch (queue_outcome(&consumer->wanted, delivery)) {
    case QUEUE_ACK: break;
    case QUEUE_RETRY: code = delay(tx, settlement, delivery, delivery->attempt); break;
    case QUEUE_AGAIN: code = delay(tx, settlement, delivery, delivery->attempt - (consumer->wanted.dead_letters ? 0 : 1)); break;
    case QUEUE_DEAD:
        settlement->buried = true;
        code = insert_message(tx, consumer->dead, &delivery->message, delivery->attempt, delivery->error);
        break;
    }
    return code;
}

static int settle(struct transaction *tx, void *arg)
{
    struct settlement *settlement = arg;
    int64_t first = rows_integer(settlement->rows, 0, 0), last = rows_integer(settlement->rows, settlement->rows->count - 1, 0);
    settlement->next_due = INT64_MAX;
    settlement->buried = false;
    for (unsigned i = 0; i < settlement->rows->count; i++) {
        int code = settle_one(tx, settlement, i);
        if (code < 0)
            return code;
    }
    /* The claimed range holds nothing but this batch: places are given in order. */
    return sql_run(tx, "DELETE FROM messages WHERE id BETWEEN ?1 AND ?2", "ii", first, last);
}

static void note_due(struct channel *channel, int64_t due)
{
    int64_t known = atomic_load(&channel->next_due_ms);
    while (due < known && !atomic_compare_exchange_weak(&channel->next_due_ms, &known, due))
        ;
}

/* One batch, on a fiber of its own: claim, handle, record the end. */
static void deliver(void *arg)
{
    struct consumer *consumer = arg;
    struct channel *channel = consumer->channel;
    if (atomic_load(&channel->next_due_ms) <= clock_steady_ms()) {
        struct due due = {channel, 0};
        atomic_store(&channel->next_due_ms, INT64_MAX);
        consumer->code = database_transact(consumer->queue->file, move_due, &due);
        note_due(channel, consumer->code == 0 ? due.next_due : clock_steady_ms() + REDO_PAUSE_MS);
    }
    struct claim claim;
    consumer->code = claim_messages(consumer, &claim);
    consumer->handled = consumer->code == 0 ? claim.rows.count : 0;
    if (!consumer->handled)
        return;
    struct queue_delivery *batch = deliveries_of(consumer, &claim.rows);
    consumer->wanted.handle(consumer->wanted.context, batch, claim.rows.count);
    struct settlement settlement = {consumer, batch, &claim.rows, 0, false};
    consumer->code = database_transact(consumer->queue->file, settle, &settlement);
    if (consumer->code < 0)
        return;
    consumer->from = consumer->to = 0;
    note_due(channel, settlement.next_due);
    if (settlement.buried)
        ring_consumers(consumer->queue, consumer->dead);
}

static void wait_for_work(struct consumer *consumer, bool failed)
{
    int64_t pause_ms = QUEUE_PAUSE_MAX_MS, due = atomic_load(&consumer->channel->next_due_ms), now = clock_steady_ms();
    if (due - now < pause_ms)
        pause_ms = due > now ? due - now : 0;
    if (failed)
        pause_ms = REDO_PAUSE_MS;
    if (pause_ms)
        wakeup_wait(&consumer->wakeup, clock_mono_ms() + pause_ms);
}

static void consume(void *arg)
{
    struct consumer *consumer = arg;
    struct embedded_queue *queue = consumer->queue;
    while (!atomic_load(&queue->stopping)) {
        consumer->handled = 0;
        int code = fiber_run_apart("queue batch", deliver, consumer);
        if (code == 0)
            code = consumer->code;
        if (code < 0) {
            log_warn("a queue's batch could not be recorded; it is delivered again", "{s:s, s:s}", "queue", consumer->channel->name, "error",
                     strerror(-code));
            note_due(consumer->channel, clock_steady_ms() + REDO_PAUSE_MS); /* it may have ended before what is due was looked at */
        }
        if (code < 0 || !consumer->handled)
            wait_for_work(consumer, code < 0);
    }
    if (atomic_fetch_sub(&queue->running, 1) == 1)
        wakeup_ring(&queue->stopped);
}

static void open_channels(void *arg)
{
    struct consumer *consumer = arg;
    struct arena *arena = fiber_arena();
    const char *name = consumer->wanted.queue, *dead = arena_printf(arena, "%s.dead", name);
    consumer->channel = channel_open(consumer->queue, consumer->wanted.dead_letters ? dead : name, &consumer->code);
    if (consumer->channel && !consumer->wanted.dead_letters)
        consumer->dead = channel_open(consumer->queue, dead, &consumer->code);
}

static void consumer_main(void *arg)
{
    struct consumer *consumer = arg;
    struct embedded_queue *queue = consumer->queue;
    while ((fiber_run_apart("queue start", open_channels, consumer) < 0 || consumer->code < 0) && !atomic_load(&queue->stopping))
        wakeup_wait(&consumer->wakeup, clock_mono_ms() + REDO_PAUSE_MS);
    pthread_mutex_lock(&queue->lock);
    consumer->next = queue->consumers;
    queue->consumers = consumer;
    pthread_mutex_unlock(&queue->lock);
    consume(consumer);
}

static int embedded_consume(struct queue *base, const struct queue_consumer *wanted, struct err *err)
{
    struct embedded_queue *queue = (struct embedded_queue *)base;
    struct consumer *consumer = calloc(1, sizeof *consumer);
    if (!consumer || !(consumer->wanted.queue = strdup(wanted->queue))) {
        free(consumer);
        return err_set(err, -ENOMEM, "out of memory");
    }
    const char *name = consumer->wanted.queue;
    consumer->queue = queue;
    consumer->wanted = *wanted;
    consumer->wanted.queue = name;
    atomic_store(&queue->stopping, false);
    atomic_fetch_add(&queue->running, 1);
    int code = fiber_start("queue consumer", consumer_main, consumer);
    if (code < 0) {
        atomic_fetch_sub(&queue->running, 1);
        free((char *)name);
        free(consumer);
        return err_set(err, code, "no fiber can be started");
    }
    return 0;
}

/* ---- the whole ---- */

static void embedded_stop(struct queue *base)
{
    struct embedded_queue *queue = (struct embedded_queue *)base;
    atomic_store(&queue->stopping, true);
    pthread_mutex_lock(&queue->lock);
    for (struct consumer *consumer = queue->consumers; consumer; consumer = consumer->next)
        wakeup_ring(&consumer->wakeup);
    pthread_mutex_unlock(&queue->lock);
    while (atomic_load(&queue->running))
        wakeup_wait_uninterrupted(&queue->stopped);
}

static void embedded_close(struct queue *base)
{
    struct embedded_queue *queue = (struct embedded_queue *)base;
    embedded_stop(base);
    database_close(queue->file);
    for (struct consumer *consumer; (consumer = queue->consumers);) {
        queue->consumers = consumer->next;
        free((char *)consumer->wanted.queue);
        free(consumer);
    }
    for (struct channel *channel; (channel = queue->channels);) {
        queue->channels = channel->next;
        pthread_mutex_destroy(&channel->claim_lock);
        free(channel->name);
        free(channel);
    }
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

static bool embedded_is_up(const struct queue *queue)
{
    return true;
}

static int embedded_open(struct queue **ret_queue, struct err *err)
{
    struct embedded_queue *queue = calloc(1, sizeof *queue);
    if (!queue)
        return err_set(err, -ENOMEM, "out of memory");
    queue->base.ops = &embedded_queue_ops;
    pthread_mutex_init(&queue->lock, NULL);
    int code = sqlite_file_open("queue", schema, &queue->file, err);
    if (code < 0) {
        pthread_mutex_destroy(&queue->lock);
        free(queue);
        return code;
    }
    *ret_queue = &queue->base;
    return 0;
}

static int read_depths(struct transaction *tx, void *arg)
{
    return sql_query(tx, arg,
                     "SELECT q.name, (SELECT count(*) FROM messages WHERE id > q.number << 40 AND id < (q.number + 1) << 40), "
                     "(SELECT count(*) FROM delayed WHERE queue = q.number), "
                     "(SELECT count(*) FROM queues d JOIN messages m ON m.id > d.number << 40 AND m.id < (d.number + 1) << 40 "
                     "WHERE d.name = q.name || '.dead') FROM queues q WHERE q.name NOT LIKE '%.dead' ORDER BY q.name",
                     "");
}

static int64_t claimed_now(struct embedded_queue *queue, const char *name)
{
    int64_t count = 0;
    pthread_mutex_lock(&queue->lock);
    for (const struct consumer *consumer = queue->consumers; consumer; consumer = consumer->next)
        if (!strcmp(consumer->channel->name, name))
            count += consumer->to ? consumer->handled : 0;
    pthread_mutex_unlock(&queue->lock);
    return count;
}

static int embedded_depths(struct queue *base, struct arena *arena, json_t **ret_list)
{
    struct embedded_queue *queue = (struct embedded_queue *)base;
    struct rows rows;
    int code = database_scan(queue->file, read_depths, &rows);
    if (code < 0)
        return code;
    json_t *list = json_make(arena, "[]");
    for (unsigned i = 0; i < rows.count; i++) {
        int64_t stored = rows_integer(&rows, i, 1), claimed = claimed_now(queue, rows_text(&rows, i, 0));
        claimed = claimed < stored ? claimed : stored;
        json_add(list, json_make(arena, "{s:s, s:I, s:I, s:I, s:I}", "name", rows_text(&rows, i, 0), "ready",
                                          (json_int_t)(stored - claimed), "unacknowledged", (json_int_t)claimed, "retrying",
                                          (json_int_t)rows_integer(&rows, i, 2), "dead", (json_int_t)rows_integer(&rows, i, 3)));
    }
    *ret_list = list;
    return 0;
}

const struct queue_ops embedded_queue_ops = {
    .scheme = "embedded",
    .open = embedded_open,
    .close = embedded_close,
    .is_up = embedded_is_up,
    .publish = embedded_publish,
    .consume = embedded_consume,
    .stop = embedded_stop,
    .depths = embedded_depths,
};
