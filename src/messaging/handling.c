/* The effect of one event, once: its row in the inbox is of the same transaction, and a repeat finds it there. */
#include "messaging/handling.h"

#include "base/clock.h"
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

void handling_of(const struct queue_message *message, struct handling *ret_handling)
{
    struct err err = {0};
    *ret_handling = (struct handling){.message = message, .record_id = message->id};
    int code = event_parse(fiber_arena(), message->body, &ret_handling->event, &err);
    if (code < 0) {
        ret_handling->code = -EBADMSG;
        snprintf(ret_handling->error, sizeof ret_handling->error, "%.190s", err.message);
        return;
    }
    ret_handling->parsed = true;
    ret_handling->record_id = ret_handling->event.id;
}

/* On PostgreSQL all rows are of one statement, which returns the ids that are new in the order of the list. */
static int enter_together(struct transaction *tx, const char *consumer, struct handling *const *list, unsigned count)
{
    struct rows rows;
    unsigned row = 0;
    char *ids = arena_alloc(transaction_arena(tx), count * UUID_SIZE + 2), *at = ids;
    for (unsigned i = 0; i < count; i++) {
        *at = i ? ',' : '{';
        memcpy(at + 1, list[i]->event.id, UUID_SIZE - 1);
        at += UUID_SIZE;
    }
    memcpy(at, "}", 2);
    int code = sql_query(tx, &rows,
                         "INSERT INTO inbox (event_id, consumer, received_at) SELECT unnest(?1::uuid[]), ?2, ?3::bigint "
                         "ON CONFLICT DO NOTHING RETURNING event_id",
                         "tti", ids, consumer, clock_wall_ms());
    if (code < 0)
        return code;
    for (unsigned i = 0; i < count; i++) {
        list[i]->is_new = row < rows.count && strcasecmp(rows_text(&rows, row, 0), list[i]->event.id) == 0;
        row += list[i]->is_new;
    }
    assert(row == rows.count);
    return 0;
}

static int enter_each(struct transaction *tx, const char *consumer, struct handling *const *list, unsigned count)
{
    int64_t now = clock_wall_ms();
    int code = 0;
    for (unsigned i = 0; i < count && code >= 0; i++) {
        code = sql_run(tx, "INSERT INTO inbox (event_id, consumer, received_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING", "tti",
                       list[i]->event.id, consumer, now);
        list[i]->is_new = code == 1;
    }
    return code < 0 ? code : 0;
}

/* Of an event that comes twice in the list the second finds the first one's row. */
static int enter_inbox(struct transaction *tx, const struct event_handler *handler, struct handling *const *list, unsigned count)
{
    if (!count)
        return 0;
    if (database_is_postgres(transaction_database(tx)))
        return enter_together(tx, handler->name, list, count);
    return enter_each(tx, handler->name, list, count);
}

int handling_run(struct transaction *tx, const struct event_handler *handler, struct handling *const *list, unsigned count)
{
    struct arena *arena = transaction_arena(tx);
    struct event_item *items = arena_alloc(arena, sizeof *items * (count + 1));
    unsigned fresh = 0;
    int code = enter_inbox(tx, handler, list, count);
    for (unsigned i = 0; i < count; i++) {
        list[i]->had_effect = false;
        if (code == 0 && list[i]->is_new)
            items[fresh++] = (struct event_item){.event = &list[i]->event, .message = list[i]->message};
    }
    if (code == 0 && fresh)
        code = handler->effects(tx, handler->context, items, fresh);
    if (code < 0)
        return code;
    fresh = 0;
    for (unsigned i = 0; i < count; i++)
        if (list[i]->is_new) {
            list[i]->had_effect = true;
            list[i]->result = items[fresh++].result;
        }
    return 0;
}

bool handling_is_outage(int code)
{
    switch (code) {
    case -EAGAIN:
    case -ETIMEDOUT:
    case -ECANCELED:
    case -ENOSPC:
    case -EIO:
    case -ENOMEM:
    case -EBUSY: return true;
    default: return false;
    }
}

void handling_note_failure(struct handling *handling, int code)
{
    if (!handling->error[0])
        snprintf(handling->error, sizeof handling->error, "%s", code == -EBADMSG ? "it cannot be handled" : strerror(-code));
}

void handling_tell(const struct event_handler *handler, struct handling *const *list, unsigned count)
{
    struct event_item *items = arena_alloc(fiber_arena(), sizeof *items * (count + 1));
    unsigned told = 0;
    for (unsigned i = 0; i < count; i++)
        if (list[i]->had_effect)
            items[told++] = (struct event_item){&list[i]->event, list[i]->message, list[i]->result};
    if (handler->committed && told)
        handler->committed(handler->context, items, told);
}

struct sorted {
    struct handling *handling; /* first */
    const char *key;
};

/* Those with equal keys keep their order: they are of one array. */
static int compare(const void *a, const void *b)
{
    const struct sorted *x = a, *y = b;
    int order = x->key && y->key ? strcmp(x->key, y->key) : (y->key != NULL) - (x->key != NULL);
    return order ? order : (x->handling > y->handling) - (x->handling < y->handling);
}

struct handling **handling_order(const struct event_handler *handler, struct handling *list, unsigned count)
{
    struct arena *arena = fiber_arena();
    struct handling **ordered = arena_alloc(arena, sizeof *ordered * count);
    struct sorted *sorted = arena_alloc(arena, sizeof *sorted * count);
    for (unsigned i = 0; i < count; i++)
        sorted[i] = (struct sorted){&list[i], list[i].parsed && handler->sort_key ? handler->sort_key(&list[i].event) : NULL};
    if (handler->sort_key)
        qsort(sorted, count, sizeof *sorted, compare);
    for (unsigned i = 0; i < count; i++)
        ordered[i] = sorted[i].handling;
    return ordered;
}

int dead_letter_add(struct transaction *tx, const struct dead_letter *letter, const struct handling *handling)
{
    char id[UUID_SIZE];
    uuid_make(id);
    const struct queue_message *message = handling->message;
    const char *error = letter->error && *letter->error ? letter->error : "unknown", *key = letter->key;
    const char *event_id = handling->record_id && *handling->record_id ? handling->record_id : id;
    struct text body = message->body;
    if (!text_is_utf8(body) || memchr(body.at, 0, body.size)) {
        size_t size = BASE64URL_SIZE(body.size);
        char *coded = arena_alloc(transaction_arena(tx), size);
        body = (struct text){coded, base64url_encode(body.at, body.size, coded)};
    }
    int code = sql_run(tx,
                       "INSERT INTO dead_letters (id, source, consumer, key, event_id, type, attempts, error, correlation_id, reply_to, "
                       "traceparent, body, parked_id, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "
                       "nullif(?13, 0), ?14) ON CONFLICT DO NOTHING",
                       "ttttttittttsii", id, letter->source, letter->consumer, key, event_id, handling->parsed ? handling->event.type : NULL,
                       (int64_t)(letter->attempts ? letter->attempts : 1), error, message->correlation_id, message->reply_to,
                       message->traceparent, &body, letter->parked_id, clock_wall_ms());
    if (code == 1)
        log_error("a message is a dead letter", "{s:s, s:s, s:s, s:s}", "source", letter->source, "consumer", letter->consumer, "event_id",
                  event_id, "error", error);
    return code < 0 ? code : 0;
}
