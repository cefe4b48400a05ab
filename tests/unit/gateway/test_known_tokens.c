/* What a worker remembers of tokens: those that live, and not for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "gateway/known_tokens.h"

#define NAME_SIZE 32

static struct text name(char buffer[NAME_SIZE], const char *kind, unsigned number)
{
    return (struct text){buffer, (size_t)snprintf(buffer, NAME_SIZE, "%s.%u", kind, number)};
}

static void add(const char *kind, unsigned count, int64_t expires_wall_ms)
{
    char buffer[NAME_SIZE];
    struct token_claims claims = {.user_id = "user", .role = "admin", .session_id = "session", .expires_wall_ms = expires_wall_ms};
    for (unsigned i = 0; i < count; i++)
        known_tokens_add(name(buffer, kind, i), &claims);
}

static unsigned known(const char *kind, unsigned count)
{
    char buffer[NAME_SIZE];
    unsigned found = 0;
    for (unsigned i = 0; i < count; i++)
        found += known_tokens_find(name(buffer, kind, i)) != NULL;
    return found;
}

static void a_token_is_known_with_what_it_says(void **state)
{
    add("one", 1, INT64_MAX);
    const struct known_token *token = known_tokens_find(text_of("one.0"));
    assert_non_null(token);
    assert_string_equal(token->user_id, "user");
    assert_string_equal(token->role, "admin");
    assert_string_equal(token->session_id, "session");
    assert_null(known_tokens_find(text_of("one.1")));
    known_tokens_forget(known_tokens_find(text_of("one.0")));
    assert_null(known_tokens_find(text_of("one.0")));
}

/* Five for each set on average: most sets took one after the expired ones, few are full. */
static void what_has_expired_takes_no_place(void **state)
{
    add("old", 1000, clock_wall_ms() - 1);
    add("new", 40000, INT64_MAX);
    assert_true(known("old", 1000) < 100);
    assert_true(known("new", 40000) > 35000);
}

int main(void)
{
    known_tokens_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_known_with_what_it_says),
        cmocka_unit_test(what_has_expired_takes_no_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
