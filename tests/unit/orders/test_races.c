/*
 * The order service through its routes on real engines, sixteen at once: the last item, cancelling against being paid, paying again against a
 * late success, expiry against payment, one key many times. Nobody takes the queue's messages here, so what was sent is counted in
 * the outbox and the queue.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json_text.h"
#include "base/uuid.h"
#include "contracts/names.h"
#include "contracts/payments.h"
#include "engines/on_database.h"
#include "messaging/consumer.h"
#include "orders/basket.h"
#include "orders/orders.h"
#include "orders/workers.h"

#include <errno.h>

/* Of this run alone: the database may be one that lives on. */
static char user_id[UUID_SIZE];

static struct router *router;

/* ---- asking ---- */

static int ask_as(const char *role, const char *target, const char *key, const char *body, json_t **ret_answer)
{
    struct arena *arena = fiber_arena();
    enum http_method method = body ? HTTP_POST : HTTP_GET;
    struct http_request request = {
        .arena = arena,
        .method = method,
        .method_name = text_of(body ? "POST" : "GET"),
        .target = text_of(target),
        .path = text_of(target),
        .query = text_of(""),
        .body = text_of(body ? body : ""),
        .client_address = "127.0.0.1",
        .identity = {.user_id = user_id, .role = role, .session_id = "s"},
    };
    struct http_response response = {.arena = arena};
    http_header_add(arena, &request.headers, "Content-Type", "application/json");
    if (key)
        http_header_add(arena, &request.headers, "Idempotency-Key", key);
    router_handle(router, &request, &response);
    if (ret_answer && json_parse(arena, response.body, ret_answer, NULL) < 0)
        *ret_answer = NULL;
    return response.status;
}

static const char *new_product(int64_t stock)
{
    char *sku = arena_alloc(fiber_arena(), UUID_SIZE);
    uuid_make(sku);
    const char *body = arena_printf(fiber_arena(), "{\"sku\":\"%s\",\"name\":\"Mug\",\"unit_price\":100,\"currency\":\"EUR\",\"stock\":%lld}",
                                    sku, (long long)stock);
    assert_int_equal(ask_as("admin", "/api/v1/products", NULL, body, NULL), 201);
    return sku;
}

static int64_t stock_of(const char *sku)
{
    json_t *product;
    assert_int_equal(ask_as("user", arena_printf(fiber_arena(), "/api/v1/products/%s", sku), NULL, NULL, &product), 200);
    return json_get_integer(product, "stock");
}

static json_t *new_order(const char *sku)
{
    json_t *order;
    const char *body = arena_printf(fiber_arena(), "{\"items\":[{\"sku\":\"%s\",\"quantity\":1}],\"payment_method\":\"pm_card_visa\"}", sku);
    assert_int_equal(ask_as("user", "/api/v1/orders", NULL, body, &order), 201);
    return order;
}

static json_t *order_now(const json_t *order)
{
    json_t *now;
    assert_int_equal(ask_as("user", arena_printf(fiber_arena(), "/api/v1/orders/%s", json_get_string(order, "id")), NULL, NULL, &now), 200);
    return now;
}

static const char *payment_of(const json_t *order)
{
    return json_get_string(json_object_get(order, "payment"), "id");
}

/* ---- many at once ---- */

struct asker {
    const char *target, *key, *body;
    const struct payment_processed *processed; /* instead: a message to hear */
    const char *expires;                       /* instead: an order whose time has come */
    int status;
    const char *text;
};

static unsigned askers_left;
static struct fiber *askers_waiter;

static int hear(struct transaction *tx, void *arg)
{
    const struct payment_processed *processed = arg;
    char id[UUID_SIZE];
    uuid_make(id);
    const struct event event = {
        .id = id,
        .source = SOURCE_PAYMENTS,
        .type = EVENT_PAYMENT_PROCESSED,
        .subject = processed->payment_id,
        .data = payment_processed_encode(transaction_arena(tx), processed),
    };
    struct event_item item = {.event = &event};
    return on_payments_processed(tx, NULL, &item, 1);
}

static void asker_run(void *arg)
{
    struct asker *asker = arg;
    json_t *answer = NULL;
    if (asker->processed)
        asker->status = database_transact(test_database, hear, (void *)asker->processed);
    else if (asker->expires)
        asker->status = database_transact(test_database, expire_order, (void *)asker->expires);
    else
        asker->status = ask_as("user", asker->target, asker->key, asker->body, &answer);
    asker->text = answer ? json_dumps(answer, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    if (--askers_left == 0)
        fiber_wake(askers_waiter);
}

/* How many were answered with that status. */
static unsigned ask_all(struct asker *askers, unsigned count, int status)
{
    unsigned found = 0;
    askers_left = count;
    askers_waiter = fiber_self();
    for (unsigned i = 0; i < count; i++)
        must(fiber_start("asker", asker_run, &askers[i]), "asker");
    while (askers_left)
        fiber_wait_uninterrupted();
    for (unsigned i = 0; i < count; i++)
        found += askers[i].status == status;
    return found;
}

static void forget(struct asker *askers, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        free((char *)askers[i].text);
}

/* Refunds that were asked for of a payment. */
static int64_t refunds_of(const char *payment_id)
{
    const char *sql = arena_strdup(fiber_arena(), arena_printf(fiber_arena(),
                                   "SELECT count(*) FROM outbox_queue WHERE correlation_id = '%s' AND body LIKE '%%\"refund_id\"%%'", payment_id));
    return number(sql);
}

static struct payment_processed outcome_of(const json_t *order, bool succeeded)
{
    return (struct payment_processed){
        .action = "charge",
        .payment_id = payment_of(order),
        .order_id = json_get_string(order, "id"),
        .user_id = user_id,
        .status = succeeded ? "succeeded" : "failed",
        .failure_code = succeeded ? NULL : "card_declined",
        .amount_minor = 100,
        .currency = "EUR",
    };
}

/* ---- the races ---- */

static void the_last_items_go_to_as_many_as_there_are(void)
{
    struct asker askers[RACERS];
    const char *a = new_product(3), *b = new_product(100);
    for (unsigned i = 0; i < RACERS; i++) {
        const char *first = i % 2 ? a : b, *second = i % 2 ? b : a;
        askers[i] = (struct asker){.target = "/api/v1/orders",
                                   .body = arena_printf(fiber_arena(),
                                                        "{\"items\":[{\"sku\":\"%s\",\"quantity\":1},{\"sku\":\"%s\",\"quantity\":2}],"
                                                        "\"payment_method\":\"pm_card_visa\"}",
                                                        first, second)};
    }
    unsigned made = ask_all(askers, RACERS, 201), refused = 0;
    for (unsigned i = 0; i < RACERS; i++)
        refused += askers[i].status == 409;
    assert_int_equal(made + refused, RACERS);
    assert_true(stock_of(a) >= 0 && stock_of(a) < 2);
    assert_true(made >= 1 && made <= 3);
    assert_int_equal(3 - stock_of(a) + 100 - stock_of(b), (int64_t)made * 3);
    forget(askers, RACERS);
}

static void one_key_makes_one_order(void)
{
    struct asker askers[RACERS];
    const char *sku = new_product(100);
    const char *body = arena_printf(fiber_arena(), "{\"items\":[{\"sku\":\"%s\",\"quantity\":1}],\"payment_method\":\"pm_card_visa\"}", sku);
    for (unsigned i = 0; i < RACERS; i++)
        askers[i] = (struct asker){.target = "/api/v1/orders", .key = sku, .body = body};
    assert_int_equal(ask_all(askers, RACERS, 201), RACERS);
    for (unsigned i = 1; i < RACERS; i++)
        assert_string_equal(askers[i].text, askers[0].text);
    assert_int_equal(stock_of(sku), 99);
    forget(askers, RACERS);
}

/* Those who cannot have all of their lines hold none of them against who wants one, wherever he stands among them. */
static void what_is_refused_is_kept_from_nobody(void)
{
    for (unsigned place = 0; place < RACERS; place += 5) {
        struct asker askers[RACERS];
        const char *wanted = new_product(1), *missing = new_product(0);
        for (unsigned i = 0; i < RACERS; i++) {
            const char *also = i == place ? "" : arena_printf(fiber_arena(), ",{\"sku\":\"%s\",\"quantity\":1}", missing);
            askers[i] = (struct asker){
                .target = "/api/v1/orders",
                .key = arena_printf(fiber_arena(), "%u-%s", i, wanted),
                .body = arena_printf(fiber_arena(), "{\"items\":[{\"sku\":\"%s\",\"quantity\":1}%s],\"payment_method\":\"pm_card_visa\"}",
                                     wanted, also)};
        }
        assert_int_equal(ask_all(askers, RACERS, 409), RACERS - 1);
        assert_int_equal(askers[place].status, 201);
        assert_int_equal(stock_of(wanted), 0);
        forget(askers, RACERS);
    }
}

/* Each of four keys comes four times, beside what is refused outright: each has the answer of its own key. */
static void repeats_among_others_have_their_own_answers(void)
{
    struct asker askers[RACERS];
    const char *sku = new_product(100), *none = new_product(0);
    for (unsigned i = 0; i < RACERS; i++)
        askers[i] = (struct asker){
            .target = "/api/v1/orders",
            .key = arena_printf(fiber_arena(), "%u-%s", i % 4, sku),
            .body = arena_printf(fiber_arena(), "{\"items\":[{\"sku\":\"%s\",\"quantity\":%u}],\"payment_method\":\"pm_card_visa\"}",
                                 i % 4 ? sku : none, i % 4 + 1)};
    assert_int_equal(ask_all(askers, RACERS, 201), 12);
    for (unsigned i = 4; i < RACERS; i++) {
        assert_int_equal(askers[i].status, i % 4 ? 201 : 409);
        assert_string_equal(askers[i].text, askers[i % 4].text);
    }
    assert_int_equal(stock_of(sku), 100 - 2 - 3 - 4);
    forget(askers, RACERS);
}

static void an_order_is_cancelled_once(void)
{
    struct asker askers[RACERS];
    const char *sku = new_product(5);
    json_t *order = new_order(sku);
    const char *target = arena_printf(fiber_arena(), "/api/v1/orders/%s/cancel", json_get_string(order, "id"));
    for (unsigned i = 0; i < RACERS; i++)
        askers[i] = (struct asker){.target = target, .body = "{}"};
    assert_int_equal(ask_all(askers, RACERS, 200), 1);
    assert_int_equal(stock_of(sku), 5);
    assert_int_equal(json_array_size(json_object_get(order_now(order), "history")), 2);
    forget(askers, RACERS);
}

/* Whoever comes first: the order is cancelled, its stock is back, and the money is asked back once. */
static void cancelling_against_being_paid(void)
{
    for (unsigned round = 0; round < 4; round++) {
        struct asker askers[RACERS];
        const char *sku = new_product(5);
        json_t *order = new_order(sku);
        const struct payment_processed paid = outcome_of(order, true);
        const char *target = arena_printf(fiber_arena(), "/api/v1/orders/%s/cancel", json_get_string(order, "id"));
        for (unsigned i = 0; i < 2; i++)
            askers[i] = (i + round) % 2 ? (struct asker){.processed = &paid} : (struct asker){.target = target, .body = "{}"};
        ask_all(askers, 2, 0);
        assert_string_equal(json_get_string(order_now(order), "status"), "cancelled");
        assert_int_equal(stock_of(sku), 5);
        assert_int_equal(refunds_of(payment_of(order)), 1);
        forget(askers, 2);
    }
}

static void expiry_against_being_paid(void)
{
    for (unsigned round = 0; round < 4; round++) {
        struct asker askers[RACERS];
        const char *sku = new_product(5);
        json_t *order = new_order(sku);
        const struct payment_processed paid = outcome_of(order, true);
        for (unsigned i = 0; i < RACERS; i++)
            askers[i] = i == round * 5 ? (struct asker){.processed = &paid} : (struct asker){.expires = json_get_string(order, "id")};
        assert_int_equal(ask_all(askers, RACERS, 0), RACERS);
        bool is_paid = strcmp(json_get_string(order_now(order), "status"), "paid") == 0;
        assert_int_equal(stock_of(sku), is_paid ? 4 : 5);
        assert_int_equal(refunds_of(payment_of(order)), is_paid ? 0 : 1);
    }
}

static void paying_again_happens_once(void)
{
    struct asker askers[RACERS];
    json_t *order = new_order(new_product(5));
    const struct payment_processed failed = outcome_of(order, false);
    must(database_transact(test_database, hear, (void *)&failed), "fail");
    assert_string_equal(json_get_string(order_now(order), "status"), "payment_failed");
    const char *target = arena_printf(fiber_arena(), "/api/v1/orders/%s/payments", json_get_string(order, "id"));
    for (unsigned i = 0; i < RACERS; i++)
        askers[i] = (struct asker){.target = target, .body = "{\"payment_method\":\"pm_card_visa\"}"};
    assert_int_equal(ask_all(askers, RACERS, 201), 1);
    for (unsigned i = 0; i < RACERS; i++)
        assert_true(askers[i].status == 201 || strstr(askers[i].text, "payment-in-progress"));
    forget(askers, RACERS);
    assert_string_not_equal(payment_of(order_now(order)), payment_of(order));
}

/* The first payment comes after all, while the second is being made: the first goes back, the second pays. */
static void paying_again_against_a_late_success(void)
{
    for (unsigned round = 0; round < 2; round++) {
        struct asker askers[2];
        json_t *order = new_order(new_product(5));
        const struct payment_processed failed = outcome_of(order, false), late = outcome_of(order, true);
        must(database_transact(test_database, hear, (void *)&failed), "fail");
        const char *target = arena_printf(fiber_arena(), "/api/v1/orders/%s/payments", json_get_string(order, "id"));
        askers[round] = (struct asker){.target = target, .body = "{\"payment_method\":\"pm_card_visa\"}"};
        askers[1 - round] = (struct asker){.processed = &late};
        ask_all(askers, 2, 0);
        assert_int_equal(askers[round].status, 201);
        forget(askers, 2);
        json_t *again = order_now(order);
        const struct payment_processed second = outcome_of(again, true);
        must(database_transact(test_database, hear, (void *)&second), "pay");
        assert_string_equal(json_get_string(order_now(order), "status"), "paid");
        assert_int_equal(refunds_of(payment_of(order)), 1);
        assert_int_equal(refunds_of(payment_of(again)), 0);
    }
}

/* Messages in any order, and again: the copy of the payment only moves forward. */
static void messages_in_any_order(void)
{
    json_t *order = new_order(new_product(5));
    struct payment_processed paid = outcome_of(order, true), refunded = outcome_of(order, true);
    refunded.action = "refund";
    refunded.status = "refunded";
    refunded.refunded_minor = 100;
    const struct payment_processed *const messages[] = {&refunded, &paid, &refunded, &paid};
    for (unsigned i = 0; i < 4; i++)
        must(database_transact(test_database, hear, (void *)messages[i]), "hear");
    json_t *payment = json_object_get(order_now(order), "payment");
    assert_string_equal(json_get_string(payment, "status"), "refunded");
    assert_int_equal(json_get_integer(payment, "refunded_amount"), 100);
    assert_string_equal(json_get_string(order_now(order), "status"), "paid");
}

static int delete_user(struct transaction *tx, void *unused)
{
    const struct event event = {
        .id = user_id, .subject = user_id, .type = EVENT_USER_DELETED, .data = json_text(transaction_arena(tx), "s", "user_id", user_id)};
    struct event_item item = {.event = &event};
    return on_user_events(tx, NULL, &item, 1);
}

static void a_deleted_user_has_no_unpaid_orders(void)
{
    const char *sku = new_product(5);
    json_t *unpaid = new_order(sku), *done = new_order(sku);
    const struct payment_processed paid = outcome_of(done, true);
    must(database_transact(test_database, hear, (void *)&paid), "pay");
    must(database_transact(test_database, delete_user, NULL), "delete");
    assert_string_equal(json_get_string(order_now(unpaid), "status"), "cancelled");
    assert_string_equal(json_get_string(order_now(done), "status"), "paid");
    assert_int_equal(stock_of(sku), 4);
}

struct placing {
    struct basket basket;
    int status; /* of the answer */
};

static int place(struct transaction *tx, void *arg)
{
    struct placing *placing = arg;
    struct http_response answer = {.arena = transaction_arena(tx)};
    void *const baskets[] = {&placing->basket};
    baskets_ask(tx, baskets, 1);
    int code = basket_place(tx, &placing->basket, &answer);
    placing->status = answer.status;
    return code;
}

/* As after a group that failed: what the first run came to says nothing of the next one. */
static void a_basket_is_judged_anew_by_each_run(void)
{
    struct line line = {.sku = new_product(1), .quantity = 1}, *sorted[] = {&line};
    const int64_t seen[] = {99};
    struct placing placing = {.basket = {.user_id = user_id, .lines = &line, .sorted = sorted, .count = 1, .payment_method = "pm_card_visa",
                                         .is_priced = true, .priced_total_minor = 50, .priced_unit_minor = seen}};
    assert_int_equal(database_transact(test_database, place, &placing), -ESTALE);
    assert_true(placing.basket.is_stale);
    new_order(line.sku);
    assert_int_equal(database_transact(test_database, place, &placing), 0);
    assert_int_equal(placing.status, 409);
    assert_false(placing.basket.is_stale);
}

#define COMPANY 4

/* Baskets of one transaction: one each of two products, and all of each, which is one too many then. */
struct company {
    const char *skus[2];
    unsigned runs;
};

static int place_company(struct transaction *tx, void *arg)
{
    struct company *company = arg;
    struct line lines[COMPANY], *sorted[COMPANY];
    struct basket baskets[COMPANY];
    void *list[COMPANY];
    int code = 0;
    company->runs++;
    for (unsigned i = 0; i < COMPANY; i++) {
        lines[i] = (struct line){.sku = company->skus[i % 2], .quantity = i < 2 ? 1 : 999};
        sorted[i] = &lines[i];
        baskets[i] =
            (struct basket){.user_id = user_id, .lines = &lines[i], .sorted = &sorted[i], .count = 1, .payment_method = "pm_card_visa"};
        list[i] = &baskets[i];
    }
    baskets_ask(tx, list, COMPANY);
    for (unsigned i = 0; i < COMPANY && code == 0; i++) {
        struct http_response answer = {.arena = transaction_arena(tx)};
        code = basket_place(tx, list[i], &answer);
        assert_int_equal(answer.status, i < 2 ? 201 : 409);
    }
    return code;
}

/* Whoever comes first in a transaction is looked at first, and they come in one order here and in the other there. None is run again for it. */
static void those_who_want_too_much_hold_up_nobody(void)
{
    const char *a = new_product(999), *b = new_product(999);
    struct company companies[RACERS];
    struct racer racers[RACERS];
    for (unsigned i = 0; i < RACERS; i++) {
        companies[i] = (struct company){.skus = {i % 2 ? a : b, i % 2 ? b : a}};
        racers[i] = (struct racer){.body = place_company, .arg = &companies[i]};
    }
    assert_int_equal(race(racers, RACERS), RACERS);
    for (unsigned i = 0; i < RACERS; i++)
        assert_int_equal(companies[i].runs, 1);
    assert_int_equal(stock_of(a), 999 - RACERS);
    assert_int_equal(stock_of(b), 999 - RACERS);
}

static void all(void)
{
    struct service_engines engines = {.database = test_database};
    struct err err = {0};
    void *context;
    uuid_make(user_id);
    must(queue_open(&engines.queue, &err), err.message);
    must(stream_open(&engines.stream, &err), err.message);
    must(orders_service.start(&engines, &context, &err), err.message);
    router = router_new(orders_service.routes, context);
    the_last_items_go_to_as_many_as_there_are();
    one_key_makes_one_order();
    what_is_refused_is_kept_from_nobody();
    repeats_among_others_have_their_own_answers();
    an_order_is_cancelled_once();
    cancelling_against_being_paid();
    expiry_against_being_paid();
    paying_again_happens_once();
    paying_again_against_a_late_success();
    messages_in_any_order();
    a_deleted_user_has_no_unpaid_orders();
    a_basket_is_judged_anew_by_each_run();
    those_who_want_too_much_hold_up_nobody();
    router_free(router);
    queue_stop(engines.queue);
    stream_stop(engines.stream);
    messaging_stop(test_database);
    orders_service.stop(context);
    queue_close(engines.queue);
    stream_close(engines.stream);
}

static void whoever_comes_first(void **state)
{
    on_database("orders", all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(whoever_comes_first)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
