/* The sandbox's store, sixteen at once: a key is charged once or cancelled for ever, and refunds never exceed their charge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/uuid.h"
#include "engines/on_database.h"
#include "sandbox/store.h"

#include <errno.h>

static char key[UUID_SIZE];

struct caller {
    enum { CHARGE, CANCEL, REFUND } call;
    const char *method, *charge_id;
    int64_t amount;
    char refund_key[UUID_SIZE];
    int code;
    enum charge_outcome outcome;
    json_t *charge;
};

static unsigned callers_left;
static struct fiber *callers_waiter;

static void caller_run(void *arg)
{
    struct caller *caller = arg;
    json_t *refund;
    const struct charge_order order = {
        .key = key,
        .amount_minor = 1000,
        .currency = "EUR",
        .payment_method = caller->method,
        .method = caller->method ? sandbox_method_find(caller->method) : NULL,
    };
    if (caller->call == CHARGE)
        caller->code = sandbox_charge(test_database, &order, &caller->outcome, &caller->charge);
    else if (caller->call == CANCEL)
        caller->code = sandbox_cancel(test_database, key, &caller->charge);
    else
        caller->code = sandbox_refund(test_database, caller->refund_key, caller->charge_id, caller->amount, &refund);
    /* The tree goes with this fiber. */
    json_incref(caller->charge);
    if (--callers_left == 0)
        fiber_wake(callers_waiter);
}

static void call_all(struct caller *callers, unsigned count)
{
    callers_left = count;
    callers_waiter = fiber_self();
    for (unsigned i = 0; i < count; i++)
        must(fiber_start("caller", caller_run, &callers[i]), "caller");
    while (callers_left)
        fiber_wait_uninterrupted();
}

static void forget(struct caller *callers, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        json_decref(callers[i].charge);
}

static const char *charge_once(void)
{
    struct caller callers[RACERS];
    uuid_make(key);
    for (unsigned i = 0; i < RACERS; i++)
        callers[i] = (struct caller){.call = CHARGE, .method = "pm_card_visa"};
    call_all(callers, RACERS);
    const char *id = arena_strdup(fiber_arena(), json_get_string(callers[0].charge, "id"));
    for (unsigned i = 0; i < RACERS; i++) {
        assert_int_equal(callers[i].code, 0);
        assert_int_equal(callers[i].outcome, CHARGE_DONE);
        assert_string_equal(json_get_string(callers[i].charge, "id"), id);
    }
    forget(callers, RACERS);
    return id;
}

static void a_key_is_charged_once(void)
{
    int64_t charges = number("SELECT count(*) FROM charges"), callbacks = number("SELECT count(*) FROM callbacks");
    charge_once();
    assert_int_equal(number("SELECT count(*) FROM charges"), charges + 1);
    assert_int_equal(number("SELECT count(*) FROM callbacks"), callbacks + 1);
}

static void a_key_is_charged_or_cancelled(void)
{
    for (unsigned round = 0; round < 4; round++) {
        struct caller callers[RACERS];
        int64_t before = number("SELECT count(*) FROM charges");
        uuid_make(key);
        for (unsigned i = 0; i < RACERS; i++)
            callers[i] = i % 4 == round ? (struct caller){.call = CANCEL} : (struct caller){.call = CHARGE, .method = "pm_card_visa"};
        call_all(callers, RACERS);
        int64_t charges = number("SELECT count(*) FROM charges") - before;
        for (unsigned i = 0; i < RACERS; i++) {
            assert_int_equal(callers[i].code, 0);
            if (callers[i].call == CHARGE)
                assert_int_equal(callers[i].outcome, charges ? CHARGE_DONE : CHARGE_CANCELLED);
            else
                assert_int_equal(callers[i].charge != NULL, charges);
        }
        forget(callers, RACERS);
    }
}

static void another_charge_under_a_used_key_is_refused(void)
{
    struct caller other = {.call = CHARGE, .method = "pm_card_chargeDeclined"};
    charge_once();
    call_all(&other, 1);
    assert_int_equal(other.outcome, CHARGE_OTHER);
    forget(&other, 1);
}

static void the_flaky_one_fails_twice(void)
{
    static const enum charge_outcome wanted[] = {CHARGE_BUSY, CHARGE_BUSY, CHARGE_DONE, CHARGE_DONE};
    uuid_make(key);
    for (unsigned i = 0; i < 4; i++) {
        struct caller caller = {.call = CHARGE, .method = "pm_sandbox_flaky"};
        call_all(&caller, 1);
        assert_int_equal(caller.outcome, wanted[i]);
        forget(&caller, 1);
    }
}

static void refunds_do_not_exceed_their_charge(void)
{
    struct caller callers[RACERS];
    const char *id = charge_once();
    unsigned good = 0;
    int64_t refunds = number("SELECT count(*) FROM refunds"), sum = number("SELECT sum(refunded_amount) FROM charges");
    for (unsigned i = 0; i < RACERS; i++) {
        callers[i] = (struct caller){.call = REFUND, .charge_id = id, .amount = 300};
        uuid_make(callers[i].refund_key);
    }
    call_all(callers, RACERS);
    for (unsigned i = 0; i < RACERS; i++) {
        assert_true(callers[i].code == 0 || callers[i].code == -EDOM);
        good += callers[i].code == 0;
    }
    assert_int_equal(good, 3);
    /* The same keys again are the same refunds. */
    call_all(callers, RACERS);
    assert_int_equal(number("SELECT count(*) FROM refunds"), refunds + 3);
    assert_int_equal(number("SELECT sum(refunded_amount) FROM charges"), sum + 900);
}

static void all(void)
{
    a_key_is_charged_once();
    a_key_is_charged_or_cancelled();
    another_charge_under_a_used_key_is_refused();
    the_flaky_one_fails_twice();
    refunds_do_not_exceed_their_charge();
}

static void sixteen_at_once(void **state)
{
    on_database("sandbox", all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sixteen_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
