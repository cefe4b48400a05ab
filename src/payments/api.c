/* Payments over HTTP: their owners and admins see them, admins refund. A refund is accepted with its answer, in one transaction, and then made
 * at the provider before the answer leaves, if the provider is there; else a moment later. */
#include "base/clock.h"
#include "base/uuid.h"
#include "http/resource.h"
#include "messaging/keyed.h"
#include "payments/rules.h"
#include "payments/service.h"
#include "payments/settle.h"

#include <errno.h>
#include <inttypes.h>

#define AMOUNT_MAX INT64_C(9007199254740991)

/* As the API shows it; an accepted refund counts at once. */
static json_t *show(struct arena *arena, const struct payment *payment, const char *status)
{
    char created[TIME_TEXT_SIZE], updated[TIME_TEXT_SIZE];
    time_print(payment->created_at, created);
    time_print(payment->updated_at, updated);
    return json_make(arena, "{s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:s?, s:I, s:s, s:s}", "id", payment->id, "order_id", payment->order_id,
                     "user_id", payment->user_id, "amount", (json_int_t)payment->amount_minor, "currency", payment->currency, "status",
                     status, "payment_method", payment->method, "failure_code", payment->failure_code, "refunded_amount",
                     (json_int_t)payment->refunded_minor, "created_at", created, "updated_at", updated);
}

/* ---- reading ---- */

struct payment_read {
    const char *id;
    struct payment payment;
};

static int read_payment(struct transaction *tx, void *arg)
{
    struct payment_read *read = arg;
    return payments_store_payment(tx, read->id, false, &read->payment);
}

FIBER_FN void payments_get(void *context, struct http_request *request, struct http_response *response)
{
    struct payments *payments = context;
    struct payment_read read = {.id = request_id(request, response)};
    if (!read.id)
        return;
    int code = database_read_one(payments->database, read_payment, &read);
    if (code == -ENOENT || (code == 0 && !request_may_see(request, read.payment.user_id)))
        problem_not_found(response);
    else if (code < 0)
        problem_from_error(response, code, "reading a payment");
    else
        respond_json(response, 200, show(request->arena, &read.payment, read.payment.status));
}

struct list_read {
    struct payment_filter filter;
    struct payment *list;
    unsigned count;
};

static int read_list(struct transaction *tx, void *arg)
{
    struct list_read *read = arg;
    return payments_store_payments(tx, &read->filter, &read->list, &read->count);
}

FIBER_FN void payments_list(void *context, struct http_request *request, struct http_response *response)
{
    struct payments *payments = context;
    struct page page;
    struct problem_errors errors = {.arena = request->arena};
    const char *order_id = http_query(request, "order_id");
    request_id_page_errors(request, &errors, &page);
    if (order_id && !uuid_is_valid(order_id))
        problem_errors_add(&errors, "/order_id", "This is no id of an order.");
    if (problem_errors_answer(&errors, response))
        return;
    struct list_read read = {
        .filter = {.user_id = request_whose(request), .order_id = order_id, .cursor = page.cursor, .limit = page.limit + 1}};
    int code = database_read_one(payments->database, read_list, &read);
    if (code < 0) {
        problem_from_error(response, code, "listing payments");
        return;
    }
    json_t *list = json_make(request->arena, "[]");
    for (unsigned i = 0; i < read.count; i++)
        json_add(list, show(request->arena, &read.list[i], read.list[i].status));
    respond_page(response, list, page.limit);
}

/* ---- refunds ---- */

struct refunding {
    const char *payment_id;
    int64_t amount_minor; /* 0: all that is left */
    char refund_id[UUID_SIZE];
};

static int refund(struct transaction *tx, void *arg, struct http_response *answer)
{
    struct refunding *refunding = arg;
    struct payment payment;
    int code = refund_record(tx, refunding->payment_id, refunding->refund_id, refunding->amount_minor, "refunded by an administrator", &payment);
    if (code == -ENOENT)
        problem_not_found(answer);
    else if (code == -EPERM)
        problem(answer, 409, "conflict", "Only a payment that succeeded can be refunded.");
    else if (code == -EDOM)
        problem(answer, 409, "refund-too-large", "That is more than is left of the payment.");
    else if (code < 0)
        return code;
    else
        respond_json(answer, 201,
                     show(answer->arena, &payment, payment_status_after(payment.amount_minor, payment.refunded_minor)));
    return 0;
}

FIBER_FN void payments_refund(void *context, struct http_request *request, struct http_response *response)
{
    struct payments *payments = context;
    json_t *body;
    struct refunding refunding = {.payment_id = request_id(request, response)};
    if (!refunding.payment_id || !request_json(request, response, false, &body))
        return;
    struct problem_errors errors = {.arena = request->arena};
    struct fields fields = fields_of(body, "", &errors);
    refunding.amount_minor = field_integer(&fields, "amount", false, 1, AMOUNT_MAX, NULL);
    fields_done(&fields);
    if (problem_errors_answer(&errors, response))
        return;
    uuid_make(refunding.refund_id);
    if (keyed_transact(payments->database, request, response, refund, &refunding, "refunding a payment"))
        cashier_refund_here(payments->cashier, refunding.refund_id, request->trace ? request->trace->traceparent : NULL);
}

/* ---- the ledger ---- */

struct ledger_read {
    struct rows balances;
    int64_t unbalanced, difference;
};

static int read_ledger(struct transaction *tx, void *arg)
{
    struct ledger_read *read = arg;
    int code = payments_store_ledger_balances(tx, &read->balances);
    return code < 0 ? code : payments_store_ledger_faults(tx, &read->unbalanced, &read->difference);
}

/* One sum per currency: rows come sorted by it. True when all are zero. */
static bool sum_up(struct arena *arena, const struct rows *rows, json_t *sums, json_t *accounts)
{
    bool zero = true;
    for (unsigned i = 0; i < rows->count;) {
        int64_t sum = 0;
        const char *currency = rows_text(rows, i, 1);
        for (; i < rows->count && strcmp(rows_text(rows, i, 1), currency) == 0; i++) {
            int64_t balance = rows_integer(rows, i, 2);
            sum += balance;
            json_add(accounts, json_make(arena, "{s:s, s:s, s:I}", "account", rows_text(rows, i, 0), "currency", currency,
                                                  "balance", (json_int_t)balance));
        }
        json_add(sums, json_make(arena, "{s:s, s:I}", "currency", currency, "sum", (json_int_t)sum));
        zero &= sum == 0;
    }
    return zero;
}

FIBER_FN void payments_ledger(void *context, struct http_request *request, struct http_response *response)
{
    struct payments *payments = context;
    struct ledger_read read;
    int code = database_scan(payments->database, read_ledger, &read);
    if (code < 0) {
        problem_from_error(response, code, "checking the ledger");
        return;
    }
    char now[TIME_TEXT_SIZE];
    time_print(clock_wall_ms(), now);
    json_t *sums = json_make(request->arena, "[]"), *accounts = json_make(request->arena, "[]");
    bool zero = sum_up(request->arena, &read.balances, sums, accounts);
    respond_json(response, 200,
                 json_make(request->arena, "{s:b, s:O, s:O, s:s}", "balanced", zero && !read.unbalanced && !read.difference, "sums", sums,
                           "accounts", accounts, "checked_at", now));
}
