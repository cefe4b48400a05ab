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

static int compare_events(const void *a, const void *b)
{
    const struct callback_event *x = *(struct callback_event *const *)a, *y = *(struct callback_event *const *)b;
    return strcmp(x->id, y->id);
}

static struct provider_event told_by(const struct callback_event *event)
{
    const char *key = json_get_string(event->data, "key");
    return (struct provider_event){
        .id = event->id,
        .body = event->body,
        .key = key && uuid_is_valid(key) ? key : NULL,
        .is_refund = strncmp(event->type, "refund.", strlen("refund.")) == 0,
    };
}

static int hasten(struct transaction *tx, const struct provider_event *event)
{
    int64_t due_at = clock_steady_ms() + ASK_AFTER_MS;
    return event->is_refund ? payments_store_refund_hasten(tx, event->key, due_at) : payments_store_payment_hasten(tx, event->key, due_at);
}

/* The same events may be stored by another process at the same time, so all do that in one order. */
int callbacks_store(struct transaction *tx, void *const *items, unsigned count)
{
    struct arena *arena = transaction_arena(tx);
    struct callback_event **sorted = arena_alloc(arena, sizeof *sorted * count);
    struct provider_event *list = arena_alloc(arena, sizeof *list * count);
    memcpy(sorted, items, sizeof *sorted * count);
    qsort(sorted, count, sizeof *sorted, compare_events);
    for (unsigned i = 0; i < count; i++)
        list[i] = told_by(sorted[i]);
    int code = payments_store_events(tx, sorted[0]->provider, list, count);
    for (unsigned i = 0; i < count && code == 0; i++) {
        sorted[i]->is_news = list[i].is_news;
        if (list[i].is_news)
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
