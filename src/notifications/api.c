/* Notifications over HTTP: the history, read marks, the count, and the door of the WebSocket. */
#include "base/json_text.h"
#include "http/problem.h"
#include "notifications/client_messages.h"
#include "notifications/listener.h"
#include "notifications/service.h"
#include "notifications/store.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* A cursor is the direction and the number of the last row: "a17" or "b17". */
static bool take_cursor(const char *cursor, struct page_wanted *wanted)
{
    struct text digits = {cursor + 1, strlen(cursor) - 1};
    if (cursor[0] != 'a' && cursor[0] != 'b')
        return false;
    wanted->descending = cursor[0] == 'b';
    return text_to_int64(digits, &wanted->from) == 0;
}

/* The parameter as a number of at least `min`; `otherwise` where it is absent. */
static int64_t number_parameter(struct http_request *request, const char *name, int64_t min, int64_t otherwise, struct problem_errors *errors)
{
    int64_t number;
    const char *text = http_query(request, name);
    if (!text)
        return otherwise;
    if (text_to_int64(text_of(text), &number) || number < min) {
        problem_errors_add(errors, arena_printf(request->arena, "/%s", name), "is a number from %" PRId64, min);
        return otherwise;
    }
    return number;
}

static bool unread_parameter(struct http_request *request, struct problem_errors *errors)
{
    const char *text = http_query(request, "unread");
    if (text && strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        problem_errors_add(errors, "/unread", "is true or false");
    return text && strcmp(text, "true") == 0;
}

static bool read_parameters(struct http_request *request, struct http_response *response, struct page_wanted *ret_wanted)
{
    struct page page;
    struct problem_errors errors = {.arena = request->arena};
    if (!request_page(request, response, &page))
        return false;
    int64_t after = number_parameter(request, "after", 0, -1, &errors), before = number_parameter(request, "before", 1, 0, &errors);
    *ret_wanted = (struct page_wanted){
        .user_id = request->identity.user_id,
        .from = before ? before : after < 0 ? 0 : after,
        .descending = before != 0,
        .unread_only = unread_parameter(request, &errors),
        .limit = page.limit,
    };
    if (before && after >= 0)
        problem_errors_add(&errors, "/before", "does not go with after");
    if (*page.cursor && !take_cursor(page.cursor, ret_wanted))
        problem_errors_add(&errors, "/cursor", "is not one of this list");
    return !problem_errors_answer(&errors, response);
}

static FIBER_FN void list(void *context, struct http_request *request, struct http_response *response)
{
    struct notifications *notifications = context;
    struct page_wanted wanted;
    if (!read_parameters(request, response, &wanted))
        return;
    struct notification *rows = arena_alloc(request->arena, (size_t)wanted.limit * sizeof *rows);
    int count = notifications_page(notifications->engines.database, &wanted, rows);
    if (count < 0) {
        problem_from_error(response, count, "listing notifications");
        return;
    }
    struct text *printed = arena_alloc(request->arena, (size_t)wanted.limit * sizeof *printed);
    for (int i = 0; i < count; i++)
        printed[i] = rows[i].json;
    struct text data = json_text_array(request->arena, printed, (size_t)count);
    const char *next = NULL;
    if (count == wanted.limit)
        next = arena_printf(request->arena, "%c%" PRId64, wanted.descending ? 'b' : 'a', rows[count - 1].seq);
    respond_bytes(response, 200, "application/json", json_text(request->arena, "jn", "data", &data, "next_cursor", next));
}

/* read and read-all take no body; {} is accepted. */
static bool no_body(struct http_request *request, struct http_response *response)
{
    json_t *body;
    struct problem_errors errors = {.arena = request->arena};
    if (!request_json(request, response, true, &body))
        return false;
    struct fields fields = fields_of(body, "", &errors);
    fields_done(&fields);
    return !problem_errors_answer(&errors, response);
}

static FIBER_FN void read_one(void *context, struct http_request *request, struct http_response *response)
{
    struct notifications *notifications = context;
    if (!no_body(request, response))
        return;
    int error = client_read(notifications, request->identity.user_id, request->parameters[0].at);
    if (error == -ENOENT)
        problem_not_found(response);
    else if (error)
        problem_from_error(response, error, "marking as read");
    else
        respond_empty(response, 204);
}

static FIBER_FN void read_all(void *context, struct http_request *request, struct http_response *response)
{
    struct notifications *notifications = context;
    const char *user_id = request->identity.user_id;
    int64_t up_to;
    if (!no_body(request, response))
        return;
    int error = notifications_read_all(notifications->engines.database, user_id, &up_to);
    if (error) {
        problem_from_error(response, error, "marking all as read");
        return;
    }
    struct text frame = json_text(request->arena, "si", "type", "read_all", "up_to", up_to);
    push_publish(notifications->engines.cache, &(struct push_event){.user_id = user_id, .frame = frame}, 1);
    respond_empty(response, 204);
}

static FIBER_FN void unread_count(void *context, struct http_request *request, struct http_response *response)
{
    struct notifications *notifications = context;
    struct standing standing;
    int error = notifications_standing(notifications->engines.database, request->identity.user_id, &standing);
    if (error)
        problem_from_error(response, error, "counting");
    else
        respond_json(response, 200, json_make(request->arena, "{s:I}", "count", (json_int_t)standing.unread));
}

static FIBER_FN void open_socket(void *context, struct http_request *request, struct http_response *response)
{
    struct problem_errors errors = {.arena = request->arena};
    int64_t after = number_parameter(request, "after", 0, -1, &errors);
    if (!problem_errors_answer(&errors, response))
        listener_accept(context, request, response, after);
}

const struct route notifications_routes[] = {
    {HTTP_GET, "/api/v1/notifications", ROUTE_USER, list},
    {HTTP_POST, "/api/v1/notifications/{id}/read", ROUTE_USER, read_one},
    {HTTP_POST, "/api/v1/notifications/read-all", ROUTE_USER, read_all},
    {HTTP_GET, "/api/v1/notifications/unread-count", ROUTE_USER, unread_count},
    {HTTP_GET, "/api/v1/notifications/ws", ROUTE_USER, open_socket},
    {HTTP_GET, "/internal/dead-letters", ROUTE_INTERNAL, dead_letters_list},
    {HTTP_POST, "/internal/dead-letters/{id}/retry", ROUTE_INTERNAL, dead_letters_retry},
    {HTTP_DELETE, "/internal/dead-letters/{id}", ROUTE_INTERNAL, dead_letters_drop},
    {.pattern = NULL},
};
