/* CloudEvents: what is printed is read back, and what is no event is told apart with words. */
#include "base/json.h"
#include "base/json_text.h"
#include "messaging/event.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_there_and_back(void **state)
{
    struct arena *arena = arena_new();
    struct event event = {
        .source = "/orders",
        .type = "purser.order.created",
        .subject = "0190a000-0000-7000-8000-000000000001",
        .traceparent = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
        .sequence = 3,
        .causation_id = "0190a000-0000-7000-8000-000000000002",
        .data = json_text(arena, "si", "note", "Grüße \"\n", "total", INT64_C(9007199254740991)),
    };
    struct text printed = event_print(arena, &event);
    assert_non_null(event.id);
    assert_true(uuid_is_valid(event.id) && event.time_wall_ms > 0);
    struct event read = {0};
    struct err err = {0};
    assert_int_equal(event_parse(arena, printed, &read, &err), 0);
    assert_string_equal(read.id, event.id);
    assert_string_equal(read.source, event.source);
    assert_string_equal(read.type, event.type);
    assert_string_equal(read.subject, event.subject);
    assert_string_equal(read.traceparent, event.traceparent);
    assert_string_equal(read.causation_id, event.causation_id);
    assert_int_equal(read.sequence, 3);
    assert_int_equal(read.time_wall_ms, event.time_wall_ms);
    assert_true(text_equal(read.data, event.data));
    assert_string_equal(event_string(arena, &read, "note"), "Grüße \"\n");
    assert_null(event_string(arena, &read, "total"));
    arena_free(arena);
}

static void test_optional_members_are_left_out(void **state)
{
    struct arena *arena = arena_new();
    struct event event = {.id = "0190a000-0000-7000-8000-000000000003",
                          .source = "/users",
                          .type = "purser.user.updated",
                          .subject = "s",
                          .time_wall_ms = 1000,
                          .data = text_of("{}")};
    struct text printed = event_print(arena, &event);
    json_t *tree;
    assert_int_equal(json_parse(arena, printed, &tree, NULL), 0);
    assert_null(json_object_get(tree, "traceparent"));
    assert_null(json_object_get(tree, "sequence"));
    assert_null(json_object_get(tree, "causationid"));
    assert_string_equal(json_get_string(tree, "time"), "1970-01-01T00:00:01.000Z");
    assert_string_equal(json_get_string(tree, "specversion"), "1.0");
    arena_free(arena);
}

#define ID "\"id\":\"0190a000-0000-7000-8000-000000000001\","
#define REST "\"source\":\"/x\",\"type\":\"t\",\"subject\":\"s\","

static void test_what_is_no_event(void **state)
{
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        {"{\"specversion\":\"1.0\"," ID REST "\"data\":{}}", 0},
        {"{\"specversion\":\"1.0\"," ID REST "\"data\":{},\"later\":[1]}", 0},
        {"{\"specversion\":\"1.0\"," ID REST "\"time\":\"2026-01-02T03:04:05Z\",\"data\":{}}", 0},
        {"", -EBADMSG},
        {"{", -EBADMSG},
        {"[]", -EBADMSG},
        {"null", -EBADMSG},
        {"{\"specversion\":\"0.3\"," ID REST "\"data\":{}}", -EBADMSG},
        {"{\"specversion\":1.0," ID REST "\"data\":{}}", -EBADMSG},
        {"{\"specversion\":\"1.0\"," REST "\"data\":{}}", -EBADMSG},
        {"{\"specversion\":\"1.0\",\"id\":\"1\"," REST "\"data\":{}}", -EBADMSG},
        {"{\"specversion\":\"1.0\"," ID "\"type\":\"t\",\"subject\":\"s\",\"data\":{}}", -EBADMSG},
        {"{\"specversion\":\"1.0\"," ID REST "\"data\":[]}", -EBADMSG},
        {"{\"specversion\":\"1.0\"," ID REST "\"x\":1}", -EBADMSG},
        {"{\"specversion\":\"1.0\"," ID REST "\"time\":\"yesterday\",\"data\":{}}", -EBADMSG},
        {"{\"specversion\":\"1.0\"," ID ID REST "\"data\":{}}", -EBADMSG},
        {"{\"specversion\":\"1.0\"," ID REST "\"data\":{}} x", -EBADMSG},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena *arena = arena_new();
        struct event event = {0};
        struct err err = {0};
        int code = event_parse(arena, text_of(cases[i].text), &event, &err);
        if (code != cases[i].code)
            fail_msg("%s gives %d", cases[i].text, code);
        assert_true(code == 0 || (err.message[0] && !event.id));
        arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_optional_members_are_left_out),
        cmocka_unit_test(test_what_is_no_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
