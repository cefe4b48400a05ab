/* Passwords: what may be one, hashing and checking on fibers, and the bound on how many wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/on_fiber.h"
#include "security/passwords.h"

#include <errno.h>
#include <sodium.h>

#define CROWD 500 /* 2 at work and 64 waiting leave many too many */

static char *repeat(const char *unit, unsigned count)
{
    static char text[1024];
    text[0] = '\0';
    for (unsigned i = 0; i < count; i++)
        memcpy(text + i * strlen(unit), unit, strlen(unit) + 1);
    return text;
}

static void test_complaints(void **state)
{
    static const char *const bad[] = {"", "short", "1234567", "password", "PassWord1", "12345678", "qwertyuiop", "iloveyou", "trustno1"};
    static const char *const good[] = {"a long enough password", "correct horse battery staple", "Tr0ub4dor&3", "        ", "passwordpassword2"};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_non_null(password_complaint(bad[i]));
    for (unsigned i = 0; i < sizeof good / sizeof *good; i++)
        assert_null(password_complaint(good[i]));
    assert_non_null(password_complaint(repeat("\xc3\xa9", 7)));
    assert_null(password_complaint(repeat("\xc3\xa9", 8)));
    assert_null(password_complaint(repeat("\xc3\xa9", 256)));
    assert_non_null(password_complaint(repeat("x", 257)));
}

static void hash_and_check(void)
{
    char *encoded = NULL, *again = NULL;
    assert_int_equal(password_hash("a long enough password", &encoded), 0);
    assert_int_equal(password_hash("a long enough password", &again), 0);
    assert_string_not_equal(encoded, again);
    assert_non_null(strstr(encoded, "$argon2id$v=19$m=19456,t=2,p=1$"));
    assert_int_equal(password_verify(encoded, "a long enough password"), 0);
    assert_int_equal(password_verify(encoded, "a long enough passwore"), -EACCES);
    assert_int_equal(password_verify(encoded, ""), -EACCES);
    assert_int_equal(password_verify(NULL, "a long enough password"), -EACCES);
    assert_int_equal(password_verify("no hash", "a long enough password"), -EACCES);
}

static int busy, refused, cancelled, ended;

static void check_one(void *arg)
{
    int result = password_verify(NULL, "whatever it is");
    busy += result == -EACCES;
    refused += result == -EBUSY;
    cancelled += result == -ETIMEDOUT;
    ended++;
}

static void check_in_a_hurry(void *arg)
{
    fiber_narrow_deadline(1);
    check_one(arg);
}

static void crowd(void)
{
    for (int i = 0; i < CROWD; i++)
        assert_int_equal(fiber_start("crowd", check_one, NULL), 0);
    /* Nothing has waited yet, so what is refused was refused at once. */
    assert_true(refused > 0);
    assert_int_equal(ended, refused);
    assert_true(passwords_are_busy());
    while (ended < CROWD)
        fiber_sleep(5);
    assert_int_equal(busy + refused, CROWD);
    assert_true(busy >= 64);
    assert_false(passwords_are_busy());
}

static void hurry(void)
{
    busy = refused = cancelled = ended = 0;
    for (int i = 0; i < 20; i++)
        assert_int_equal(fiber_start("hurry", check_in_a_hurry, NULL), 0);
    while (ended < 20)
        fiber_sleep(5);
    assert_int_equal(busy + cancelled, 20);
    assert_true(cancelled > 0);
}

static void body(void)
{
    assert_int_equal(passwords_start(), 0);
    hash_and_check();
    crowd();
    hurry();
    passwords_stop();
}

static void test_on_fibers(void **state)
{
    on_fiber(1, body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_complaints), cmocka_unit_test(test_on_fibers)};
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests_name("security/passwords", tests, NULL, NULL);
}
