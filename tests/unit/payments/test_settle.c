/* Payments, refunds and the ledger on a real database, sixteen at once: whatever comes together, money moves once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "engines/on_database.h"
#include "payments/callbacks.h"
#include "payments/settle.h"

#include <errno.h>

static char payment_id[UUID_SIZE], order_id[UUID_SIZE], user_id[UUID_SIZE];

static int record(struct transaction *tx, void *id)
{
    const struct payment_request request = {
        .payment_id = id,
        .order_id = order_id,
        .user_id = user_id,
        .amount_minor = 1000,
        .currency = "EUR",
        .payment_method = "pm_card_visa",
    };
    const struct payment_request *list[] = {&request};
    return charges_record(tx, list, 1);
}

static int settle(struct transaction *tx, void *answer)
{
    struct charge_end end = {payment_id, *(struct provider_answer *)answer, NULL};
    void *list[] = {&end};
    return charges_settle(tx, list, 1);
}

static struct provider_answer taken = {.verdict = PROVIDER_SUCCEEDED, .reference = "ch_1"};
static struct provider_answer declined = {.verdict = PROVIDER_FAILED, .failure_code = "card_declined"};
static struct provider_answer cancelled = {.verdict = PROVIDER_CANCELLED};

/* A payment of an order of its own, in a currency of its own. */
static void begin(void)
{
    uuid_make(payment_id);
    uuid_make(order_id);
    uuid_make(user_id);
    must(database_transact(test_database, record, payment_id), "record");
}

static void books_balance(void)
{
    assert_int_equal(number("SELECT coalesce(sum(amount), 0) FROM ledger_entries"), 0);
    assert_int_equal(number("SELECT count(*) FROM (SELECT transaction_id FROM ledger_entries GROUP BY transaction_id HAVING sum(amount) <> 0) AS x"),
                     0);
    assert_int_equal(number("SELECT (SELECT coalesce(sum(amount - settled), 0) FROM payments WHERE status <> 'pending' AND status <> 'failed')"
                            " + (SELECT coalesce(sum(amount), 0) FROM ledger_entries WHERE account = 'provider')"),
                     0);
}

static struct payment payment_now(void);

static void one_order_has_one_live_payment(void)
{
    char ids[RACERS][UUID_SIZE];
    struct racer racers[RACERS];
    uuid_make(order_id);
    uuid_make(user_id);
    for (unsigned i = 0; i < RACERS; i++) {
        uuid_make(ids[i]);
        racers[i] = (struct racer){record, ids[i], 0};
    }
    int64_t before = number("SELECT count(*) FROM payments");
    assert_int_equal(race(racers, RACERS), 1);
    for (unsigned i = 0; i < RACERS; i++)
        assert_true(racers[i].code == 0 || racers[i].code == -EBADMSG);
    assert_int_equal(number("SELECT count(*) FROM payments"), before + 1);
    /* The same request again is no second payment. */
    begin();
    assert_int_equal(database_transact(test_database, record, payment_id), 0);
    assert_int_equal(number("SELECT count(*) FROM payments"), before + 2);
    /* After a failure another one may follow. */
    char next[UUID_SIZE];
    must(database_transact(test_database, settle, &declined), "settle");
    uuid_make(next);
    assert_int_equal(database_transact(test_database, record, next), 0);
}

static void a_charge_ends_once(void)
{
    struct racer racers[RACERS];
    begin();
    int64_t entries = number("SELECT count(*) FROM ledger_entries"), replies = number("SELECT count(*) FROM outbox_queue");
    for (unsigned i = 0; i < RACERS; i++)
        racers[i] = (struct racer){settle, &taken, 0};
    assert_int_equal(race(racers, RACERS), RACERS);
    assert_int_equal(number("SELECT count(*) FROM ledger_entries"), entries + 2);
    assert_int_equal(number("SELECT count(*) FROM outbox_queue"), replies + 1);
    assert_string_equal(payment_now().status, "succeeded");
    books_balance();
}

static void contradicting_ends_settle_on_one(void)
{
    struct provider_answer *answers[] = {&taken, &declined, &cancelled, &taken};
    for (unsigned round = 0; round < 4; round++) {
        struct racer racers[RACERS];
        begin();
        int64_t replies = number("SELECT count(*) FROM outbox_queue");
        for (unsigned i = 0; i < RACERS; i++)
            racers[i] = (struct racer){settle, answers[(i + round) % 4], 0};
        assert_int_equal(race(racers, RACERS), RACERS);
        assert_int_equal(number("SELECT count(*) FROM outbox_queue"), replies + 1);
        const char *status = payment_now().status;
        assert_true(strcmp(status, "succeeded") == 0 || strcmp(status, "failed") == 0);
        books_balance();
    }
}

#define BATCH 12

static char batch_ids[BATCH][UUID_SIZE];
static unsigned batch_runs;

/* The same charges, from the first or from the last on. */
static int settle_batch(struct transaction *tx, void *from_last)
{
    struct charge_end ends[BATCH];
    void *list[BATCH];
    batch_runs++;
    for (unsigned i = 0; i < BATCH; i++) {
        ends[i] = (struct charge_end){batch_ids[from_last ? BATCH - 1 - i : i], taken, NULL};
        list[i] = &ends[i];
    }
    return charges_settle(tx, list, BATCH);
}

/* Batches that have the same charges, in whatever order, wait for each other and never crosswise: no transaction is run twice. */
static void batches_settle_once_and_never_deadlock(void)
{
    struct racer racers[RACERS];
    int64_t entries = number("SELECT count(*) FROM ledger_entries"), facts = number("SELECT count(*) FROM outbox_stream");
    for (unsigned i = 0; i < BATCH; i++) {
        begin();
        memcpy(batch_ids[i], payment_id, UUID_SIZE);
    }
    batch_runs = 0;
    for (unsigned i = 0; i < RACERS; i++)
        racers[i] = (struct racer){settle_batch, i % 2 ? batch_ids : NULL, 0};
    assert_int_equal(race(racers, RACERS), RACERS);
    assert_int_equal(batch_runs, RACERS);
    assert_int_equal(number("SELECT count(*) FROM ledger_entries"), entries + 2 * BATCH);
    assert_int_equal(number("SELECT count(*) FROM outbox_stream"), facts + BATCH);
    books_balance();
}

struct payment_read {
    struct payment payment;
};

static int read_payment(struct transaction *tx, void *arg)
{
    struct payment_read *read = arg;
    return payments_store_payment(tx, payment_id, false, &read->payment);
}

static struct payment payment_now(void)
{
    struct payment_read read;
    must(database_transact(test_database, read_payment, &read), "read");
    return read.payment;
}

struct wanted_refund {
    char id[UUID_SIZE];
    int64_t amount;
    struct provider_answer answer;
};

static int ask_refund(struct transaction *tx, void *arg)
{
    struct wanted_refund *wanted = arg;
    return refund_record(tx, payment_id, wanted->id, wanted->amount, "test", NULL);
}

static int end_refund(struct transaction *tx, void *arg)
{
    struct wanted_refund *wanted = arg;
    return refund_settle(tx, wanted->id, &wanted->answer, NULL);
}

static void refunds_never_exceed_what_was_captured(void)
{
    struct racer racers[RACERS];
    struct wanted_refund wanted[RACERS];
    begin();
    must(database_transact(test_database, settle, &taken), "settle");
    for (unsigned i = 0; i < RACERS; i++) {
        wanted[i] = (struct wanted_refund){.amount = 300, .answer = taken};
        uuid_make(wanted[i].id);
        racers[i] = (struct racer){ask_refund, &wanted[i], 0};
    }
    assert_int_equal(race(racers, RACERS), 3);
    struct payment payment = payment_now();
    assert_int_equal(payment.refunded_minor, 900);
    assert_int_equal(payment.settled_minor, 0);
    /* Each accepted one is made by the provider, and told of, once. */
    for (unsigned i = 0; i < RACERS; i++)
        racers[i].body = end_refund;
    race(racers, RACERS);
    race(racers, RACERS);
    payment = payment_now();
    assert_int_equal(payment.settled_minor, 900);
    assert_string_equal(payment.status, "partially_refunded");
    books_balance();
    /* All the rest, asked for sixteen times at once. */
    for (unsigned i = 0; i < RACERS; i++) {
        wanted[i].amount = 0;
        uuid_make(wanted[i].id);
        racers[i] = (struct racer){ask_refund, &wanted[i], 0};
    }
    race(racers, RACERS);
    assert_int_equal(payment_now().refunded_minor, 1000);
    for (unsigned i = 0; i < RACERS; i++)
        racers[i].body = end_refund;
    race(racers, RACERS);
    assert_string_equal(payment_now().status, "refunded");
    books_balance();
}

/* The rule lets nothing through, and behind it the database itself holds the line. */
static int refund_past_the_rule(struct transaction *tx, void *arg)
{
    struct wanted_refund *wanted = arg;
    const struct refund refund = {.id = wanted->id, .payment_id = payment_id, .amount_minor = wanted->amount};
    int code = payments_store_refund_insert(tx, &refund, 0);
    return code < 0 ? code : 0;
}

static void the_database_itself_refuses_too_large_refunds(void)
{
    struct wanted_refund wanted = {.amount = 1001};
    begin();
    uuid_make(wanted.id);
    assert_int_equal(database_transact(test_database, refund_past_the_rule, &wanted), -EEXIST); /* not captured */
    must(database_transact(test_database, settle, &taken), "settle");
    assert_int_equal(database_transact(test_database, refund_past_the_rule, &wanted), -EEXIST);
    wanted.amount = 1000;
    assert_int_equal(database_transact(test_database, refund_past_the_rule, &wanted), 0);
    books_balance();
}

static void a_refused_refund_can_be_asked_for_again(void)
{
    struct wanted_refund wanted = {.amount = 1000, .answer = {.verdict = PROVIDER_FAILED}};
    begin();
    must(database_transact(test_database, settle, &taken), "settle");
    uuid_make(wanted.id);
    must(database_transact(test_database, ask_refund, &wanted), "ask");
    must(database_transact(test_database, end_refund, &wanted), "end");
    assert_int_equal(payment_now().refunded_minor, 0);
    assert_string_equal(payment_now().status, "succeeded");
    uuid_make(wanted.id);
    wanted.answer = taken;
    must(database_transact(test_database, ask_refund, &wanted), "ask");
    must(database_transact(test_database, end_refund, &wanted), "end");
    assert_string_equal(payment_now().status, "refunded");
    books_balance();
}

/* ---- callbacks ---- */

static struct callback_event callback(const char *id, const char *type, int64_t amount)
{
    struct arena *arena = fiber_arena();
    json_t *data = json_make(arena, "{s:s, s:s, s:I}", "id", "ch_1", "key", payment_id, "amount", (json_int_t)amount);
    json_t *body = json_make(arena, "{s:s, s:s, s:O}", "id", id, "type", type, "data", data);
    struct callback_event event = {.provider = "sandbox", .id = id, .type = type, .data = data};
    event.body.at = json_print(arena, body, &event.body.size);
    return event;
}

static int store_callback(struct transaction *tx, void *event)
{
    return callbacks_store(tx, &event, 1);
}

static void a_callback_is_stored_once_and_races_the_answer(void)
{
    struct callback_event events[RACERS];
    struct racer racers[RACERS];
    begin();
    int64_t before = number("SELECT count(*) FROM provider_events"), replies = number("SELECT count(*) FROM outbox_queue");
    for (unsigned i = 0; i < RACERS; i++) {
        events[i] = callback(payment_id, "charge.succeeded", 1000);
        racers[i] = i % 2 ? (struct racer){store_callback, &events[i], 0} : (struct racer){settle, &taken, 0};
    }
    assert_int_equal(race(racers, RACERS), RACERS);
    unsigned news = 0;
    for (unsigned i = 1; i < RACERS; i += 2)
        news += events[i].is_news;
    assert_true(news <= 1);
    assert_int_equal(number("SELECT count(*) FROM provider_events"), before + 1);
    assert_int_equal(number("SELECT count(*) FROM outbox_queue"), replies + 1);
    assert_string_equal(payment_now().status, "succeeded");
    books_balance();
}

static int claim_soon(struct transaction *tx, void *ret_count)
{
    struct payment *list;
    int64_t soon = clock_wall_ms() + 2000;
    return payments_store_payments_claim(tx, soon, soon + 60000, &list, ret_count);
}

/* Whoever can sign, and says that a payment succeeded, makes the provider be asked: not more. */
static void a_callback_alone_settles_nothing(void)
{
    unsigned due;
    begin();
    struct callback_event event = callback(order_id, "charge.succeeded", 1000);
    do
        must(database_transact(test_database, claim_soon, &due), "claim");
    while (due);
    must(database_transact(test_database, store_callback, &event), "store");
    assert_true(event.is_news);
    assert_string_equal(payment_now().status, "pending");
    must(database_transact(test_database, claim_soon, &due), "claim");
    assert_int_equal(due, 1);
    must(database_transact(test_database, settle, &taken), "settle");
    books_balance();
}

static void all(void)
{
    one_order_has_one_live_payment();
    a_charge_ends_once();
    contradicting_ends_settle_on_one();
    batches_settle_once_and_never_deadlock();
    refunds_never_exceed_what_was_captured();
    the_database_itself_refuses_too_large_refunds();
    a_refused_refund_can_be_asked_for_again();
    a_callback_is_stored_once_and_races_the_answer();
    a_callback_alone_settles_nothing();
}

static void money_moves_once(void **state)
{
    on_database("payments", all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(money_moves_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
