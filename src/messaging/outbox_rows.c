/*
 * Rows of the outbox. Those of a transaction are gathered while its body runs and written when it has succeeded: on PostgreSQL by one statement
 * for each of the two tables, whatever their number. They are numbered in the order in which they were added.
 */
#include "messaging/outbox_parts.h"

#include "base/clock.h"

enum column { LANE, DESTINATION, KEY, EVENT_ID, CORRELATION_ID, REPLY_TO, TRACEPARENT, BODY, CREATED_AT, COLUMNS };

struct list {
    struct text (*rows)[COLUMNS];
    unsigned count, room;
};

/* Of a transaction, by kind. */
struct gathered {
    struct list lists[2];
};

static int64_t lane_of(const char *key)
{
    uint32_t hash = 2166136261u;
    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * 16777619u;
    return hash % OUTBOX_LANES;
}

/* ---- writing them ---- */

static int write_together(struct transaction *tx, enum outbox_kind kind, const struct list *list)
{
#define ROWS                                                                                                                           \
    " (lane, destination, key, event_id, correlation_id, reply_to, traceparent, body, created_at) "                                    \
    "SELECT lane::integer, destination, key, event_id, correlation_id, reply_to, traceparent, body, created_at::bigint "               \
    "FROM unnest(?1::text[], ?2::text[], ?3::text[], ?4::text[], ?5::text[], ?6::text[], ?7::text[], ?8::text[], ?9::text[]) "         \
    "AS added (lane, destination, key, event_id, correlation_id, reply_to, traceparent, body, created_at)"
    static const char *const inserts[] = {
        [OUTBOX_QUEUE] = "INSERT INTO outbox_queue" ROWS,
        [OUTBOX_STREAM] = "INSERT INTO outbox_stream" ROWS,
    };
#undef ROWS
    struct text columns[COLUMNS];
    for (unsigned i = 0; i < COLUMNS; i++)
        columns[i] = postgres_text_array(transaction_arena(tx), &list->rows[0][i], list->count, COLUMNS);
    return sql_send(tx, inserts[kind], "bbbbbbbbb", &columns[0], &columns[1], &columns[2], &columns[3], &columns[4], &columns[5], &columns[6],
                    &columns[7], &columns[8]);
}

/* A statement costs SQLite no round trip. */
static int write_each(struct transaction *tx, enum outbox_kind kind, const struct list *list)
{
#define ROW                                                                                                                            \
    " (lane, destination, key, event_id, correlation_id, reply_to, traceparent, body, created_at) "                                    \
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
    static const char *const inserts[] = {
        [OUTBOX_QUEUE] = "INSERT INTO outbox_queue" ROW,
        [OUTBOX_STREAM] = "INSERT INTO outbox_stream" ROW,
    };
#undef ROW
    int code = 0;
    for (unsigned i = 0; i < list->count && code >= 0; i++) {
        const struct text *row = list->rows[i];
        code = sql_run(tx, inserts[kind], "sssssssss", &row[0], &row[1], &row[2], &row[3], &row[4], &row[5], &row[6], &row[7], &row[8]);
    }
    return code;
}

static int write_gathered(struct transaction *tx, void *arg)
{
    const struct gathered *gathered = arg;
    bool together = database_is_postgres(transaction_database(tx));
    int code = 0;
    for (int kind = OUTBOX_QUEUE; kind <= OUTBOX_STREAM && code >= 0; kind++) {
        const struct list *list = &gathered->lists[kind];
        if (list->count)
            code = together ? write_together(tx, (enum outbox_kind)kind, list) : write_each(tx, (enum outbox_kind)kind, list);
    }
    return code;
}

/* ---- gathering them ---- */

static int add_row(struct transaction *tx, enum outbox_kind kind, const struct text row[COLUMNS])
{
    struct gathered *gathered = transaction_gather(tx, write_gathered, sizeof *gathered);
    struct list *list = &gathered->lists[kind];
    if (list->count == list->room) {
        unsigned room = list->room ? list->room * 2 : 4;
        struct text(*rows)[COLUMNS] = arena_alloc(transaction_arena(tx), room * sizeof *rows);
        if (list->count)
            memcpy(rows, list->rows, list->count * sizeof *rows);
        list->rows = rows;
        list->room = room;
    }
    memcpy(list->rows[list->count++], row, sizeof *list->rows);
    transaction_after_commit(tx, outbox_wake, transaction_database(tx));
    return 0;
}

/* The caller's own may be gone when the rows are written. */
static struct text keep(struct arena *arena, const char *text)
{
    size_t size = text ? strlen(text) : 0;
    return (struct text){text ? arena_copy(arena, text, size) : NULL, size};
}

int outbox_add(struct transaction *tx, struct outbox_entry *entry)
{
    struct arena *arena = transaction_arena(tx);
    const struct event *event = &entry->event;
    const char *key = entry->key ? entry->key : "";
    struct text body = event_print(arena, &entry->event);
    return add_row(tx, entry->kind,
                   (struct text[COLUMNS]){
                       [LANE] = rows_number(arena, lane_of(key)),
                       [DESTINATION] = keep(arena, entry->destination),
                       [KEY] = keep(arena, key),
                       [EVENT_ID] = keep(arena, event->id),
                       [CORRELATION_ID] = keep(arena, entry->correlation_id),
                       [REPLY_TO] = keep(arena, entry->reply_to),
                       [TRACEPARENT] = keep(arena, event->traceparent),
                       [BODY] = body,
                       [CREATED_AT] = rows_number(arena, event->time_wall_ms),
                   });
}

int outbox_add_again(struct transaction *tx, const char *queue, const char *event_id, const char *correlation_id, const char *reply_to,
                     const char *traceparent, struct text body)
{
    struct arena *arena = transaction_arena(tx);
    return add_row(tx, OUTBOX_QUEUE,
                   (struct text[COLUMNS]){
                       [LANE] = rows_number(arena, lane_of(event_id)),
                       [DESTINATION] = keep(arena, queue),
                       [KEY] = keep(arena, ""),
                       [EVENT_ID] = keep(arena, event_id),
                       [CORRELATION_ID] = keep(arena, correlation_id),
                       [REPLY_TO] = keep(arena, reply_to),
                       [TRACEPARENT] = keep(arena, traceparent),
                       [BODY] = body,
                       [CREATED_AT] = rows_number(arena, clock_wall_ms()),
                   });
}

/* Of another installation: their numbers come before all that this one has given. */
int outbox_add_moved(struct transaction *tx, const struct outbox_moved *message)
{
    static const char *const inserts[] = {
        [OUTBOX_QUEUE] = "INSERT INTO outbox_queue (id, lane, destination, key, event_id, correlation_id, reply_to, traceparent, body, "
                         "created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        [OUTBOX_STREAM] = "INSERT INTO outbox_stream (id, lane, destination, key, event_id, correlation_id, reply_to, traceparent, body, "
                          "created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    };
    const char *key = message->key ? message->key : "", *event_id = message->event_id ? message->event_id : "";
    int code = sql_run(tx, inserts[message->kind], "iittttttti", message->number - (INT64_C(1) << 40), lane_of(*key ? key : event_id),
                       message->destination, key, event_id, message->correlation_id, message->reply_to, message->traceparent, message->body,
                       clock_wall_ms());
    return code < 0 ? code : 0;
}
