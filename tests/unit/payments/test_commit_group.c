/* Work that shares commits, here charges that end at once: each has an outcome of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/uuid.h"
#include "engines/on_database.h"
#include "messaging/commit_group.h"
#include "payments/settle.h"

#include <errno.h>

#define CHARGES 300 /* more than a batch */

static struct commit_group *group;
static struct customer {
    char payment_id[UUID_SIZE], order_id[UUID_SIZE];
    struct charge_end end;
    int code;
} customers[CHARGES];

static unsigned waiting;
static struct fiber *waiter;

static int record_all(struct transaction *tx, void *unused)
{
    int code = 0;
    for (unsigned i = 0; i < CHARGES && code == 0; i++) {
        const struct payment_request request = {
            .payment_id = customers[i].payment_id,
            .order_id = customers[i].order_id,
            .user_id = customers[i].order_id,
            .amount_minor = 100 + i,
            .currency = "EUR",
            .payment_method = "pm_card_visa",
        };
        const struct payment_request *list[] = {&request};
        code = charges_record(tx, list, 1);
    }
    return code;
}

/* Every tenth is declined. */
static void begin(void)
{
    for (unsigned i = 0; i < CHARGES; i++) {
        struct customer *customer = &customers[i];
        uuid_make(customer->payment_id);
        uuid_make(customer->order_id);
        customer->end = (struct charge_end){.payment_id = customer->payment_id, .answer = {.verdict = PROVIDER_SUCCEEDED, .reference = "ch_1"}};
        if (i % 10 == 0)
            customer->end.answer = (struct provider_answer){.verdict = PROVIDER_FAILED, .failure_code = "card_declined"};
    }
    must(database_transact(test_database, record_all, NULL), "record");
}

static void pay(void *arg)
{
    struct customer *customer = arg;
    customer->code = commit_group_run(group, &customer->end);
    if (--waiting == 0)
        fiber_wake(waiter);
}

static void pay_all(unsigned times)
{
    waiter = fiber_self();
    waiting = CHARGES * times;
    for (unsigned i = 0; i < CHARGES * times; i++)
        must(fiber_start("customer", pay, &customers[i % CHARGES]), "customer");
    while (waiting)
        fiber_wait_uninterrupted();
}

/* What the database has, which others may have filled before. */
struct books {
    int64_t pending, succeeded, failed, replies, facts, captured, sum;
};

static struct books read_books(void)
{
    return (struct books){
        .pending = number("SELECT count(*) FROM payments WHERE status = 'pending'"),
        .succeeded = number("SELECT count(*) FROM payments WHERE status = 'succeeded'"),
        .failed = number("SELECT count(*) FROM payments WHERE status = 'failed'"),
        .replies = number("SELECT count(*) FROM outbox_queue"),
        .facts = number("SELECT count(*) FROM outbox_stream"),
        .captured = number("SELECT coalesce(sum(amount), 0) FROM ledger_entries WHERE account = 'captured'"),
        .sum = number("SELECT coalesce(sum(amount), 0) FROM ledger_entries"),
    };
}

static void each_charge_ends_once(void)
{
    struct books before = read_books();
    int64_t amount = 0;
    begin();
    pay_all(2);
    for (unsigned i = 0; i < CHARGES; i++) {
        assert_int_equal(customers[i].code, 0);
        amount += i % 10 == 0 ? 0 : 100 + i;
    }
    struct books after = read_books();
    assert_int_equal(after.pending, before.pending);
    assert_int_equal(after.succeeded - before.succeeded, CHARGES - CHARGES / 10);
    assert_int_equal(after.failed - before.failed, CHARGES / 10);
    assert_int_equal(after.replies - before.replies, CHARGES);
    assert_int_equal(after.facts - before.facts, CHARGES);
    assert_int_equal(after.captured - before.captured, amount);
    assert_int_equal(after.sum, before.sum);
}

/* A row that should not be there. */
static int spoil(struct transaction *tx, void *arg)
{
    const struct customer *customer = arg;
    return payments_store_ledger_move(tx, customer->payment_id, "provider", "captured", "EUR", 1);
}

static int mend(struct transaction *tx, void *arg)
{
    const struct customer *customer = arg;
    return sql_run(tx, "DELETE FROM ledger_entries WHERE transaction_id = ?1", "t", customer->payment_id);
}

static void one_that_fails_fails_alone(void)
{
    begin();
    struct books before = read_books();
    must(database_transact(test_database, spoil, &customers[7]), "spoil");
    pay_all(1);
    for (unsigned i = 0; i < CHARGES; i++)
        assert_int_equal(customers[i].code, i == 7 ? -EEXIST : 0);
    assert_int_equal(before.pending - read_books().pending, CHARGES - 1);
    must(database_transact(test_database, mend, &customers[7]), "mend");
    assert_int_equal(commit_group_run(group, &customers[7].end), 0);
    assert_int_equal(before.pending - read_books().pending, CHARGES);
}

static void all(void)
{
    group = commit_group_new(test_database, charges_settle);
    assert_non_null(group);
    each_charge_ends_once();
    one_that_fails_fails_alone();
    commit_group_free(group);
}

static void charges_end_together(void **state)
{
    on_database("payments", all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(charges_end_together)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
