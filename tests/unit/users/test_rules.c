/* Tables of the user service's decisions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "users/rules.h"

static void test_emails(void **state)
{
    static const char *const good[] = {"a@b.co", "ada@example.com", "Ada.Lovelace+tag@Example.COM", "x_y-z@a-b.c-d.org", "'o@b.ie",
                                       "a@xn--bcher-kva.de", "a!#$%&*/=?^`{|}~b@c.de", "\"q q\"@example.com", "\"a\"@b.co",
                                       "\"a@b..\"@c.de", "\"a\\\"b\\\\\\ \"@c.de", "\"\"@b.co"};
    static const char *const bad[] = {"", "no", "@", "a@", "@b.co", "a@b", "a@b.", "a@.b", "a@b..co", "a b@c.de", "a@b c.de", "a@-b.co", "a@b-.co",
                                      ".a@b.co", "a.@b.co", "a..b@c.de", "a@b@c.de", "a,b@c.de", "<a@b.co>", "a@[127.0.0.1]", "a\n@b.co",
                                      "a@b_c.de", "a@b.co\x7f", "\"@b.co", "\"a@b.co", "a\"@b.co", "\"a\"b\"@c.de", "\"a\\\"@b.co",
                                      "\"a\"b@c.de", "a.\"b\"@c.de", "\"a\nb\"@c.de", "\"a\x7f\"@b.co", "\"jos\xc3\xa9\"@b.de", "\"\\\x01\"@b.de",
                                      "jos\xc3\xa9@b.de", ("a@b\xc3\xbc" "cher.de"), "a@b.c d"};
    char local[100] = {0}, total[400] = {0};
    memset(local, 'a', 65);
    memcpy(local + 65, "@b.co", 6);
    memset(total, 'a', 10);
    total[10] = '@';
    for (int i = 11; i < 280; i++)
        total[i] = i % 50 == 0 ? '.' : 'b';
    for (unsigned i = 0; i < sizeof good / sizeof *good; i++)
        if (!email_is_valid(good[i]))
            fail_msg("refused: %s", good[i]);
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        if (email_is_valid(bad[i]))
            fail_msg("accepted: %s", bad[i]);
    assert_false(email_is_valid(local));
    assert_true(email_is_valid(local + 1));
    local[0] = local[64] = '"';
    assert_false(email_is_valid(local));
    local[1] = '"';
    assert_true(email_is_valid(local + 1));
    assert_false(email_is_valid(total));
}

static void test_email_keys(void **state)
{
    struct arena *arena = arena_new();
    assert_string_equal(email_key(arena, "Ada@Example.COM"), "ada@example.com");
    assert_string_equal(email_key(arena, "\xc3\x89@b.co"), "\xc3\x89@b.co");
    assert_string_equal(email_key(arena, "\"Ada\"@Example.COM"), "ada@example.com");
    assert_string_equal(email_key(arena, "\"\\Ada.l\"@b.co"), "ada.l@b.co");
    assert_string_equal(email_key(arena, "\"Q q\"@b.co"), "\"q q\"@b.co");
    assert_string_equal(email_key(arena, "\"a\\b \\\"\\\\c\"@b.co"), "\"ab \\\"\\\\c\"@b.co");
    assert_string_equal(email_key(arena, "\"\"@b.co"), "\"\"@b.co");
    static const char *const odd[] = {"", "\"", "@", "\"@", "\"\"@", "\"a\"", "\"a\\\"@b.co"};
    for (unsigned i = 0; i < sizeof odd / sizeof *odd; i++)
        assert_string_equal(email_key(arena, odd[i]), odd[i]);
    arena_free(arena);
}

static void test_names_and_roles(void **state)
{
    assert_true(name_is_valid("Ada"));
    assert_true(name_is_valid(" Ada Lovelace "));
    assert_false(name_is_valid(""));
    assert_false(name_is_valid("   "));
    assert_false(name_is_valid("Ada\nLovelace"));
    assert_true(role_is_valid("user"));
    assert_true(role_is_valid("admin"));
    assert_false(role_is_valid("king"));
    assert_false(role_is_valid("Admin"));
}

static void test_refresh(void **state)
{
    static const struct { int64_t generation, current, rotated, now; enum refresh_decision want; } cases[] = {
        {1, 1, 0, 0, REFRESH_ROTATE}, {7, 7, 0, 1000000, REFRESH_ROTATE},
        {1, 2, 1000, 1000, REFRESH_REPEAT}, {1, 2, 1000, 11000, REFRESH_REPEAT}, {1, 2, 1000, 11001, REFRESH_REUSED},
        {1, 2, 1000, 500, REFRESH_REPEAT}, {1, 2, 11000, 1000, REFRESH_REPEAT}, {1, 2, 11001, 1000, REFRESH_REUSED}, /* the clock was set back */
        {1, 3, 1000, 1000, REFRESH_REUSED}, {0, 1, 0, 0, REFRESH_REPEAT}, {5, 2, 1000, 1000, REFRESH_REUSED}, {3, 2, 0, 0, REFRESH_REUSED},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(refresh_decide(cases[i].generation, cases[i].current, cases[i].rotated, cases[i].now), cases[i].want);
}

static void test_origins(void **state)
{
    const char *listed = "https://shop.example, http://localhost:5173";
    static const struct { const char *origin, *host; bool want; } cases[] = {
        {"https://shop.example", "api.example", true}, {"http://localhost:5173", "", true}, {"https://api.example", "api.example", true},
        {"http://127.0.0.1:3000", "127.0.0.1:3000", true}, {"https://API.example", "api.EXAMPLE", true},
        {"", "api.example", false}, {"null", "api.example", false}, {"https://evil.example", "api.example", false},
        {"https://api.example.evil", "api.example", false}, {"https://shop.example.evil", "api.example", false},
        {"https://shop.example/", "api.example", false}, {"http://127.0.0.1:3001", "127.0.0.1:3000", false}, {"ftp://api.example", "api.example", false},
        {"https://", "", false}, {"api.example", "api.example", false},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        if (origin_is_trusted(text_of(cases[i].origin), text_of(cases[i].host), listed) != cases[i].want)
            fail_msg("%s for %s", cases[i].origin, cases[i].host);
}

static void test_cookies(void **state)
{
    static const struct { const char *field, *want; } cases[] = {
        {"__Secure-purser=abc", "abc"}, {"a=b; __Secure-purser=abc; c=d", "abc"}, {"a=b;__Secure-purser=abc", "abc"}, {"__Secure-purser=", ""},
        {"__Secure-purser2=abc", NULL}, {"x__Secure-purser=abc", NULL}, {"", NULL}, {"__Secure-purser", NULL}, {"a=__Secure-purser=abc", NULL},
        {"__secure-purser=abc", NULL},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text value = cookie_value(text_of(cases[i].field), "__Secure-purser");
        if (!cases[i].want)
            assert_null(value.at);
        else
            assert_true(text_equal(value, text_of(cases[i].want)));
    }
    assert_null(cookie_value((struct text){NULL, 0}, "__Secure-purser").at);
}

static void test_backoff(void **state)
{
    static const int64_t want[] = {0, 0, 0, 0, 0, 100, 200, 400, 800, 1600, 2000, 2000};
    for (unsigned i = 0; i < sizeof want / sizeof *want; i++)
        assert_int_equal(backoff_delay_ms(i), want[i]);
    assert_int_equal(backoff_delay_ms(4000000000u), 2000);
}

static void test_keys(void **state)
{
    const int64_t from[] = {1000, 2000, 3000};
    assert_int_equal(key_that_signs(from, 1, 0), 0);
    assert_int_equal(key_that_signs(from, 3, 1999), 0);
    assert_int_equal(key_that_signs(from, 3, 2000), 1);
    assert_int_equal(key_that_signs(from, 3, 5000), 2);
    /* The newest always, before and after it signs; an old one until its last token and a minute are over. */
    assert_true(key_is_published(from, 3, 2, 0, 900));
    assert_true(key_is_published(from, 3, 2, INT64_MAX, 900));
    assert_true(key_is_published(from, 3, 0, 2000 + 900 + 60000, 900));
    assert_false(key_is_published(from, 3, 0, 2000 + 900 + 60001, 900));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_emails),
        cmocka_unit_test(test_email_keys),
        cmocka_unit_test(test_names_and_roles),
        cmocka_unit_test(test_refresh),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_cookies),
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests_name("users/rules", tests, NULL, NULL);
}
