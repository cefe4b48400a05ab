/*
 * A callback is a second way to learn what the answer of a call has told already, most of the time: then it is only stored. One that tells
 * something new, because the answer was lost, makes the cashier ask the provider soon, by the same key: it is the provider's own answer that
 * settles a payment, so that nobody who learns the secret of the signatures can say that he has paid.
 */
#include "payments/callbacks.h"

#include "base/clock.h"
#include "base/settings.h"
#include "base/uuid.h"
#include "contracts/callbacks.h"
#include "http/problem.h"
#include "payments/service.h"

#include <errno.h>

#define ASK_AFTER_MS 500 /* the answer may be on its way still */

/* What an event is about. */
struct subject {
    const char *key; /* NULL: nothing of ours */
    bool is_refund;
};

static struct subject subject_of(const struct callback_event *event)
{
    const char *key = json_get_string(event->data, "key");
    return (struct subject){key && uuid_is_valid(key) ? key : NULL, strncmp(event->type, "refund.", strlen("refund.")) == 0};
}

/* 1 when our side has no end yet for it. Comes back with the answers to what was asked before. */
static int is_pending(struct transaction *tx, const struct subject *subject)
{
    struct payment payment;
    struct refund refund;
    if (!subject->key)
        return sql_settle(tx);
    int code = subject->is_refund ? payments_store_refund(tx, subject->key, &refund)
                                  : payments_store_payment(tx, subject->key, false, &payment);
    if (code < 0)
        return code == -ENOENT ? 0 : code;
    return strcmp(subject->is_refund ? refund.status : payment.status, "pending") == 0;
}

int callback_store(struct transaction *tx, void *arg)
{
    struct callback_event *event = arg;
    struct rows stored;
    struct subject subject = subject_of(event);
    int64_t due_at = clock_steady_ms() + ASK_AFTER_MS;
    payments_store_event_ask(tx, event->provider, event->id, event->body, &stored);
    int code = is_pending(tx, &subject);
    event->is_news = code == 1 && stored.count;
    if (!event->is_news)
        return code < 0 ? code : 0;
    return subject.is_refund ? payments_store_refund_hasten(tx, subject.key, due_at) : payments_store_payment_hasten(tx, subject.key, due_at);
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
    int code = database_transact(payments->database, callback_store, &event);
    if (code < 0) {
        problem_from_error(response, code, "storing a callback");
        return;
    }
    respond_empty(response, 204);
}
