/* Refresh tokens: the same for the same session and generation, and no other bytes are one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "security/refresh_tokens.h"

#include <errno.h>
#include <sodium.h>

#define SESSION "0198f0aa-0000-7000-8000-00000000bbbb"

static struct arena *arena;

static int setup(void **state)
{
    arena = arena_new();
    return sodium_init() < 0 || !arena;
}

static int teardown(void **state)
{
    arena_free(arena);
    return 0;
}

static void test_round_trip(void **state)
{
    struct refresh_token token;
    const char *text = refresh_token_print(arena, "secret", SESSION, 41);
    assert_string_equal(text, refresh_token_print(arena, "secret", SESSION, 41));
    assert_int_equal(refresh_token_parse(arena, "secret", text_of(text), &token), 0);
    assert_string_equal(token.session_id, SESSION);
    assert_int_equal(token.generation, 41);
}

static void test_everything_counts(void **state)
{
    const char *text = refresh_token_print(arena, "secret", SESSION, 1);
    assert_string_not_equal(text, refresh_token_print(arena, "secret", SESSION, 2));
    assert_string_not_equal(text, refresh_token_print(arena, "other", SESSION, 1));
    assert_string_not_equal(text, refresh_token_print(arena, "secret", "0198f0aa-0000-7000-8000-00000000bbbc", 1));
    struct refresh_token token;
    assert_int_equal(refresh_token_parse(arena, "other", text_of(text), &token), -EACCES);
}

static void test_other_bytes_are_refused(void **state)
{
    struct refresh_token token;
    const char *text = refresh_token_print(arena, "secret", SESSION, 1);
    for (size_t i = 0; i < strlen(text); i++) {
        char *other = arena_strdup(arena, text);
        for (int flip = 1; flip < 256; flip *= 2) {
            other[i] = (char)(text[i] ^ flip);
            assert_int_equal(refresh_token_parse(arena, "secret", (struct text){other, strlen(text)}, &token), -EACCES);
        }
        assert_int_equal(refresh_token_parse(arena, "secret", (struct text){text, i}, &token), -EACCES);
    }
    const char *longer[] = {"%s.", "%sA", "%s ", " %s", "%s=", "v2.%s"};
    for (unsigned i = 0; i < sizeof longer / sizeof *longer; i++) {
        char *other = arena_alloc(arena, strlen(text) + 8);
        char *at = strstr(longer[i], "%s");
        size_t before = (size_t)(at - longer[i]);
        memcpy(other, longer[i], before);
        memcpy(other + before, text, strlen(text));
        memcpy(other + before + strlen(text), at + 2, strlen(at + 2));
        assert_int_equal(refresh_token_parse(arena, "secret", text_of(other), &token), -EACCES);
    }
    assert_int_equal(refresh_token_parse(arena, "secret", text_of(""), &token), -EACCES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_everything_counts),
        cmocka_unit_test(test_other_bytes_are_refused),
    };
    return cmocka_run_group_tests_name("security/refresh_tokens", tests, setup, teardown);
}
