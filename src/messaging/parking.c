/*
 * Parked events: an event of a topic that failed, and those of its key that came later, wait in a table, so that the topic goes on
 * for everybody else. The first of each key is tried again with back-off; at the last attempt it becomes a dead letter, and its
 * key waits until that is sent again or dropped.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/settings.h"
#include "engines/wakeup.h"
#include "messaging/handling.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define ROUND_MAX 32
#define LOOK_EVERY_MS 5000 /* for what other processes have parked */

struct parking {
    struct database *database;
    const struct event_handler *handler;
    struct wakeup wakeup, stopped;
    _Atomic bool stopping;
    _Atomic bool running;
    int64_t next_due; /* wall; INT64_MAX: nothing */
    struct parking *next;
};

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct parking *list;

void parking_wake(void *database)
{
    pthread_mutex_lock(&list_lock);
    for (struct parking *parking = list; parking; parking = parking->next)
        if (parking->database == database)
            wakeup_ring(&parking->wakeup);
    pthread_mutex_unlock(&list_lock);
}

int parking_keys(struct transaction *tx, const struct parking *parking, struct rows *ret_keys)
{
    return sql_query(tx, ret_keys, "SELECT DISTINCT key FROM parked_events WHERE consumer = ?1", "t", parking->handler->name);
}

static bool is_last_attempt(int code, int64_t attempts)
{
    return code == -EBADMSG || attempts >= settings_number("retry_limit");
}

/* The dead letter of a parked event. */
static int bury(struct transaction *tx, const struct parking *parking, const struct handling *handling, int64_t parked_id, int64_t attempts)
{
    struct dead_letter letter = {
        .source = handling->message->queue,
        .consumer = parking->handler->name,
        .key = handling->key,
        .attempts = (unsigned)attempts,
        .error = handling->error,
        .parked_id = parked_id,
    };
    return dead_letter_add(tx, &letter, handling);
}

int parking_add(struct transaction *tx, struct parking *parking, const struct handling *handling, int code)
{
    struct rows rows;
    bool dead = code < 0 && is_last_attempt(code, 1);
    int result = sql_query(tx, &rows,
                           "INSERT INTO parked_events (consumer, topic, key, event_id, attempts, due_at, is_dead, traceparent, body, "
                           "created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING RETURNING id",
                           "ttttiiitsi", parking->handler->name, handling->message->queue, handling->key, handling->record_id,
                           (int64_t)(code < 0), clock_steady_ms() + (code < 0 ? queue_pause_ms(1) : 0), (int64_t)dead, handling->message->traceparent,
                           &handling->message->body, clock_wall_ms());
    if (result < 0)
        return result;
    transaction_after_commit(tx, parking_wake, parking->database);
    return rows.count && dead ? bury(tx, parking, handling, rows_integer(&rows, 0, 0), 1) : 0;
}

/* ---- trying again ---- */

struct attempt {
    struct parking *parking;
    int64_t id;
    struct queue_message message;
    struct handling handling;
    int64_t attempts; /* made before this one */
    int code;         /* of this one */
    bool gone;
};

static int find_due(struct transaction *tx, void *arg)
{
    struct rows *rows = ((void **)arg)[0];
    const struct parking *parking = ((void **)arg)[1];
    return sql_query(tx, rows,
                     "SELECT id, topic, key, event_id, attempts, due_at, traceparent, body FROM parked_events WHERE id IN "
                     "(SELECT min(id) FROM parked_events WHERE consumer = ?1 GROUP BY key) AND is_dead = 0 ORDER BY due_at LIMIT ?2",
                     "ti", parking->handler->name, (int64_t)ROUND_MAX);
}

static int lock_row(struct transaction *tx, struct attempt *attempt)
{
    struct rows rows;
    int code = sql_query_locked(tx, &rows, "SELECT attempts FROM parked_events WHERE id = ?1 AND is_dead = 0", "i", attempt->id);
    attempt->gone = code == 0 && (!rows.count || rows_integer(&rows, 0, 0) != attempt->attempts);
    return code;
}

static int try_again(struct transaction *tx, void *arg)
{
    struct attempt *attempt = arg;
    int code = lock_row(tx, attempt);
    if (code < 0 || attempt->gone)
        return code;
    struct handling *handling = &attempt->handling;
    code = handling->parsed ? handling_run(tx, attempt->parking->handler, &handling, 1) : -EBADMSG;
    return code < 0 ? code : sql_run(tx, "DELETE FROM parked_events WHERE id = ?1", "i", attempt->id);
}

static int record_failure(struct transaction *tx, void *arg)
{
    struct attempt *attempt = arg;
    int64_t attempts = attempt->attempts + 1;
    bool dead = is_last_attempt(attempt->code, attempts);
    int code = lock_row(tx, attempt);
    if (code < 0 || attempt->gone)
        return code;
    code = sql_run(tx, "UPDATE parked_events SET attempts = ?2, due_at = ?3, is_dead = ?4 WHERE id = ?1", "iiii", attempt->id, attempts,
                   clock_steady_ms() + queue_pause_ms((unsigned)attempts), (int64_t)dead);
    return code < 0 || !dead ? code : bury(tx, attempt->parking, &attempt->handling, attempt->id, attempts);
}

static int attempt_row(struct parking *parking, const struct rows *rows, unsigned row)
{
    struct attempt attempt = {
        .parking = parking,
        .id = rows_integer(rows, row, 0),
        .attempts = rows_integer(rows, row, 4),
        .message = {.queue = rows_text(rows, row, 1), .id = rows_text(rows, row, 3), .traceparent = rows_text(rows, row, 6),
                    .body = rows->cells[row * rows->columns + 7]},
    };
    handling_of(&attempt.message, &attempt.handling);
    attempt.handling.key = rows_text(rows, row, 2);
    attempt.handling.record_id = rows_text(rows, row, 3);
    struct handling *handling = &attempt.handling;
    attempt.code = database_transact(parking->database, try_again, &attempt);
    if (attempt.code == 0 && !attempt.gone)
        handling_tell(parking->handler, &handling, 1);
    if (attempt.code == 0 || handling_is_outage(attempt.code))
        return attempt.code;
    handling_note_failure(&attempt.handling, attempt.code);
    return database_transact(parking->database, record_failure, &attempt);
}

static void run_round(void *arg)
{
    struct parking *parking = arg;
    struct rows rows = {0};
    void *wanted[] = {&rows, parking};
    int code = database_read_one(parking->database, find_due, wanted);
    parking->next_due = code < 0 ? clock_steady_ms() + 1000 : INT64_MAX;
    for (unsigned i = 0; i < rows.count && code >= 0; i++) {
        int64_t due = rows_integer(&rows, i, 5), now = clock_steady_ms();
        if (due > now && due <= now + 2 * QUEUE_PAUSE_MAX_MS) { /* further away: the clock was set back since */
            parking->next_due = due;
            break;
        }
        code = attempt_row(parking, &rows, i);
        parking->next_due = code < 0 ? now + 1000 : 0;
    }
}

static void parking_main(void *arg)
{
    struct parking *parking = arg;
    while (!atomic_load(&parking->stopping)) {
        if (fiber_run_apart("parked events", run_round, parking) < 0)
            parking->next_due = clock_steady_ms() + 1000;
        int64_t now = clock_steady_ms(), pause_ms = parking->next_due > now ? parking->next_due - now : 0;
        bool polls = database_is_postgres(parking->database);
        if (polls && pause_ms > LOOK_EVERY_MS)
            pause_ms = LOOK_EVERY_MS;
        if (pause_ms > QUEUE_PAUSE_MAX_MS)
            pause_ms = QUEUE_PAUSE_MAX_MS;
        if (pause_ms)
            wakeup_wait(&parking->wakeup, clock_mono_ms() + pause_ms);
    }
    atomic_store(&parking->running, false);
    wakeup_ring(&parking->stopped);
}

struct parking *parking_start(struct database *database, const struct event_handler *handler)
{
    struct parking *parking = calloc(1, sizeof *parking);
    if (!parking)
        return NULL;
    *parking = (struct parking){.database = database, .handler = handler, .running = true};
    pthread_mutex_lock(&list_lock);
    parking->next = list;
    list = parking;
    pthread_mutex_unlock(&list_lock);
    if (fiber_start("parked events", parking_main, parking) < 0) {
        atomic_store(&parking->running, false);
        return NULL;
    }
    return parking;
}

/* Takes the next one of that database off the list; NULL when there is none. */
static struct parking *take_off(const struct database *database)
{
    pthread_mutex_lock(&list_lock);
    struct parking **place = &list;
    while (*place && (*place)->database != database)
        place = &(*place)->next;
    struct parking *parking = *place;
    if (parking)
        *place = parking->next;
    pthread_mutex_unlock(&list_lock);
    return parking;
}

void parking_stop(struct database *database)
{
    for (struct parking *parking; (parking = take_off(database));) {
        atomic_store(&parking->stopping, true);
        wakeup_ring(&parking->wakeup);
        while (atomic_load(&parking->running))
            wakeup_wait_uninterrupted(&parking->stopped);
        free(parking);
    }
}
