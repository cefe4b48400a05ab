/*
 * The two ends of every movement of money. A charge moves its amount from the provider's account to `captured`; a refund moves it back
 * through `refunded`; so the ledger sums to zero after every transaction, and its primary key holds each movement to one entry.
 */
#include "payments/settle.h"

#include "base/clock.h"
#include "base/json_text.h"
#include "base/log.h"
#include "base/settings.h"
#include "contracts/names.h"
#include "messaging/outbox.h"
#include "payments/rules.h"

#include <errno.h>
#include <stdlib.h>

#define CALL_MARGIN_MS 5000

int64_t due_after_call(void)
{
    return clock_steady_ms() + settings_duration_ms("payment_timeout") + CALL_MARGIN_MS;
}

/* To the order service: how the payment stands now. */
static int reply(struct transaction *tx, const char *action, const struct payment *payment, const char *traceparent)
{
    const struct payment_processed processed = {
        .action = action,
        .payment_id = payment->id,
        .order_id = payment->order_id,
        .user_id = payment->user_id,
        .status = payment->status,
        .failure_code = payment->failure_code,
        .amount_minor = payment->amount_minor,
        .refunded_minor = payment->settled_minor,
        .currency = payment->currency,
    };
    struct outbox_entry entry = {
        .kind = OUTBOX_QUEUE,
        .destination = QUEUE_PAYMENT_PROCESSED,
        .key = payment->user_id,
        .correlation_id = payment->id,
        .event =
            {
                .source = SOURCE_PAYMENTS,
                .type = EVENT_PAYMENT_PROCESSED,
                .subject = payment->id,
                .traceparent = traceparent,
                .sequence = payment->sequence,
                .data = payment_processed_encode(transaction_arena(tx), &processed),
            },
    };
    return outbox_add(tx, &entry);
}

/* To everybody. `amount_minor` is what was moved now; a refund says what was given back in all, too. */
static int announce(struct transaction *tx, const char *type, const struct payment *payment, int64_t amount_minor, bool is_refund,
                    const char *traceparent)
{
    struct text data = json_text(transaction_arena(tx), "sssissp", "payment_id", payment->id, "order_id", payment->order_id, "user_id",
                                 payment->user_id, "amount", amount_minor, "currency", payment->currency, "failure_code",
                                 payment->failure_code, "refunded_amount", is_refund ? payment->settled_minor : 0);
    struct outbox_entry entry = {
        .kind = OUTBOX_STREAM,
        .destination = TOPIC_PAYMENTS,
        .key = payment->user_id,
        .event = {.source = SOURCE_PAYMENTS,
                  .type = type,
                  .subject = payment->id,
                  .traceparent = traceparent,
                  .sequence = payment->sequence,
                  .data = data},
    };
    return outbox_add(tx, &entry);
}

int charges_record(struct transaction *tx, const struct payment_request *const *list, unsigned count)
{
    struct payment *payments = arena_alloc(transaction_arena(tx), sizeof *payments * (count + 1));
    for (unsigned i = 0; i < count; i++)
        payments[i] = (struct payment){
            .id = list[i]->payment_id,
            .order_id = list[i]->order_id,
            .user_id = list[i]->user_id,
            .amount_minor = list[i]->amount_minor,
            .currency = list[i]->currency,
            .method = list[i]->payment_method,
        };
    int code = payments_store_payments_insert(tx, payments, count, due_after_call());
    return code == -EEXIST ? -EBADMSG : code;
}

/* ---- the ends of charges ---- */

static bool has_succeeded(const struct charge_end *end)
{
    return end->answer.verdict == PROVIDER_SUCCEEDED;
}

static int compare_ends(const void *a, const void *b)
{
    const struct charge_end *x = *(struct charge_end *const *)a, *y = *(struct charge_end *const *)b;
    return strcmp(x->payment_id, y->payment_id);
}

static struct payment_end end_of(const struct charge_end *end)
{
    bool succeeded = has_succeeded(end);
    return (struct payment_end){
        .id = end->payment_id,
        .status = succeeded ? "succeeded" : "failed",
        .failure_code = succeeded                                   ? NULL
                        : end->answer.verdict == PROVIDER_CANCELLED ? "timeout"
                                                                    : end->answer.failure_code,
        .provider_ref = succeeded ? end->answer.reference : NULL,
    };
}

/* What follows from an end: the ledger's entries, and what others hear. */
static int conclude(struct transaction *tx, const struct charge_end *end, const struct payment *payment)
{
    bool succeeded = has_succeeded(end);
    int code =
        succeeded ? payments_store_ledger_move(tx, payment->id, "provider", "captured", payment->currency, payment->amount_minor) : 0;
    if (code == 0)
        code = reply(tx, "charge", payment, end->traceparent);
    if (code == 0)
        code = announce(tx, succeeded ? EVENT_PAYMENT_SUCCEEDED : EVENT_PAYMENT_FAILED, payment, payment->amount_minor, false,
                        end->traceparent);
    return code;
}

int charges_settle(struct transaction *tx, void *const *items, unsigned count)
{
    struct arena *arena = transaction_arena(tx);
    const struct charge_end **sorted = arena_alloc(arena, sizeof *sorted * (count + 1));
    struct payment_end *ends = arena_alloc(arena, sizeof *ends * (count + 1));
    struct payment *payments = arena_alloc(arena, sizeof *payments * (count + 1));
    memcpy(sorted, items, sizeof *sorted * count);
    qsort(sorted, count, sizeof *sorted, compare_ends);
    for (unsigned i = 0; i < count; i++)
        ends[i] = end_of(sorted[i]);
    int code = payments_store_payments_settle(tx, ends, count, payments);
    for (unsigned i = 0; i < count && code == 0; i++)
        if (payments[i].id)
            code = conclude(tx, sorted[i], &payments[i]);
    return code;
}

/* ---- refunds ---- */

int refund_record(struct transaction *tx, const char *payment_id, const char *refund_id, int64_t amount_minor, const char *reason,
                  struct payment *ret_payment)
{
    struct payment payment;
    struct refund refund = {.id = refund_id, .payment_id = payment_id, .reason = reason};
    int code = payments_store_payment(tx, payment_id, true, &payment);
    if (code == 0)
        code = refund_amount(payment.status, payment.amount_minor, payment.refunded_minor, amount_minor, &refund.amount_minor);
    if (code < 0)
        return code;
    if (refund.amount_minor > 0) {
        code = payments_store_refund_insert(tx, &refund, due_after_call());
        if (code < 0)
            return code == -EEXIST ? -EDOM : code;
        payment.refunded_minor += code * refund.amount_minor;
    }
    if (ret_payment)
        *ret_payment = payment;
    return 0;
}

int refund_settle(struct transaction *tx, const char *refund_id, const struct provider_answer *answer, const char *traceparent)
{
    struct refund refund;
    struct payment payment;
    if (answer->verdict != PROVIDER_SUCCEEDED) {
        log_error("the provider refused a refund", "{s:s}", "refund_id", refund_id);
        return payments_store_refund_fail(tx, refund_id);
    }
    int code = payments_store_refund_settle(tx, refund_id, &refund, &payment);
    if (code <= 0)
        return code;
    code = payments_store_ledger_move(tx, refund.id, "refunded", "provider", payment.currency, refund.amount_minor);
    if (code == 0)
        code = reply(tx, "refund", &payment, traceparent);
    return code == 0 ? announce(tx, EVENT_PAYMENT_REFUNDED, &payment, refund.amount_minor, true, traceparent) : code;
}
