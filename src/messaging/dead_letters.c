/*
 * The table of dead letters over HTTP. Sending one again and taking it off the list is one transaction: a queue's message goes back
 * through the outbox, a topic's event is tried again where its key is parked.
 */
#include "messaging/dead_letters.h"

#include "base/clock.h"
#include "base/uuid.h"
#include "http/resource.h"
#include "messaging/handling.h"
#include "messaging/outbox.h"

#include <errno.h>

#define COLUMNS "id, source, event_id, type, attempts, error, body, created_at"

struct listing {
    struct page page;
    struct rows rows;
};

static int read_list(struct transaction *tx, void *arg)
{
    struct listing *listing = arg;
    return sql_query(tx, &listing->rows, "SELECT " COLUMNS " FROM dead_letters WHERE id < ?1 ORDER BY id DESC LIMIT ?2", "ti",
                     listing->page.cursor, (int64_t)listing->page.limit + 1);
}

static json_t *item_of(struct arena *arena, const char *service, const struct rows *rows, unsigned row)
{
    char time[TIME_TEXT_SIZE];
    json_t *event, *item = json_make(arena, "{s:s, s:s, s:s, s:s, s:s?, s:I, s:s}", "id",
                                     arena_printf(arena, "%s.%s", service, rows_text(rows, row, 0)), "service", service, "source",
                                     rows_text(rows, row, 1), "event_id", rows_text(rows, row, 2), "type", rows_text(rows, row, 3),
                                     "attempts", (json_int_t)rows_integer(rows, row, 4), "error", rows_text(rows, row, 5));
    if (json_parse(arena, rows->cells[row * rows->columns + 6], &event, NULL) < 0 || !json_is_object(event))
        event = json_make(arena, "s", rows_text(rows, row, 6));
    time_print(rows_integer(rows, row, 7), time);
    json_put(item, "event", event);
    json_put_new(item, "created_at", json_string(time));
    return item;
}

void dead_letters_list(void *context, struct http_request *request, struct http_response *response)
{
    const struct dead_letters *letters = context;
    struct listing listing = {0};
    if (!request_id_page(request, response, &listing.page))
        return;
    int code = database_scan(letters->database, read_list, &listing);
    if (code < 0)
        return problem_from_error(response, code, "listing dead letters");
    unsigned limit = (unsigned)listing.page.limit, shown = listing.rows.count < limit ? listing.rows.count : limit;
    json_t *data = json_make(request->arena, "[]");
    for (unsigned i = 0; i < shown; i++)
        json_add(data, item_of(request->arena, letters->service, &listing.rows, i));
    const char *next = listing.rows.count > shown ? rows_text(&listing.rows, shown - 1, 0) : NULL;
    respond_json(response, 200, json_make(request->arena, "{s:O, s:s?}", "data", data, "next_cursor", next));
}

struct choice {
    const char *id;
    bool found;
};

/* The id without the service's name, or NULL. */
static const char *choice_of(const struct dead_letters *letters, const struct http_request *request)
{
    struct text id = request->parameters[0], service = text_of(letters->service);
    if (text_starts(id, service) && id.size > service.size && (id.at[service.size] == '.' || id.at[service.size] == '-'))
        id = (struct text){id.at + service.size + 1, id.size - service.size - 1};
    const char *copy = arena_copy(request->arena, id.at, id.size);
    return uuid_is_valid(copy) ? copy : NULL;
}

static int take(struct transaction *tx, struct choice *choice, struct rows *ret_rows)
{
    int code = sql_query(tx, ret_rows,
                         "DELETE FROM dead_letters WHERE id = ?1 RETURNING source, key, event_id, correlation_id, reply_to, traceparent, "
                         "body, parked_id, consumer",
                         "t", choice->id);
    choice->found = code == 0 && ret_rows->count == 1;
    return code;
}

static int send_again(struct transaction *tx, void *arg)
{
    struct rows rows;
    int code = take(tx, arg, &rows);
    if (code < 0 || !rows.count)
        return code;
    if (rows_null(&rows, 0, 7))
        return outbox_add_again(tx, rows_text(&rows, 0, 0), rows_text(&rows, 0, 2), rows_text(&rows, 0, 3), rows_text(&rows, 0, 4),
                                rows_text(&rows, 0, 5), rows.cells[6]);
    transaction_after_commit(tx, parking_wake, transaction_database(tx));
    return sql_run(tx, "UPDATE parked_events SET is_dead = 0, attempts = 0, due_at = 0 WHERE id = ?1", "i", rows_integer(&rows, 0, 7));
}

/* A dropped event counts as handled, should it come again. */
static int drop(struct transaction *tx, void *arg)
{
    struct rows rows;
    int code = take(tx, arg, &rows);
    if (code < 0 || !rows.count)
        return code;
    if (uuid_is_valid(rows_text(&rows, 0, 2)))
        code = sql_run(tx, "INSERT INTO inbox (event_id, consumer, received_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING", "tti",
                       rows_text(&rows, 0, 2), rows_text(&rows, 0, 8), clock_wall_ms());
    if (code < 0 || rows_null(&rows, 0, 7))
        return code;
    transaction_after_commit(tx, parking_wake, transaction_database(tx));
    return sql_run(tx, "DELETE FROM parked_events WHERE id = ?1", "i", rows_integer(&rows, 0, 7));
}

static void change(const struct dead_letters *letters, struct http_request *request, struct http_response *response, transaction_body *body,
                   const char *doing)
{
    struct choice choice = {.id = choice_of(letters, request)};
    int code = choice.id ? database_transact(letters->database, body, &choice) : 0;
    if (code < 0)
        problem_from_error(response, code, doing);
    else if (!choice.found)
        problem_not_found(response);
    else
        respond_empty(response, 204);
}

void dead_letters_retry(void *context, struct http_request *request, struct http_response *response)
{
    change(context, request, response, send_again, "sending a dead letter again");
}

void dead_letters_drop(void *context, struct http_request *request, struct http_response *response)
{
    change(context, request, response, drop, "dropping a dead letter");
}
