/*
 * A callback is a second way to learn what the answer of a call has told already, most of the time: then it is only stored, with others that
 * come at the same time. One that tells
 * something new, because the answer was lost, makes the cashier ask the provider soon, by the same key: it is the provider's own answer that
 * settles a payment, so that nobody who learns the secret of the signatures can say that he has paid.
 */
#include "payments/callbacks.h"

#include "base/clock.h"
#include "base/settings.h"
#include "base/uuid.h"
#include "contracts/callbacks.h"
#include "http/problem.h"
#include "messaging/commit_group.h"
#include "payments/service.h"

#include <stdlib.h>

#define ASK_AFTER_MS 500 /* the answer may be on its way still */

/* An event, and what it is about. */
struct told {
    struct callback_event *event;
    const char *key; /* NULL: nothing of ours */
    bool is_refund;
    struct rows stored, pending;
};

static struct told told_of(struct callback_event *event)
{
    const char *key = json_get_string(event->data, "key");
    return (struct told){event, key && uuid_is_valid(key) ? key : NULL, strncmp(event->type, "refund.", strlen("refund.")) == 0};
}

static int compare_events(const void *a, const void *b)
{
    return strcmp(((const struct told *)a)->event->id, ((const struct told *)b)->event->id);
}

/* The same events may be stored by another process at the same time, so all do that in one order. */
static struct told *sorted(struct transaction *tx, void *const *events, unsigned count)
{
    struct told *list = arena_alloc(transaction_arena(tx), sizeof *list * count);
    for (unsigned i = 0; i < count; i++)
        list[i] = told_of(events[i]);
    qsort(list, count, sizeof *list, compare_events);
    return list;
}

static int hasten(struct transaction *tx, const struct told *told)
{
    int64_t due_at = clock_steady_ms() + ASK_AFTER_MS;
    return told->is_refund ? payments_store_refund_hasten(tx, told->key, due_at) : payments_store_payment_hasten(tx, told->key, due_at);
}

int callbacks_store(struct transaction *tx, void *const *events, unsigned count)
{
    struct told *list = sorted(tx, events, count);
    for (unsigned i = 0; i < count; i++) {
        payments_store_event_ask(tx, list[i].event->provider, list[i].event->id, list[i].event->body, &list[i].stored);
        if (list[i].key)
            payments_store_pending_ask(tx, list[i].key, list[i].is_refund, &list[i].pending);
    }
    int code = sql_settle(tx);
    for (unsigned i = 0; i < count && code == 0; i++) {
        list[i].event->is_news = list[i].stored.count && list[i].pending.count;
        if (list[i].event->is_news)
            code = hasten(tx, &list[i]);
    }
    return code;
}

static bool read_event(struct http_request *request, struct http_response *response, struct callback_event *event)
{
    json_t *body;
    if (!request_json(request, response, false, &body))
        return false;
    struct problem_errors errors = {.arena = request->arena};
    struct fields fields = fields_of(body, "", &errors);
    event->id = field_string(&fields, "id", true, 1, 255);
    event->type = field_string(&fields, "type", true, 1, 255);
    event->data = field_object(&fields, "data", true);
    event->body = request->body;
    return !problem_errors_answer(&errors, response);
}

FIBER_FN void callbacks_receive(void *context, struct http_request *request, struct http_response *response)
{
    struct payments *payments = context;
    struct callback_event event = {.provider = provider_name(payments->provider)};
    struct text signature = http_header(&request->headers, CALLBACK_SIGNATURE_HEADER);
    if (!text_equal(request->parameters[0], text_of(event.provider))) {
        problem_not_found(response);
        return;
    }
    if (!signature.at || callback_verify(settings_text("callback_secret"), clock_wall_ms() / 1000, signature, request->body) < 0) {
        problem_unauthorized(response, NULL, "The signature is not the provider's, or too old.");
        return;
    }
    if (!read_event(request, response, &event))
        return;
    int code = commit_group_run(payments->callbacks, &event);
    if (code < 0) {
        problem_from_error(response, code, "storing a callback");
        return;
    }
    respond_empty(response, 204);
}
