/* The log of notifications: numbers without gaps, each event once, counts that are derived; and sixteen at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json_members.h"
#include "base/uuid.h"
#include "engines/on_database.h"
#include "notifications/store.h"

#include <errno.h>

static char *new_id(void)
{
    char *id = arena_alloc(fiber_arena(), UUID_SIZE);
    uuid_make(id);
    return id;
}

static const struct wording thanks = {.type = "order.paid", .title = "Paid", .body = "Thank you."};

struct adding {
    const char *user_id, *event_id;
    int code;
};

static int add_body(struct transaction *tx, void *arg)
{
    const struct adding *adding = arg;
    struct addition addition = {adding->user_id, adding->event_id, thanks};
    return adding->user_id ? notifications_add(tx, &addition, 1) : notifications_forget_user(tx, adding->event_id);
}

static void add(const char *user_id, const char *event_id)
{
    struct adding adding = {user_id, event_id, 0};
    assert_int_equal(database_transact(test_database, add_body, &adding), 0);
}

static struct standing standing_of(const char *user_id)
{
    struct standing standing;
    assert_int_equal(notifications_standing(test_database, user_id, &standing), 0);
    return standing;
}

/* All that there is, which has to be numbered from 1 without gaps. */
static int count_checked(const char *user_id)
{
    static struct notification list[100];
    const struct page_wanted wanted = {.user_id = user_id, .from = 0, .limit = 100};
    int count = notifications_page(test_database, &wanted, list);
    for (int i = 0; i < count; i++)
        assert_int_equal(list[i].seq, i + 1);
    return count;
}

static void numbering(void)
{
    const char *ada = new_id(), *eve = new_id(), *event = new_id();
    add(ada, event);
    add(ada, new_id());
    add(eve, new_id());
    add(ada, event); /* told again */
    assert_int_equal(count_checked(ada), 2);
    assert_int_equal(count_checked(eve), 1);
    assert_int_equal(standing_of(ada).last_seq, 2);
}

static int add_list(struct transaction *tx, void *arg)
{
    return notifications_add(tx, arg, 6);
}

/* A batch: new and told before, of two users and one who is gone. */
static void many_at_once(void)
{
    const char *ada = new_id(), *eve = new_id(), *gone = new_id(), *event = new_id();
    add(ada, event);
    add(NULL, gone);
    struct addition list[] = {{ada, new_id(), thanks}, {ada, event, thanks},     {ada, new_id(), thanks},
                              {eve, new_id(), thanks}, {gone, new_id(), thanks}, {ada, new_id(), thanks}};
    static const struct {
        int64_t seq, unread;
    } wanted[] = {{2, 4}, {0, 4}, {3, 4}, {1, 1}, {0, 0}, {4, 4}};
    assert_int_equal(database_transact(test_database, add_list, list), 0);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(list[i].seq, wanted[i].seq);
        assert_int_equal(list[i].unread, wanted[i].unread);
    }
    assert_int_equal(count_checked(ada), 4);
    assert_int_equal(standing_of(ada).last_seq, 4);
    assert_int_equal(count_checked(eve), 1);
    struct notification stored;
    const struct page_wanted last = {.user_id = ada, .from = 3, .limit = 1};
    assert_int_equal(notifications_page(test_database, &last, &stored), 1);
    assert_true(text_equal(stored.json, addition_print(fiber_arena(), &list[5])));
}

static void reading(void)
{
    const char *ada = new_id(), *eve = new_id();
    struct notification list[3];
    bool changed;
    int64_t unread, up_to;
    for (int i = 0; i < 3; i++)
        add(ada, new_id());
    const struct page_wanted wanted = {.user_id = ada, .from = INT64_MAX, .descending = true, .limit = 3};
    assert_int_equal(notifications_page(test_database, &wanted, list), 3);
    assert_int_equal(list[0].seq, 3);
    const char *id = json_member_string(fiber_arena(), list[0].json, "id");
    assert_int_equal(notifications_read(test_database, eve, id, &changed, &unread), -ENOENT);
    assert_int_equal(notifications_read(test_database, ada, id, &changed, &unread), 0);
    assert_true(changed);
    assert_int_equal(unread, 2);
    assert_int_equal(notifications_read(test_database, ada, id, &changed, &unread), 0);
    assert_false(changed);
    assert_int_equal(notifications_read_all(test_database, ada, &up_to), 0);
    assert_int_equal(up_to, 3);
    assert_int_equal(standing_of(ada).unread, 0);
    add(ada, new_id());
    assert_int_equal(standing_of(ada).unread, 1);
}

static void forgetting(void)
{
    const char *ada = new_id();
    add(ada, new_id());
    add(NULL, ada);
    assert_int_equal(count_checked(ada), 0);
    add(ada, new_id()); /* an event that came late */
    assert_int_equal(count_checked(ada), 0);
    assert_int_equal(standing_of(ada).last_seq, 0);
}

static unsigned race_adding(const char *user_id, const char *same_event)
{
    struct adding adding[RACERS];
    struct racer racers[RACERS];
    for (unsigned i = 0; i < RACERS; i++) {
        adding[i] = (struct adding){user_id, same_event ? same_event : new_id(), 0};
        racers[i] = (struct racer){add_body, &adding[i], 0};
    }
    return race(racers, RACERS);
}

static void races(void)
{
    const char *ada = new_id(), *eve = new_id();
    assert_int_equal(race_adding(ada, NULL), RACERS);
    assert_int_equal(count_checked(ada), RACERS);
    assert_int_equal(race_adding(eve, new_id()), RACERS);
    assert_int_equal(count_checked(eve), 1);
    assert_int_equal(standing_of(eve).last_seq, 1);
}

static void all(void)
{
    numbering();
    many_at_once();
    reading();
    forgetting();
    races();
}

static void test_store(void **state)
{
    on_database("notifications", all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_store)};
    return cmocka_run_group_tests_name("notifications/store", tests, NULL, NULL);
}
