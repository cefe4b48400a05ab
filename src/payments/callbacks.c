/*
 * Callbacks are a second way to learn what the answer of a call has told already, most of the time: then an event is only stored. One that tells
 * something new, because the answer was lost, is handled by the cashier's next round, through the same ends as an answer.
 */
#include "payments/callbacks.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/settings.h"
#include "base/uuid.h"
#include "contracts/callbacks.h"
#include "http/problem.h"
#include "payments/rules.h"
#include "payments/service.h"
#include "payments/settle.h"

#include <errno.h>

/* What an event says of one of our charges or refunds; NULL key: nothing that concerns us. */
struct news {
    const char *key;
    bool is_refund;
    struct provider_answer answer;
    int64_t amount_minor;
};

static struct news news_of(const char *type, const json_t *data)
{
    struct news news = {.key = json_get_string(data, "key"), .amount_minor = json_get_integer(data, "amount")};
    const char *failure = json_get_string(data, "failure_code");
    if (strcmp(type, "charge.succeeded") == 0)
        news.answer = (struct provider_answer){.verdict = PROVIDER_SUCCEEDED, .reference = json_get_string(data, "id")};
    else if (strcmp(type, "charge.failed") == 0)
        news.answer = (struct provider_answer){.verdict = PROVIDER_FAILED, .failure_code = failure ? failure : "declined"};
    else if (strcmp(type, "refund.succeeded") == 0)
        news.is_refund = true, news.answer.verdict = PROVIDER_SUCCEEDED;
    else
        news.key = NULL;
    if (news.key && !uuid_is_valid(news.key))
        news.key = NULL;
    return news;
}

/* 1 when our side has no end yet for what the event tells, 0 when it has or knows nothing of it. */
static int is_open(struct transaction *tx, const struct news *news)
{
    struct payment payment;
    struct refund refund;
    if (!news->key)
        return 0;
    int code = news->is_refund ? payments_store_refund(tx, news->key, &refund) : payments_store_payment(tx, news->key, false, &payment);
    if (code < 0)
        return code == -ENOENT ? 0 : code;
    int64_t amount_minor = news->is_refund ? refund.amount_minor : payment.amount_minor;
    const char *status = news->is_refund ? refund.status : payment.status;
    if (amount_minor != news->amount_minor) {
        log_error("a callback tells another amount than was asked for", "{s:s}", "key", news->key);
        return 0;
    }
    return strcmp(status, "pending") == 0;
}

int callback_store(struct transaction *tx, void *arg)
{
    struct callback_event *event = arg;
    struct news news = news_of(event->type, event->data);
    int open = is_open(tx, &news);
    if (open < 0)
        return open;
    int code = payments_store_event_insert(tx, event->provider, event->id, event->body, !open);
    event->is_new = code == 1;
    event->is_open = event->is_new && open;
    return code < 0 ? code : 0;
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
    if (event.is_open)
        cashier_wake(payments->cashier);
    respond_empty(response, 204);
}

/* ---- handling ---- */

struct handling {
    const char *provider, *id;
    struct text body;
};

static int handle(struct transaction *tx, void *arg)
{
    const struct handling *handling = arg;
    json_t *event;
    int code = json_parse(transaction_arena(tx), handling->body, &event, NULL);
    if (code < 0)
        return code;
    struct news news = news_of(json_get_string(event, "type"), json_object_get(event, "data"));
    int open = is_open(tx, &news);
    if (open > 0)
        open = news.is_refund ? refund_settle(tx, news.key, &news.answer, NULL) : charge_settle(tx, news.key, &news.answer, NULL);
    return open < 0 ? open : payments_store_event_handled(tx, handling->provider, handling->id);
}

static int read_new(struct transaction *tx, void *ret_rows)
{
    return payments_store_events_new(tx, ret_rows);
}

FIBER_FN void callbacks_handle(struct database *database)
{
    struct rows rows = {0};
    int code = database_read(database, read_new, &rows);
    for (unsigned i = 0; i < rows.count && code == 0; i++) {
        struct handling handling = {rows_text(&rows, i, 0), rows_text(&rows, i, 1), rows.cells[i * rows.columns + 2]};
        code = database_transact(database, handle, &handling);
    }
    if (code < 0 && code != -ECANCELED)
        log_warn("callbacks wait to be handled", "{s:i}", "code", code);
}
