/*
 * The outbox's relay. Rows are written in the transaction that made the events (outbox_rows.c) and are sent afterwards, lowest first, in
 * batches that are deleted when all of a batch is confirmed; so nothing is lost between a commit and its publishing, and
 * what was published twice is recognised by its id. Queue and stream have a table and a fiber each: one that is away does
 * not hold up the other.
 *
 * On PostgreSQL a lane is sent by the one process that owns it. A process that does not own them all tells the others after its commits;
 * since such a hint may be lost, they look by themselves too.
 */
#include "messaging/outbox_parts.h"

#include "base/clock.h"
#include "base/log.h"
#include "engines/wakeup.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH_MAX 256
#define BATCH_SHRINK 4
#define POLL_MS 250
#define PAUSE_MAX_MS 1000
#define SIGNAL_PAUSE_MS 10

struct lane_set {
    struct outbox_relay *relay;
    enum outbox_kind kind;
    struct wakeup wakeup;
    _Atomic bool news; /* a commit of this process, which the others have not been told of */
    /* Of the last round. */
    bool owns_all;
    unsigned sent;
    int code;
    unsigned batch; /* rows of the next round */
};

struct outbox_relay {
    struct database *database;
    const char *service;
    struct queue *queue;
    struct stream *stream;
    struct lane_set sets[2];
    _Atomic bool stopping;
    unsigned running; /* both fibers are on one worker */
    struct wakeup stopped;
    struct outbox_relay *next;
};

static pthread_mutex_t relays_lock = PTHREAD_MUTEX_INITIALIZER;
static struct outbox_relay *relays;

static void ring(struct lane_set *set)
{
    atomic_store(&set->news, true);
    wakeup_ring(&set->wakeup);
}

void outbox_wake(void *arg)
{
    const struct database *database = arg;
    pthread_mutex_lock(&relays_lock);
    for (struct outbox_relay *relay = relays; relay; relay = relay->next)
        for (unsigned i = 0; i < 2 && relay->database == database; i++)
            ring(&relay->sets[i]);
    pthread_mutex_unlock(&relays_lock);
}

/* Another process has rows for us. */
static void on_signal(void *arg)
{
    struct outbox_relay *relay = arg;
    for (unsigned i = 0; i < 2; i++)
        wakeup_ring(&relay->sets[i].wakeup);
}

/* ---- one round of a relay ---- */

struct round {
    const struct lane_set *set;
    const char *lanes; /* PostgreSQL's array of those owned */
    struct rows rows;
};

#define ROUND_COLUMNS "id, destination, key, event_id, correlation_id, reply_to, traceparent, body"

static int read_round(struct transaction *tx, void *arg)
{
    static const char *const all[] = {
        [OUTBOX_QUEUE] = "SELECT " ROUND_COLUMNS " FROM outbox_queue ORDER BY id LIMIT ?1",
        [OUTBOX_STREAM] = "SELECT " ROUND_COLUMNS " FROM outbox_stream ORDER BY id LIMIT ?1",
    };
    static const char *const of_lanes[] = {
        [OUTBOX_QUEUE] = "SELECT " ROUND_COLUMNS " FROM outbox_queue WHERE lane = ANY (?2::integer[]) ORDER BY id LIMIT ?1",
        [OUTBOX_STREAM] = "SELECT " ROUND_COLUMNS " FROM outbox_stream WHERE lane = ANY (?2::integer[]) ORDER BY id LIMIT ?1",
    };
    struct round *round = arg;
    enum outbox_kind kind = round->set->kind;
    if (!database_is_postgres(transaction_database(tx)))
        return sql_query(tx, &round->rows, all[kind], "i", (int64_t)round->set->batch);
    return sql_query(tx, &round->rows, of_lanes[kind], "it", (int64_t)round->set->batch, round->lanes);
}

/* PostgreSQL's text form of an array. */
static const char *array_of_ids(struct arena *arena, const struct rows *rows)
{
    char *list = arena_alloc(arena, (size_t)rows->count * 21 + 3), *at = list;
    for (unsigned i = 0; i < rows->count; i++)
        at += snprintf(at, 22, "%c%s", i ? ',' : '{', rows_text(rows, i, 0));
    *at = '}';
    return list;
}

/* On SQLite the rows that were read are all that there are up to the last (one writer); on PostgreSQL a lower id may commit later. */
static int delete_round(struct transaction *tx, void *arg)
{
    static const char *const up_to[] = {
        [OUTBOX_QUEUE] = "DELETE FROM outbox_queue WHERE id <= ?1",
        [OUTBOX_STREAM] = "DELETE FROM outbox_stream WHERE id <= ?1",
    };
    static const char *const these[] = {
        [OUTBOX_QUEUE] = "DELETE FROM outbox_queue WHERE id = ANY (?1::bigint[])",
        [OUTBOX_STREAM] = "DELETE FROM outbox_stream WHERE id = ANY (?1::bigint[])",
    };
    const struct round *round = arg;
    enum outbox_kind kind = round->set->kind;
    if (!database_is_postgres(transaction_database(tx)))
        return sql_run(tx, up_to[kind], "i", rows_integer(&round->rows, round->rows.count - 1, 0));
    return sql_run(tx, these[kind], "t", array_of_ids(transaction_arena(tx), &round->rows));
}

static int publish_to_queue(struct queue *queue, const struct rows *rows)
{
    struct queue_message *messages = arena_alloc(fiber_arena(), sizeof *messages * rows->count);
    for (unsigned i = 0; i < rows->count; i++)
        messages[i] = (struct queue_message){
            .queue = rows_text(rows, i, 1),
            .id = rows_text(rows, i, 3),
            .correlation_id = rows_text(rows, i, 4),
            .reply_to = rows_text(rows, i, 5),
            .traceparent = rows_text(rows, i, 6),
            .body = rows->cells[i * rows->columns + 7],
        };
    return queue_publish(queue, messages, rows->count);
}

static int publish_to_stream(struct stream *stream, const struct rows *rows)
{
    struct stream_record *records = arena_alloc(fiber_arena(), sizeof *records * rows->count);
    for (unsigned i = 0; i < rows->count; i++)
        records[i] = (struct stream_record){
            .topic = rows_text(rows, i, 1),
            .key = rows_text(rows, i, 2),
            .id = rows_text(rows, i, 3),
            .traceparent = rows_text(rows, i, 6),
            .value = rows->cells[i * rows->columns + 7],
        };
    return stream_publish(stream, records, rows->count);
}

/* The lanes that this process owns, as PostgreSQL's array; NULL for none. Others hear that there is something new. */
static const char *own_lanes(struct lane_set *set)
{
    struct database *database = set->relay->database;
    struct arena *arena = fiber_arena();
    bool owned[OUTBOX_LANES];
    const char *list = "";
    unsigned count = database_own(database, (int)set->kind * OUTBOX_LANES, OUTBOX_LANES, owned);
    set->owns_all = count == OUTBOX_LANES;
    for (int lane = 0; lane < OUTBOX_LANES; lane++)
        if (owned[lane])
            list = arena_printf(arena, "%s%s%d", list, *list ? "," : "", lane);
    return count ? arena_printf(arena, "{%s}", list) : NULL;
}

/* An engine that takes some of a batch and refuses the rest, as a full queue does, would be sent the first of it again and again: where one fails the
 * next is smaller, down to one row. */
static void size_batch(struct lane_set *set)
{
    unsigned batch = set->code == 0 ? set->batch * BATCH_SHRINK : set->batch / BATCH_SHRINK;
    set->batch = batch < 1 ? 1 : batch > BATCH_MAX ? BATCH_MAX : batch;
}

static void send_round(void *arg)
{
    struct lane_set *set = arg;
    struct outbox_relay *relay = set->relay;
    struct round round = {.set = set};
    bool shared = database_is_postgres(relay->database);
    set->sent = 0;
    set->code = 0;
    if (shared) {
        round.lanes = own_lanes(set);
        if (atomic_exchange(&set->news, false) && !set->owns_all) {
            database_signal(relay->database);
            fiber_sleep(SIGNAL_PAUSE_MS); /* one signal for many commits */
        }
        if (!round.lanes)
            return;
    }
    set->code = database_read_one(relay->database, read_round, &round);
    if (set->code < 0 || !round.rows.count)
        return;
    set->code = set->kind == OUTBOX_QUEUE ? publish_to_queue(relay->queue, &round.rows) : publish_to_stream(relay->stream, &round.rows);
    size_batch(set);
    if (set->code == 0)
        set->code = database_write_one(relay->database, delete_round, &round);
    if (set->code < 0)
        return;
    set->sent = round.rows.count;
}

/* ---- the relay's life ---- */

static void relay_main(void *arg)
{
    struct lane_set *set = arg;
    struct outbox_relay *relay = set->relay;
    int64_t pause_ms = 0;
    for (;;) {
        int code = fiber_run_apart("outbox round", send_round, set);
        if (code == 0)
            code = set->code;
        if (atomic_load(&relay->stopping) && (code < 0 || !set->sent))
            break;
        if (code == 0 && set->sent) {
            pause_ms = 0;
            continue;
        }
        if (code < 0 && !pause_ms)
            log_warn("the outbox waits", "{s:s, s:s, s:s}", "service", relay->service, "for", set->kind == OUTBOX_QUEUE ? "queue" : "stream",
                     "error", strerror(-code));
        pause_ms = code == 0 ? 0 : pause_ms ? pause_ms * 2 : 50;
        if (pause_ms > PAUSE_MAX_MS)
            pause_ms = PAUSE_MAX_MS;
        bool polls = pause_ms || database_is_postgres(relay->database);
        wakeup_wait(&set->wakeup, polls ? clock_mono_ms() + (pause_ms ? pause_ms : POLL_MS) : 0);
    }
    if (--relay->running == 0)
        wakeup_ring(&relay->stopped);
}

int outbox_relay_start(struct database *database, const char *service, struct queue *queue, struct stream *stream,
                       struct outbox_relay **ret_relay)
{
    struct outbox_relay *relay = calloc(1, sizeof *relay);
    if (!relay)
        return -ENOMEM;
    *relay = (struct outbox_relay){.database = database, .service = service, .queue = queue, .stream = stream};
    pthread_mutex_lock(&relays_lock);
    relay->next = relays;
    relays = relay;
    pthread_mutex_unlock(&relays_lock);
    int code = 0;
    for (int kind = OUTBOX_QUEUE; kind <= OUTBOX_STREAM && code == 0; kind++) {
        relay->sets[kind].relay = relay;
        relay->sets[kind].kind = (enum outbox_kind)kind;
        relay->sets[kind].batch = BATCH_MAX;
        relay->running++;
        code = fiber_start("outbox relay", relay_main, &relay->sets[kind]);
        if (code < 0)
            relay->running--;
    }
    if (code < 0) {
        outbox_relay_stop(relay);
        return code;
    }
    database_on_signal(database, on_signal, relay);
    *ret_relay = relay;
    return 0;
}

void outbox_relay_stop(struct outbox_relay *relay)
{
    if (!relay)
        return;
    database_on_signal(relay->database, NULL, NULL);
    atomic_store(&relay->stopping, true);
    for (unsigned i = 0; i < 2; i++)
        wakeup_ring(&relay->sets[i].wakeup);
    while (relay->running)
        wakeup_wait_uninterrupted(&relay->stopped);
    pthread_mutex_lock(&relays_lock);
    struct outbox_relay **place = &relays;
    while (*place != relay)
        place = &(*place)->next;
    *place = relay->next;
    pthread_mutex_unlock(&relays_lock);
    free(relay);
}

static int read_backlog(struct transaction *tx, void *arg)
{
    return sql_query(tx, arg,
                     "SELECT sum(n), min(oldest) FROM (SELECT count(*) AS n, min(created_at) AS oldest FROM outbox_queue "
                     "UNION ALL SELECT count(*), min(created_at) FROM outbox_stream) AS both_tables",
                     "");
}

int outbox_backlog(struct database *database, int64_t *ret_rows, int64_t *ret_oldest_ms)
{
    struct rows rows;
    int code = database_scan(database, read_backlog, &rows);
    if (code < 0)
        return code;
    int64_t age = rows_null(&rows, 0, 1) ? 0 : clock_wall_ms() - rows_integer(&rows, 0, 1);
    *ret_rows = rows_integer(&rows, 0, 0);
    *ret_oldest_ms = age > 0 ? age : 0;
    return 0;
}
