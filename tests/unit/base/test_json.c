/* JSON: what is refused, what is kept, and memory that runs short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/json_members.h"
#include "base/json_text.h"
#include "base/memory.h"

#include <errno.h>

static struct arena *arena;

static int set_up(void **state)
{
    arena = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

static void what_is_malformed_is_refused(void **state)
{
    const char *bad[] = {"",
                         "{",
                         "{}x",
                         "{} {}",
                         "{\"a\":1,\"a\":2}",
                         "{a:1}",
                         "{'a':1}",
                         "[1,]",
                         "01",
                         "{\"a\":01}",
                         "\"\\ud800\"",
                         "\"\xff\"",
                         "\"\x01\"",
                         "nan",
                         "NaN",
                         "1e999",
                         "\xef\xbb\xbf{}",
                         "tru",
                         "-",
                         "\"",
                         "\"\\",
                         "[1 2]",
                         "[1",
                         "[1,",
                         "{\"a\"",
                         "{\"a\":",
                         "{\"a\":1",
                         "{\"a\":1,}",
                         "{,}",
                         "1.",
                         ".5",
                         "1e",
                         "1e+",
                         "+1",
                         "--1",
                         "\"\\x\"",
                         "\"\\u12\"",
                         "\"\\u12g4\"",
                         "\"\\ud83d\\u0041\"",
                         "\"\\ude00\"",
                         "\"\\u000\"",
                         "\"\\u0000",
                         "[\"\\u0000\",]",
                         "[\"\\u0000\"] x",
                         "{\"a\":\"\\u0000\",\"a\":1}",
                         "[\"\\u0000\\x\"]",
                         "\"a\nb\"",
                         "\"\xc0\x80\"",
                         "\"\xed\xa0\x80\"",
                         "\"\\n\xff\"",
                         "truefalse",
                         "nul"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *tree;
        struct err err = {0};
        assert_int_equal(json_parse(arena, text_of(bad[i]), &tree, &err), -EINVAL);
        assert_true(err.message[0]);
        /* Whoever only looks whether it is JSON takes a name twice. */
        bool is_passed = !strcmp(bad[i], "{\"a\":1,\"a\":2}"), has_nul = !strcmp(bad[i], "{\"a\":\"\\u0000\",\"a\":1}");
        assert_int_equal(json_check(arena, text_of(bad[i]), &err), is_passed ? 0 : has_nul ? -EILSEQ : -EINVAL);
    }
}

/* RFC 8259 has it, C's strings have not. */
static void a_nul_in_a_string_is_well_formed_but_not_taken(void **state)
{
    const char *sources[] = {"\"\\u0000\"", "{\"a\":\"x\\u0000y\"}", "{\"\\u0000\":1}", "[1, [\"\\u0000\", \"\\u0000\"]] "};
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        json_t *tree = NULL;
        struct err err = {0};
        struct json_member member = {.name = "a"};
        assert_int_equal(json_parse(arena, text_of(sources[i]), &tree, &err), -EILSEQ);
        assert_int_equal(err.code, -EILSEQ);
        assert_non_null(strstr(err.message, "U+0000"));
        assert_null(tree);
        assert_int_equal(json_check(arena, text_of(sources[i]), NULL), -EILSEQ);
        assert_int_equal(json_members(arena, text_of(sources[i]), &member, 1, NULL), *sources[i] == '{' ? -EILSEQ : -EINVAL);
    }
    struct err err;
    json_t *tree;
    struct json_member member = {.name = "a"};
    json_parse(arena, text_of("{\"a\":1,\n \"b\":\"x\\u0000y\"}"), &tree, &err);
    assert_string_equal(err.message, "line 2, column 14: a string has the character U+0000, which cannot be kept");
    assert_int_equal(json_members_known(arena, text_of(sources[1]), &member, 1), -EINVAL);
    /* Two names that differ behind the NUL are two, and the same one twice is malformed. */
    assert_int_equal(json_parse(arena, text_of("{\"\\u0000a\":1,\"\\u0000b\":2}"), &tree, NULL), -EILSEQ);
    assert_int_equal(json_parse(arena, text_of("{\"\\u0000a\":1,\"\\u0000a\":2}"), &tree, NULL), -EINVAL);
}

static void any_value_may_be_the_whole(void **state)
{
    const char *good[] = {"null", "true", "0", "-0", "1.5e3", "\"x\"", " [] ", "{\"\":{}}", "\"\\ud83d\\ude00\""};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        json_t *tree;
        assert_int_equal(json_parse(arena, text_of(good[i]), &tree, NULL), 0);
        assert_int_equal(json_check(arena, text_of(good[i]), NULL), 0);
    }
}

static void escapes_become_what_they_mean(void **state)
{
    json_t *tree;
    const char *source = "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\", \"a\\u00e9\\u6771\\ud834\\udd1e\xc3\xa9z\", \"\\u0041\"]";
    assert_int_equal(json_parse(arena, text_of(source), &tree, NULL), 0);
    assert_string_equal(json_string_value(json_array_get(tree, 0)), "\"\\/\b\f\n\r\t");
    assert_string_equal(json_string_value(json_array_get(tree, 1)), "a\xc3\xa9\xe6\x9d\xb1\xf0\x9d\x84\x9e\xc3\xa9z");
    assert_string_equal(json_string_value(json_array_get(tree, 2)), "A");
    assert_int_equal(json_parse(arena, text_of("{\"a\\u0062\":1}"), &tree, NULL), 0);
    assert_int_equal(json_get_integer(tree, "ab"), 1);
    assert_int_equal(json_parse(arena, text_of("{\"ab\":1,\"a\\u0062\":2}"), &tree, NULL), -EINVAL);
}

static void where_it_is_wrong_is_told(void **state)
{
    json_t *tree;
    struct err err = {0};
    assert_int_equal(json_parse(arena, text_of("{\"a\":\n  [1,\n  x]}"), &tree, &err), -EINVAL);
    assert_string_equal(err.message, "line 3, column 3: this is no value");
}

static void depth_is_limited(void **state)
{
    char source[2 * 66 + 1];
    for (int depth = 64; depth <= 65; depth++) {
        json_t *tree;
        memset(source, '[', (size_t)depth);
        memset(source + depth, ']', (size_t)depth);
        assert_int_equal(json_parse(arena, (struct text){source, 2 * (size_t)depth}, &tree, NULL), depth == 64 ? 0 : -EINVAL);
        assert_int_equal(json_check(arena, (struct text){source, 2 * (size_t)depth}, NULL), depth == 64 ? 0 : -EINVAL);
    }
    json_t *tree;
    char brackets[203] = "\"";
    memset(brackets + 1, '[', 200);
    brackets[201] = '"';
    assert_int_equal(json_parse(arena, (struct text){brackets, 202}, &tree, NULL), 0);
}

/* As many digits as the largest real has, and one more. */
static void size_of_a_number_is_limited(void **state)
{
    char digits[312];
    json_t *tree;
    memset(digits, '1', sizeof digits);
    for (size_t count = 308; count <= 311; count++) {
        const struct text number = {digits, count};
        assert_int_equal(json_parse(arena, number, &tree, NULL), count <= 309 ? 0 : -EINVAL);
        assert_int_equal(json_check(arena, number, NULL), count <= 309 ? 0 : -EINVAL);
    }
    const char *exponents[] = {"1e308", "-1E+308", "1e309", "-2E308", "[0,1e400]"};
    for (size_t i = 0; i < sizeof exponents / sizeof *exponents; i++) {
        assert_int_equal(json_parse(arena, text_of(exponents[i]), &tree, NULL), i < 2 ? 0 : -EINVAL);
        assert_int_equal(json_check(arena, text_of(exponents[i]), NULL), i < 2 ? 0 : -EINVAL);
    }
}

static void integers_beyond_64_bits_become_reals(void **state)
{
    json_t *tree;
    const char *source = "{\"a\":9223372036854775808,\"b\":-99999999999999999999,\"c\":\"9223372036854775808\",\"d\":7}";
    assert_int_equal(json_parse(arena, text_of(source), &tree, NULL), 0);
    assert_true(json_is_real(json_object_get(tree, "a")));
    assert_true(json_is_real(json_object_get(tree, "b")));
    assert_string_equal(json_get_string(tree, "c"), "9223372036854775808");
    assert_int_equal(json_get_integer(tree, "d"), 7);
    /* What fits is exact, however long. */
    assert_int_equal(json_parse(arena, text_of("[123456789012345678, 9223372036854775807, -9223372036854775808, -0]"), &tree, NULL), 0);
    assert_int_equal(json_integer_value(json_array_get(tree, 0)), 123456789012345678);
    assert_int_equal(json_integer_value(json_array_get(tree, 1)), INT64_MAX);
    assert_int_equal(json_integer_value(json_array_get(tree, 2)), INT64_MIN);
    assert_true(json_is_integer(json_array_get(tree, 3)));
}

static void members_that_are_absent_or_of_another_type_are_empty(void **state)
{
    json_t *tree = json_make(arena, "{s:i, s:b, s:s}", "number", 5, "flag", 1, "text", "x");
    assert_null(json_get_string(tree, "number"));
    assert_null(json_get_string(tree, "none"));
    assert_int_equal(json_get_integer(tree, "text"), 0);
    assert_true(json_get_bool(tree, "flag"));
    assert_false(json_get_bool(tree, "number"));
    assert_int_equal(json_get_integer(NULL, "x"), 0);
}

static void printing_is_compact_and_keeps_the_order(void **state)
{
    size_t size;
    json_t *tree = json_make(arena, "{s:s, s:[i,i], s:n}", "z", "\xc3\xa9", "a", 1, 2, "m");
    assert_string_equal(json_print(arena, tree, &size), "{\"z\":\"\xc3\xa9\",\"a\":[1,2],\"m\":null}");
    assert_int_equal(size, 29);
    char *large = arena_alloc(arena, 10001);
    memset(large, 'x', 10000);
    char *text = json_print(arena, json_make(arena, "[s]", large), &size);
    assert_int_equal(size, 10004);
    assert_int_equal(strlen(text), 10004);
}

static void reals_are_as_short_as_read_back_the_same(void **state)
{
    static const struct { double value; const char *text;
    } reals[] = {
        {0.734, "0.734"},
        {0.1, "0.1"},
        {-0.3, "-0.3"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1.0 / 3, "0.3333333333333333"},
        {2, "2.0"},
        {1.1e-7, "1.1e-07"},
        {1e-5, "1e-05"},
        {123456789.123, "123456789.123"},
        {1.7976931348623157e308, "1.7976931348623157e308"},
        {1e22, "1e22"},
        {9007199254740993.0, "9007199254740992.0"},
    };
    size_t size, count = sizeof reals / sizeof *reals;
    for (size_t i = 0; i < count; i++) {
        const char *text = json_print(arena, json_keep(arena, json_real(reals[i].value)), &size);
        assert_string_equal(text, reals[i].text);
        assert_int_equal(size, strlen(text));
        assert_true(strtod(text, NULL) == reals[i].value);
    }
    json_t *tree = json_make(arena, "{s:f, s:s, s:[f,b,n,i], s:f}", "0.73399999999999999", 0.734, "b\\\"",
                             "\\\"0.10000000000000001\\", "c", 0.1, 0, -7, "d", 0.3);
    assert_string_equal(json_print(arena, tree, &size), "{\"0.73399999999999999\":0.734,\"b\\\\\\\"\":\"\\\\\\\"0.10000000000000001\\\\\","
                                                        "\"c\":[0.1,false,null,-7],\"d\":0.3}");
    json_t *list = json_make(arena, "[]");
    for (int i = 0; i < 2000; i++)
        json_add_new(list, json_real(0.1));
    assert_int_equal(strlen(json_print(arena, list, &size)), 2000 * 4 + 1);
    assert_int_equal(size, 2000 * 4 + 1);
}

static void members_are_found_where_they_stand(void **state)
{
    struct json_member members[] = {{"a"}, {"b"}, {"c"}, {"d"}, {"e"}, {"absent"}};
    struct text source = text_of(" { \"x\":[{\"a\":0}], \"a\":\"\\u00e9\\n\", \"b\":-12 ,\"c\": {\"d\":[1,\"}\"]}, \"d\":1.5,"
                                 "\"x\":null, \"e\":9223372036854775808 } ");
    assert_int_equal(json_members(arena, source, members, 6, NULL), 0);
    assert_string_equal(members[0].string, "\xc3\xa9\n");
    assert_true(members[1].is_integer && members[1].integer == -12 && !members[1].string);
    assert_true(text_equal(members[2].raw, text_of("{\"d\":[1,\"}\"]}")));
    assert_true(!members[3].is_integer && text_equal(members[3].raw, text_of("1.5")));
    assert_true(!members[4].is_integer && members[4].raw.at);
    assert_true(!members[5].raw.at && !members[5].string);
    assert_string_equal(json_member_string(arena, text_of("{\"a\":\"b\", and so on"), "a"), "b"); /* no further than it has to */
    assert_null(json_member_string(arena, text_of("{\"a\":1}"), "a"));
}

static void objects_that_are_none_have_no_members(void **state)
{
    static const char *const bad[] = {
        "",           "[]",  "1",       "{",        "{}x",   "{} {}",         "{\"a\":1,\"a\":2}",   "{\"x\":01}",       "{\"x\":tru}",
        "{\"x\":1,}", "{,}", "{\"x\"}", "{\"x\":}", "{x:1}", "{\"x\":[1 2]}", "{\"x\":\"\\ud800\"}", "{\"x\":\"\xff\"}", "{\"a\":"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct json_member member = {"a"};
        struct err err = {0};
        assert_int_equal(json_members(arena, text_of(bad[i]), &member, 1, &err), -EINVAL);
        assert_true(err.message[0]);
    }
    struct json_member member = {"a"};
    char deep[2 * JSON_DEPTH_MAX + 3];
    memset(deep, '[', sizeof deep);
    memcpy(deep, "{\"a\":", 5);
    assert_int_equal(json_members(arena, (struct text){deep, sizeof deep}, &member, 1, NULL), -EINVAL);
}

static void text_is_what_a_tree_would_print(void **state)
{
    char all[256], large[9000];
    for (int i = 0; i < 127; i++)
        all[i] = (char)(i + 1);
    memcpy(all + 127, "\xc3\xbc\xe6\x9d\xb1", 6);
    memset(large, 'x', sizeof large);
    large[sizeof large - 1] = 0;
    struct text inner = text_of("[1]"), none = {0};
    const struct text made = json_text(arena, "ssnnippijj", "all", all, "absent", NULL, "null", NULL, "string", "", "least", INT64_MIN,
                                       "zero", INT64_C(0), "seven", INT64_C(7), "most", INT64_MAX, "inner", &inner, "none", &none);
    json_t *tree = json_make(arena, "{s:s, s:n, s:s, s:I, s:I, s:I, s:[i]}", "all", all, "null", "string", "", "least",
                             (json_int_t)INT64_MIN, "seven", (json_int_t)7, "most", (json_int_t)INT64_MAX, "inner", 1);
    assert_string_equal(made.at, json_print(arena, tree, NULL));
    assert_int_equal(made.size, strlen(made.at));
    const struct text much = json_text(arena, "sss", "a", large, "b", all, "c", large);
    assert_string_equal(much.at, json_print(arena, json_make(arena, "{s:s, s:s, s:s}", "a", large, "b", all, "c", large), NULL));
    assert_string_equal(json_text(arena, "").at, "{}");
    assert_string_equal(json_text_array(arena, (struct text[]){text_of("1"), text_of("{}")}, 2).at, "[1,{}]");
}

/* Each allocation failing in turn ends in the rescue, and nothing leaks (the sanitizer looks). */
static void short_memory_ends_the_work(void **state)
{
    jmp_buf rescue, *former = memory_rescue;
    static long n;
    static int finished;
    finished = 0;
    for (n = 1; n < 200 && !finished; n++) {
        struct arena *volatile own = arena_new();
        memory_rescue = &rescue;
        if (_setjmp(rescue) == 0) {
            json_t *tree;
            memory_fail_from(n);
            assert_int_equal(json_parse(own, text_of("{\"a\":[1,2,{\"b\":\"a text that outgrows the scanner's first room, and its next\"}],"
                                                     "\"d\":18446744073709551616}"), &tree, NULL), 0);
            arena_alloc(own, 5000);
            json_t *list = json_make(own, "[]"), *made = json_make(own, "{s:O, s:o, s:O, s:s*}", "tree", tree, "x", json_string("y"),
                                                                   "list", list, "kept", "though it may be left out");
            assert_int_equal(json_object_size(made), 4); /* nothing is left out for want of memory */
            json_add(list, tree);
            json_add_new(list, json_string("z"));
            json_put(made, "again", tree);
            json_put_new(made, "count", json_integer(2));
            size_t size;
            json_print(own, made, &size);
            assert_int_equal(json_array_size(list), 2);
            assert_int_equal(json_object_size(made), 6);
            finished = 1;
        }
        memory_fail_from(0);
        memory_rescue = former;
        arena_free(own);
    }
    assert_true(finished);
    assert_true(n > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_malformed_is_refused),
        cmocka_unit_test(a_nul_in_a_string_is_well_formed_but_not_taken),
        cmocka_unit_test(any_value_may_be_the_whole),
        cmocka_unit_test(escapes_become_what_they_mean),
        cmocka_unit_test(where_it_is_wrong_is_told),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(size_of_a_number_is_limited),
        cmocka_unit_test(integers_beyond_64_bits_become_reals),
        cmocka_unit_test(members_that_are_absent_or_of_another_type_are_empty),
        cmocka_unit_test(printing_is_compact_and_keeps_the_order),
        cmocka_unit_test(reals_are_as_short_as_read_back_the_same),
        cmocka_unit_test(members_are_found_where_they_stand),
        cmocka_unit_test(objects_that_are_none_have_no_members),
        cmocka_unit_test(text_is_what_a_tree_would_print),
        cmocka_unit_test(short_memory_ends_the_work),
    };
    json_begin();
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
