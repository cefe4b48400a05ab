/*
 * A charge is asked for by its payment's id as key, again and again until the provider has an answer, for asking again is safe. When it was
 * asked and stayed silent, the outcome is unknown: after the setting payment_reconcile the provider is asked what came of the
 * key, and if nothing did, the key is cancelled there before the payment is said to have failed.
 */
#include "payments/cashier.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/settings.h"
#include "engines/wakeup.h"
#include "messaging/admission.h"
#include "messaging/commit_group.h"
#include "payments/rules.h"
#include "payments/settle.h"

#include <errno.h>
#include <stdlib.h>

#define UNDER_WAY_MAX 1024
#define TRIES_AT_ONCE 4
#define TRY_PAUSE_MS 25
#define ROUND_MS 1000

struct cashier {
    struct database *database;
    const struct provider *provider;
    struct commit_group *till; /* charges that have ended are written down together */
    unsigned under_way;
    struct job *jobs;
    bool stopping, swept;
    struct wakeup wakeup, room, ended;
};

/* One charge or refund at work; in its fiber's arena, which gives it up at the end. */
struct job {
    struct cashier *cashier;
    struct fiber *fiber;
    struct job *next, **place;
    struct payment payment; /* of a charge */
    const char *refund_id;  /* of a refund */
    const char *traceparent;
};

/* ---- a charge ---- */

struct delay {
    const char *id;
    bool is_unknown;
    int64_t due_at;
};

static int delay_charge(struct transaction *tx, void *arg)
{
    const struct delay *delay = arg;
    return payments_store_payment_postpone(tx, delay->id, delay->is_unknown, delay->due_at);
}

static bool is_final(enum provider_verdict verdict)
{
    return verdict == PROVIDER_SUCCEEDED || verdict == PROVIDER_FAILED || verdict == PROVIDER_CANCELLED;
}

/* Asks again while the provider says that it may be asked again, for a moment. */
static FIBER_FN struct provider_answer charge(const struct cashier *cashier, const struct payment *payment)
{
    int64_t began_ms = clock_mono_ms();
    const struct provider_charge wanted = {payment->id, payment->amount_minor, payment->currency, payment->method};
    struct provider_answer answer = provider_charge(cashier->provider, &wanted);
    for (int i = 0; i < TRIES_AT_ONCE && answer.verdict == PROVIDER_AGAIN && fiber_sleep(TRY_PAUSE_MS << i) == 0; i++)
        answer = provider_charge(cashier->provider, &wanted);
    if (payment->attempts == 1 && provider_is_elsewhere(cashier->provider))
        admission_away(clock_mono_ms() - began_ms);
    return answer;
}

static FIBER_FN struct provider_answer find_out(const struct cashier *cashier, const struct payment *payment)
{
    struct provider_answer answer = provider_query(cashier->provider, payment->id);
    return answer.verdict == PROVIDER_ABSENT ? provider_cancel(cashier->provider, payment->id) : answer;
}

static FIBER_FN void work_on_charge(struct job *job)
{
    const struct payment *payment = &job->payment;
    struct charge_end end = {.payment_id = payment->id, .traceparent = job->traceparent};
    end.answer = payment->is_unknown ? find_out(job->cashier, payment) : charge(job->cashier, payment);
    int code;
    if (is_final(end.answer.verdict)) {
        code = commit_group_run(job->cashier->till, &end);
    } else {
        bool unknown = payment->is_unknown || end.answer.verdict == PROVIDER_UNKNOWN;
        int64_t pause = unknown ? settings_duration_ms("payment_reconcile") : retry_pause_ms(payment->attempts);
        struct delay delay = {payment->id, unknown, clock_steady_ms() + pause};
        if (payment->attempts == 1)
            admission_dropped(payment->order_id); /* what comes of it now is the provider's time */
        code = database_transact(job->cashier->database, delay_charge, &delay);
        wakeup_ring(&job->cashier->wakeup);
    }
    if (code < 0 && code != -ECANCELED)
        log_warn("a payment's outcome could not be kept; it is asked for again", "{s:s, s:i}", "payment_id", payment->id, "code", code);
}

/* ---- a refund ---- */

struct refund_end {
    const char *id;
    struct provider_answer answer;
    const char *traceparent;
};

static int end_refund(struct transaction *tx, void *arg)
{
    const struct refund_end *end = arg;
    return refund_settle(tx, end->id, &end->answer, end->traceparent);
}

static int delay_refund(struct transaction *tx, void *arg)
{
    const struct delay *delay = arg;
    return payments_store_refund_postpone(tx, delay->id, delay->due_at);
}

struct refund_read {
    const char *id;
    struct refund refund;
    struct payment payment;
};

static int read_refund(struct transaction *tx, void *arg)
{
    struct refund_read *read = arg;
    int code = payments_store_refund(tx, read->id, &read->refund);
    return code < 0 ? code : payments_store_payment(tx, read->refund.payment_id, false, &read->payment);
}

static FIBER_FN struct provider_answer give_back(const struct cashier *cashier, const struct refund_read *read)
{
    struct provider_answer answer = {.verdict = PROVIDER_AGAIN};
    for (int i = 0; i < TRIES_AT_ONCE && answer.verdict == PROVIDER_AGAIN; i++) {
        if (i > 0 && fiber_sleep(TRY_PAUSE_MS << i) < 0)
            break;
        answer = provider_refund(cashier->provider, read->id, read->payment.provider_ref, read->refund.amount_minor);
    }
    return answer;
}

FIBER_FN void cashier_refund_here(struct cashier *cashier, const char *refund_id, const char *traceparent)
{
    struct refund_read read = {.id = refund_id};
    int code = database_read(cashier->database, read_refund, &read);
    /* Where nothing was left to give back there is no refund. */
    if (code < 0 || strcmp(read.refund.status, "pending") != 0)
        return;
    struct refund_end end = {.id = refund_id, .traceparent = traceparent, .answer = give_back(cashier, &read)};
    if (is_final(end.answer.verdict)) {
        code = database_transact(cashier->database, end_refund, &end);
    } else {
        /* Silence or not: the same key is asked for again, and moves money once. */
        struct delay delay = {.id = refund_id, .due_at = clock_steady_ms() + retry_pause_ms(read.refund.attempts)};
        code = database_transact(cashier->database, delay_refund, &delay);
        wakeup_ring(&cashier->wakeup);
    }
    if (code < 0 && code != -ECANCELED)
        log_warn("a refund's outcome could not be kept; it is asked for again", "{s:s, s:i}", "refund_id", refund_id, "code", code);
}

/* ---- jobs ---- */

static void job_end(void *arg)
{
    struct job *job = arg;
    struct cashier *cashier = job->cashier;
    *job->place = job->next;
    if (job->next)
        job->next->place = job->place;
    cashier->under_way--;
    wakeup_ring(&cashier->room);
    if (!cashier->under_way)
        wakeup_ring(&cashier->ended);
}

static FIBER_FN void job_run(void *arg)
{
    struct job *job = arg;
    job->fiber = fiber_self();
    if (job->refund_id)
        cashier_refund_here(job->cashier, job->refund_id, job->traceparent);
    else
        work_on_charge(job);
}

static void job_start(struct cashier *cashier, const struct payment *payment, const char *refund_id, const char *traceparent)
{
    struct arena *arena = arena_new();
    struct job *job = arena ? arena_alloc(arena, sizeof *job) : NULL;
    if (!job)
        return; /* it is due later */
    *job = (struct job){
        .cashier = cashier,
        .refund_id = arena_strdup(arena, refund_id),
        .traceparent = arena_strdup(arena, traceparent),
        .next = cashier->jobs,
        .place = &cashier->jobs,
    };
    if (payment) {
        job->payment = *payment;
        job->payment.id = arena_strdup(arena, payment->id);
        job->payment.order_id = arena_strdup(arena, payment->order_id);
        job->payment.currency = arena_strdup(arena, payment->currency);
        job->payment.method = arena_strdup(arena, payment->method);
    }
    if (job->next)
        job->next->place = &job->next;
    cashier->jobs = job;
    cashier->under_way++;
    arena_defer(arena, job_end, job);
    struct fiber *fiber;
    struct fiber_options options = {.name = "payments.cashier", .run = job_run, .arg = job, .arena = arena};
    if (fiber_start_with(&options, &fiber) < 0)
        arena_free(arena);
}

static FIBER_FN void wait_for_room(struct cashier *cashier)
{
    while (cashier->under_way >= UNDER_WAY_MAX && !cashier->stopping)
        if (wakeup_wait(&cashier->room, 0) == -ECANCELED)
            return;
}

FIBER_FN void cashier_charge(struct cashier *cashier, const struct payment *payment, const char *traceparent)
{
    wait_for_room(cashier);
    if (!cashier->stopping)
        job_start(cashier, payment, NULL, traceparent);
}

FIBER_FN void cashier_refund(struct cashier *cashier, const char *refund_id, const char *traceparent)
{
    wait_for_room(cashier);
    if (!cashier->stopping)
        job_start(cashier, NULL, refund_id, traceparent);
}

/* ---- rounds ---- */

struct claim {
    int64_t now, next_due_at;
    struct payment *payments;
    struct refund *refunds;
    unsigned payment_count, refund_count;
};

static int claim_due(struct transaction *tx, void *arg)
{
    struct claim *claim = arg;
    int code = payments_store_payments_claim(tx, claim->now, claim->next_due_at, &claim->payments, &claim->payment_count);
    return code < 0 ? code : payments_store_refunds_claim(tx, claim->now, claim->next_due_at, &claim->refunds, &claim->refund_count);
}

static int read_next_due(struct transaction *tx, void *ret_due_at)
{
    return payments_store_next_due(tx, ret_due_at);
}

static FIBER_FN void round_of(void *arg)
{
    struct cashier *cashier = arg;
    int64_t due_at = INT64_MAX;
    cashier->swept = true;
    if (database_read_one(cashier->database, read_next_due, &due_at) < 0 || due_at > clock_steady_ms())
        return;
    struct claim claim = {.now = clock_steady_ms(), .next_due_at = due_after_call()};
    if (database_transact(cashier->database, claim_due, &claim) < 0)
        return;
    for (unsigned i = 0; i < claim.payment_count; i++)
        job_start(cashier, &claim.payments[i], NULL, NULL);
    for (unsigned i = 0; i < claim.refund_count; i++)
        job_start(cashier, NULL, claim.refunds[i].id, NULL);
    cashier->swept = claim.payment_count + claim.refund_count == 0;
}

/* Nobody else has the data of an embedded engine; in a cluster the claims of an instance that died end by themselves. A time that is further
 * away than any pause was written before the clock was set back. */
static int make_due(struct transaction *tx, void *unused)
{
    int64_t latest = clock_steady_ms() + 2 * (settings_duration_ms("payment_reconcile") + due_after_call() - clock_steady_ms());
    int code = database_is_postgres(transaction_database(tx)) ? 0 : payments_store_make_due(tx);
    return code < 0 ? code : payments_store_bring_near(tx, latest);
}

static FIBER_FN void run(void *arg)
{
    struct cashier *cashier = arg;
    database_transact(cashier->database, make_due, NULL);
    while (!cashier->stopping) {
        if (cashier->under_way < UNDER_WAY_MAX / 2 && fiber_run_apart("payments.cashier round", round_of, cashier) < 0)
            cashier->swept = true;
        if (cashier->swept || cashier->under_way >= UNDER_WAY_MAX / 2)
            wakeup_wait(&cashier->wakeup, clock_mono_ms() + ROUND_MS / 4);
    }
    if (--cashier->under_way == 0)
        wakeup_ring(&cashier->ended);
}

int cashier_start(struct database *database, const struct provider *provider, struct cashier **ret_cashier)
{
    struct cashier *cashier = calloc(1, sizeof *cashier);
    if (!cashier)
        return -ENOMEM;
    cashier->database = database;
    cashier->provider = provider;
    cashier->under_way = 1; /* the rounds */
    cashier->till = commit_group_new(database, charges_settle);
    if (!cashier->till || fiber_start("payments.cashier", run, cashier) < 0) {
        commit_group_free(cashier->till);
        free(cashier);
        return -ENOMEM;
    }
    *ret_cashier = cashier;
    return 0;
}

FIBER_FN void cashier_stop(struct cashier *cashier)
{
    cashier->stopping = true;
    wakeup_ring(&cashier->wakeup);
    wakeup_ring(&cashier->room);
    for (struct job *job = cashier->jobs; job; job = job->next)
        if (job->fiber)
            fiber_cancel(job->fiber);
    while (cashier->under_way)
        wakeup_wait_uninterrupted(&cashier->ended);
    commit_group_free(cashier->till);
    free(cashier);
}
