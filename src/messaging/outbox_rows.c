/*
 * Rows of the outbox. On PostgreSQL those of a transaction are one statement for each of the two tables, whatever their number. They are numbered
 * in the order in which they were added.
 */
#include "messaging/outbox_parts.h"

#include "base/clock.h"

#define COLUMNS "lane, destination, key, event_id, correlation_id, reply_to, traceparent, body, created_at"
#define EACH " (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
#define TOGETHER \
    " (" COLUMNS ") SELECT lane::integer, destination, key, event_id, correlation_id, reply_to, traceparent, body, created_at::bigint " \
    "FROM unnest(?1::text[], ?2::text[], ?3::text[], ?4::text[], ?5::text[], ?6::text[], ?7::text[], ?8::text[], ?9::text[]) " \
    "AS added (" COLUMNS ")"

static const struct sql_set tables[] = {
    [OUTBOX_QUEUE] = {"INSERT INTO outbox_queue" EACH, "INSERT INTO outbox_queue" TOGETHER},
    [OUTBOX_STREAM] = {"INSERT INTO outbox_stream" EACH, "INSERT INTO outbox_stream" TOGETHER},
};

static int64_t lane_of(const char *key)
{
    uint32_t hash = 2166136261u;
    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * 16777619u;
    return hash % OUTBOX_LANES;
}

int outbox_add(struct transaction *tx, struct outbox_entry *entry)
{
    const char *key = entry->key ? entry->key : "";
    struct text body = event_print(transaction_arena(tx), &entry->event);
    const struct event *event = &entry->event;
    sql_add(tx, &tables[entry->kind], "ittttttsi", lane_of(key), entry->destination, key, event->id, entry->correlation_id, entry->reply_to,
            event->traceparent, &body, event->time_wall_ms);
    transaction_after_commit(tx, outbox_wake, transaction_database(tx));
    return 0;
}

int outbox_add_again(struct transaction *tx, const char *queue, const char *event_id, const char *correlation_id, const char *reply_to,
                     const char *traceparent, struct text body)
{
    sql_add(tx, &tables[OUTBOX_QUEUE], "ittttttsi", lane_of(event_id), queue, "", event_id, correlation_id, reply_to, traceparent, &body,
            clock_wall_ms());
    transaction_after_commit(tx, outbox_wake, transaction_database(tx));
    return 0;
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
