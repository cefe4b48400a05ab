/*
 * The queue port inside the process: one SQLite file, queue.db, through the writer's lane that databases use, so that messages of many
 * publishers are made durable by one commit. Its tables are embedded_messages.c, its queues ranges of one of them (embedded_file.h).
 *
 * A consumer claims what follows the last claimed place of its queue. Claims are kept in memory alone: after a crash everything
 * unacknowledged is delivered again. Prefetch means nothing here: a batch is what is at work.
 */
#include "base/clock.h"
#include "base/log.h"
#include "engines/embedded_messages.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REDO_PAUSE_MS 500

struct embedded_queue {
    struct queue base; /* first */
    struct embedded_file file;
};

struct consumer {
    struct embedded_loop loop; /* first */
    struct queue_consumer wanted;
    struct embedded_channel *channel, *dead;
    /* The claimed range of ids, after the first up to the second; kept until its end is recorded. */
    int64_t from, to;
};

static struct consumer *consumer_of(struct embedded_loop *loop)
{
    return (struct consumer *)loop;
}

static FIBER_FN struct embedded_channel *channel_open(struct embedded_file *file, const char *name, int *ret_code)
{
    return (struct embedded_channel *)embedded_range_open(file, name, ret_code);
}

/* ---- publishing ---- */

static int embedded_publish(struct queue *base, const struct queue_message *messages, unsigned count)
{
    struct embedded_file *file = &((struct embedded_queue *)base)->file;
    struct embedded_channel **channels = arena_alloc(fiber_arena(), sizeof *channels * count);
    struct messages_publication publication = {channels, messages, count};
    int code = 0;
    for (unsigned i = 0; i < count; i++)
        if (!(channels[i] = channel_open(file, messages[i].queue, &code)))
            return code;
    code = database_transact(file->database, messages_publish, &publication);
    for (unsigned i = 0; i < count && code == 0; i++)
        if (i == 0 || channels[i] != channels[i - 1])
            embedded_ring(file, &channels[i]->range);
    return code;
}

/* ---- delivering ---- */

/* Reads while a lock is held, which may not be left by a jump: -ENOMEM where memory is short. */
static int read_under_lock(struct database *database, struct messages_claim *claim)
{
    jmp_buf rescue, *outer = memory_rescue;
    volatile int code = -ENOMEM;
    memory_rescue = &rescue;
    if (_setjmp(rescue) == 0)
        code = database_read(database, messages_read, claim);
    memory_rescue = outer;
    return code;
}

static int claim_messages(struct consumer *consumer, struct messages_claim *claim)
{
    struct embedded_range *range = &consumer->channel->range;
    bool again = consumer->to != 0; /* a claim whose end could not be recorded */
    pthread_mutex_lock(&range->lock);
    *claim = (struct messages_claim){
        .from = again ? consumer->from : embedded_id(range, consumer->channel->last_claimed),
        .to = again ? consumer->to : embedded_id(range, EMBEDDED_PLACE_MAX),
        .limit = consumer->wanted.batch_max,
    };
    int code = read_under_lock(consumer->loop.file->database, claim);
    if (code == 0 && !again && claim->rows.count) {
        consumer->from = claim->from;
        consumer->to = rows_integer(&claim->rows, claim->rows.count - 1, 0);
        consumer->channel->last_claimed = embedded_place(range, consumer->to);
    }
    pthread_mutex_unlock(&range->lock);
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
        batch[i].message = messages_row(rows, i);
        batch[i].message.queue = consumer->wanted.queue;
        if (!rows_null(rows, i, 7))
            snprintf(batch[i].error, sizeof batch[i].error, "%s", rows_text(rows, i, 7));
    }
    return batch;
}

static void note_due(struct embedded_channel *channel, int64_t due)
{
    int64_t known = atomic_load(&channel->next_due_ms);
    while (due < known && !atomic_compare_exchange_weak(&channel->next_due_ms, &known, due))
        ;
}

static FIBER_FN void move_due(struct consumer *consumer)
{
    struct embedded_channel *channel = consumer->channel;
    if (atomic_load(&channel->next_due_ms) > clock_steady_ms())
        return;
    struct messages_due due = {channel, 0};
    atomic_store(&channel->next_due_ms, INT64_MAX);
    int code = database_transact(consumer->loop.file->database, messages_move_due, &due);
    note_due(channel, code == 0 ? due.next_due : clock_steady_ms() + REDO_PAUSE_MS);
}

/* Claim, handle, record the end. */
static FIBER_FN int deliver(struct embedded_loop *loop)
{
    struct consumer *consumer = consumer_of(loop);
    struct messages_claim claim;
    move_due(consumer);
    int code = claim_messages(consumer, &claim);
    if (code < 0 || !claim.rows.count)
        return code;
    loop->handled = claim.rows.count;
    struct queue_delivery *batch = deliveries_of(consumer, &claim.rows);
    consumer->wanted.handle(consumer->wanted.context, batch, claim.rows.count);
    struct messages_settlement settlement = {
        .wanted = &consumer->wanted, .channel = consumer->channel, .dead = consumer->dead, .batch = batch, .rows = &claim.rows};
    code = database_transact(loop->file->database, messages_settle, &settlement);
    if (code < 0)
        return code;
    consumer->from = consumer->to = 0;
    note_due(consumer->channel, settlement.next_due);
    if (settlement.buried)
        embedded_ring(loop->file, &consumer->dead->range);
    return 0;
}

/* ---- a consumer's life ---- */

static FIBER_FN int open_channels(struct embedded_loop *loop)
{
    struct consumer *consumer = consumer_of(loop);
    const char *name = consumer->wanted.queue, *dead = arena_printf(fiber_arena(), "%s.dead", name);
    int code;
    consumer->channel = channel_open(loop->file, consumer->wanted.dead_letters ? dead : name, &code);
    if (!consumer->channel)
        return code;
    loop->waits_for = &consumer->channel->range;
    if (!consumer->wanted.dead_letters)
        consumer->dead = channel_open(loop->file, dead, &code);
    return code;
}

static int64_t pause_until_due(const struct embedded_channel *channel)
{
    int64_t left = atomic_load(&channel->next_due_ms) - clock_steady_ms();
    return left < 0 ? 0 : left < QUEUE_PAUSE_MAX_MS ? left : QUEUE_PAUSE_MAX_MS;
}

static FIBER_FN void rest(struct embedded_loop *loop, int code)
{
    struct consumer *consumer = consumer_of(loop);
    if (code < 0) {
        log_warn("a queue's batch could not be recorded; it is delivered again", "{s:s, s:s}", "queue", consumer->channel->range.name, "error",
                 strerror(-code));
        note_due(consumer->channel, clock_steady_ms() + REDO_PAUSE_MS); /* it may have ended before what is due was looked at */
    } else if (loop->handled) {
        return;
    }
    int64_t pause_ms = code < 0 ? REDO_PAUSE_MS : pause_until_due(consumer->channel);
    if (pause_ms)
        wakeup_wait(&loop->wakeup, clock_mono_ms() + pause_ms);
}

static void consumer_free(struct embedded_loop *loop)
{
    free((char *)consumer_of(loop)->wanted.queue);
    free(loop);
}

static const struct embedded_kind kind = {
    .name = "queue",
    .schema = messages_schema,
    .range_size = sizeof(struct embedded_channel),
    .add_range = messages_add_range,
    .find_range = messages_find_range,
    .loop_name = "queue consumer",
    .open_name = "queue start",
    .batch_name = "queue batch",
    .open = open_channels,
    .deliver = deliver,
    .rest = rest,
    .free = consumer_free,
};

static int embedded_consume(struct queue *base, const struct queue_consumer *wanted, struct err *err)
{
    struct consumer *consumer = calloc(1, sizeof *consumer);
    char *name = strdup(wanted->queue);
    if (!consumer || !name) {
        free(consumer);
        free(name);
        return err_set(err, -ENOMEM, "out of memory");
    }
    consumer->wanted = *wanted;
    consumer->wanted.queue = name;
    int code = embedded_loop_start(&((struct embedded_queue *)base)->file, &consumer->loop);
    if (code == 0)
        return 0;
    consumer_free(&consumer->loop);
    return err_set(err, code, "no fiber can be started");
}

/* ---- the whole ---- */

static FIBER_FN void embedded_queue_stop(struct queue *base)
{
    embedded_stop(&((struct embedded_queue *)base)->file);
}

static FIBER_FN void embedded_close(struct queue *base)
{
    embedded_file_close(&((struct embedded_queue *)base)->file);
    free(base);
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
    int code = embedded_file_open(&queue->file, &kind, err);
    if (code < 0) {
        free(queue);
        return code;
    }
    *ret_queue = &queue->base;
    return 0;
}

static int64_t claimed_now(struct embedded_file *file, const char *name)
{
    int64_t count = 0;
    pthread_mutex_lock(&file->lock);
    for (struct embedded_loop *loop = file->loops; loop; loop = loop->next)
        if (atomic_load(&loop->open) && !strcmp(loop->waits_for->name, name))
            count += consumer_of(loop)->to ? loop->handled : 0;
    pthread_mutex_unlock(&file->lock);
    return count;
}

static FIBER_FN int embedded_depths(struct queue *base, struct arena *arena, json_t **ret_list)
{
    struct embedded_file *file = &((struct embedded_queue *)base)->file;
    struct rows rows;
    int code = database_scan(file->database, messages_count, &rows);
    if (code < 0)
        return code;
    json_t *list = json_make(arena, "[]");
    for (unsigned i = 0; i < rows.count; i++) {
        int64_t stored = rows_integer(&rows, i, 1), claimed = claimed_now(file, rows_text(&rows, i, 0));
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
    .stop = embedded_queue_stop,
    .depths = embedded_depths,
};
