/* The sandbox's store, sixteen at once: a key is charged once or cancelled for ever, and refunds never exceed their charge. And its callbacks: one
 * that is not taken holds up no other. */
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

/* ---- callbacks ---- */

#define ROOM 8

static struct callback due[ROOM];
static int64_t next_due;

static int look(void)
{
    int count = sandbox_callbacks(test_database, due, ROOM, &next_due);
    must(count, "callbacks");
    return count;
}

static void settle(int count)
{
    must(sandbox_callbacks_settle(test_database, due, count), "settle");
}

static void take_all(void)
{
    for (int count; (count = look()) > 0; settle(count))
        for (int i = 0; i < count; i++)
            due[i].is_taken = true;
}

static void a_callback_that_is_not_taken_holds_up_no_other(void)
{
    take_all();
    for (unsigned i = 0; i < ROOM + 2; i++)
        charge_once();
    assert_int_equal(look(), ROOM);
    const char *first = due[0].id;
    for (int i = 0; i < ROOM; i++)
        due[i].pause_ms = 2 * CALLBACK_PAUSE_MAX_MS - 1000;
    due[1].is_taken = true;
    settle(ROOM);
    /* The next ones come at once, and those put off when they are due. */
    assert_int_equal(look(), 2);
    assert_int_equal(due[0].attempts, 0);
    assert_true(next_due != INT64_MAX && strcmp(due[0].id, first) != 0);
    take_all();
    assert_int_equal(number("SELECT count(*) FROM callbacks"), 0);
    assert_int_equal(number("SELECT count(*) FROM late_callbacks"), ROOM - 1);
    number("UPDATE late_callbacks SET due_at = 1 RETURNING 1");
    /* They leave half of the room to new ones, and are put off again. */
    for (unsigned i = 0; i < ROOM; i++)
        charge_once();
    assert_int_equal(look(), ROOM);
    for (int i = 0; i < ROOM; i++) {
        assert_int_equal(due[i].attempts, i < ROOM / 2);
        due[i].pause_ms = 2 * CALLBACK_PAUSE_MAX_MS - 1000;
        due[i].is_taken = i >= ROOM / 2;
    }
    settle(ROOM);
    assert_int_equal(number("SELECT count(*) FROM late_callbacks WHERE attempts = 2 AND due_at > 1"), ROOM / 2);
    /* A time that is further away than any pause is none. */
    number("UPDATE late_callbacks SET due_at = 9000000000000000 RETURNING 1");
    assert_true(look() > 0);
    take_all();
    assert_int_equal(look(), 0);
    assert_true(next_due == INT64_MAX);
}

static void all(void)
{
    a_key_is_charged_once();
    a_key_is_charged_or_cancelled();
    another_charge_under_a_used_key_is_refused();
    the_flaky_one_fails_twice();
    refunds_do_not_exceed_their_charge();
    a_callback_that_is_not_taken_holds_up_no_other();
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
