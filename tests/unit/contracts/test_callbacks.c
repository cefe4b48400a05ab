/* Signatures of provider callbacks. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "contracts/callbacks.h"

#include <errno.h>

static const char secret[] = "a secret";

static void test_round_trip(void **state)
{
    struct arena *arena = arena_new();
    struct text body = text_of("{\"id\":\"evt_1\"}");
    struct text header = text_of(callback_sign(arena, secret, 1000, body));
    assert_int_equal(callback_verify(secret, 1000, header, body), 0);
    assert_int_equal(callback_verify(secret, 1000 + CALLBACK_AGE_MAX_S, header, body), 0);
    assert_int_equal(callback_verify(secret, 1001 + CALLBACK_AGE_MAX_S, header, body), -EACCES);
    assert_int_equal(callback_verify(secret, 999 - CALLBACK_AGE_MAX_S, header, body), -EACCES);
    assert_int_equal(callback_verify("another", 1000, header, body), -EACCES);
    assert_int_equal(callback_verify(secret, 1000, header, text_of("{\"id\":\"evt_2\"}")), -EACCES);
    arena_free(arena);
}

static void test_known_value(void **state)
{
    struct text header = text_of("t=1000,v1=24fd3ab691b95e84443bf8391ad2c9a606cfc081a14f55c823be709eea7db858");
    assert_int_equal(callback_verify(secret, 1000, header, text_of("{}")), 0);
}

static void test_malformed(void **state)
{
    static const char *const headers[] = {"", "t=1000", "v1=00", "t=1000,v1=", "t=1000,v1=00", "t=x,v1=00", "t=,v1=00", "t=1000;v1=00", "t=1000,v1=00,v1=00"};
    for (unsigned i = 0; i < sizeof headers / sizeof *headers; i++)
        assert_int_equal(callback_verify(secret, 1000, text_of(headers[i]), text_of("{}")), -EACCES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_known_value),
        cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
