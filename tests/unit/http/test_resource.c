/* Whose resources a caller may see, ids in paths, and pages of lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/uuid.h"
#include "http/resource.h"
#include "runtime/on_fiber.h"

#define ID "0193f2f0-0000-7000-8000-000000000001"

static struct http_request asked(const char *query)
{
    return (struct http_request){.arena = fiber_arena(), .query = text_of(query)};
}

static struct http_response unanswered(void)
{
    return (struct http_response){.arena = fiber_arena()};
}

/* ---- one resource ---- */

static void everyone_sees_his_own_and_an_admin_all(void **state)
{
    struct http_request user = {.identity = {.user_id = "ada", .role = "user"}}, admin = {.identity = {.user_id = "bob", .role = "admin"}};
    struct http_request nobody = {0}, other = {.identity = {.user_id = "ada", .role = "administrator"}};
    assert_true(request_is_admin(&admin));
    assert_false(request_is_admin(&user) || request_is_admin(&nobody) || request_is_admin(&other));
    assert_true(request_may_see(&user, "ada"));
    assert_false(request_may_see(&user, "bob"));
    assert_true(request_may_see(&admin, "ada"));
    assert_string_equal(request_whose(&user), "ada");
    assert_null(request_whose(&admin));
}

static void check_ids(void)
{
    const char *bad[] = {
        "", "1", "0193f2f0-0000-7000-8000-00000000000", ID "0", "0193f2f0-0000-7000-8000-00000000000g", "0193f2f0000070008000000000000001"};
    struct http_request request = asked("");
    struct http_response response = unanswered();
    request.parameters[0] = text_of(ID);
    assert_string_equal(request_id(&request, &response), ID);
    assert_int_equal(response.status, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        response = unanswered();
        request.parameters[0] = text_of(bad[i]);
        assert_null(request_id(&request, &response));
        assert_int_equal(response.status, 404);
    }
}

static void what_is_no_id_is_not_found(void **state)
{
    on_fiber(1, check_ids);
}

/* ---- pages ---- */

typedef bool read_page(struct http_request *request, struct http_response *response, struct page *ret_page);

static void check_page(read_page *read, const char *query, int limit, const char *cursor)
{
    struct http_request request = asked(query);
    struct http_response response = unanswered();
    struct page page;
    assert_true(read(&request, &response, &page));
    assert_int_equal(response.status, 0);
    assert_int_equal(page.limit, limit);
    assert_string_equal(page.cursor, cursor);
}

static void check_refused(read_page *read, const char *query, const char *pointer)
{
    struct http_request request = asked(query);
    struct http_response response = unanswered();
    struct page page;
    assert_false(read(&request, &response, &page));
    assert_int_equal(response.status, 422);
    assert_non_null(strstr(arena_copy(fiber_arena(), response.body.at, response.body.size), pointer));
}

static void check_pages(void)
{
    const char *bad_limits[] = {"limit=",    "limit=0",   "limit=101", "limit=-1",
                                "limit=1.5", "limit=ten", "limit=%",   "limit=99999999999999999999"};
    const char *bad_cursors[] = {"cursor=a%26b", "cursor=a%20b", "cursor=%23",    "cursor=%25",
                                 "cursor=%3F",   "cursor=%0a",   "cursor=%C3%A9", "cursor=%"};
    check_page(request_page, "", 20, "");
    check_page(request_page, "limit=1&cursor=", 1, "");
    check_page(request_page, "cursor=a:b,7&limit=100", 100, "a:b,7");
    check_page(request_id_page, "", 20, UUID_LAST);
    check_page(request_id_page, "cursor=", 20, UUID_LAST);
    check_page(request_id_page, "cursor=" ID, 20, ID);
    for (size_t i = 0; i < sizeof bad_limits / sizeof *bad_limits; i++) {
        check_refused(request_page, bad_limits[i], "/limit");
        check_refused(request_id_page, bad_limits[i], "/limit");
    }
    for (size_t i = 0; i < sizeof bad_cursors / sizeof *bad_cursors; i++)
        check_refused(request_page, bad_cursors[i], "/cursor");
    check_refused(request_id_page, "cursor=a:b,7", "/cursor");
    char longest[] = "cursor=0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
                     "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000";
    assert_int_equal(strlen(longest), sizeof "cursor=" - 1 + 200);
    check_page(request_page, longest, 20, longest + sizeof "cursor=" - 1);
    check_refused(request_page, arena_printf(fiber_arena(), "%s0", longest), "/cursor");
}

static void limits_and_cursors_are_held(void **state)
{
    on_fiber(1, check_pages);
}

static void check_list(int count, int limit, const char *wanted)
{
    struct http_response response = unanswered();
    json_t *list = json_make(fiber_arena(), "[]");
    for (int i = 0; i < count; i++)
        json_array_append(list, json_make(fiber_arena(), "{s:s}", "id", arena_printf(fiber_arena(), "%d", i)));
    respond_page(&response, list, limit);
    assert_int_equal(response.status, 200);
    assert_string_equal(arena_copy(fiber_arena(), response.body.at, response.body.size), wanted);
}

static void check_lists(void)
{
    check_list(0, 2, "{\"data\":[],\"next_cursor\":null}");
    check_list(2, 2, "{\"data\":[{\"id\":\"0\"},{\"id\":\"1\"}],\"next_cursor\":null}");
    check_list(3, 2, "{\"data\":[{\"id\":\"0\"},{\"id\":\"1\"}],\"next_cursor\":\"1\"}");
}

static void the_one_more_that_was_read_tells_of_a_next_page(void **state)
{
    on_fiber(1, check_lists);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everyone_sees_his_own_and_an_admin_all),
        cmocka_unit_test(what_is_no_id_is_not_found),
        cmocka_unit_test(limits_and_cursors_are_held),
        cmocka_unit_test(the_one_more_that_was_read_tells_of_a_next_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
