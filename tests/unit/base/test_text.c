/* Slices, numbers, UTF-8, buffers, hexadecimal and base64url. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/text.h"

#include <errno.h>

#define T(literal) ((struct text){literal, sizeof(literal) - 1})

static void comparing(void **state)
{
    assert_true(text_equal(T("abc"), T("abc")));
    assert_false(text_equal(T("abc"), T("abC")));
    assert_true(text_equal((struct text){NULL, 0}, T("")));
    assert_true(text_equal_nocase(T("Content-TYPE"), T("content-type")));
    assert_false(text_equal_nocase(T("a@"), T("a`")));
    assert_false(text_equal_nocase(T("a"), T("ab")));
    assert_true(text_starts(T("abc"), T("ab")));
    assert_true(text_starts(T("abc"), T("")));
    assert_false(text_starts(T("a"), T("ab")));
    assert_int_equal(text_trim(T(" \ta b\t ")).size, 3);
    assert_int_equal(text_trim(T("  ")).size, 0);
}

static void splitting(void **state)
{
    const struct {
        struct text whole;
        const char *parts[4];
    } cases[] = {
        {T("a,b,c"), {"a", "b", "c"}}, {T("a"), {"a"}}, {T("a,"), {"a", ""}}, {T(",a"), {"", "a"}}, {T(",,"), {"", "", ""}}, {T(""), {""}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text rest = cases[i].whole, part;
        int n = 0;
        while (text_split(&rest, ',', &part)) {
            assert_non_null(cases[i].parts[n]);
            assert_true(text_equal(part, text_of(cases[i].parts[n])));
            n++;
        }
        assert_null(cases[i].parts[n]);
    }
    struct text none = {NULL, 0}, part;
    assert_false(text_split(&none, ',', &part));
    assert_int_equal(part.size, 0);
}

static void numbers(void **state)
{
    const struct {
        const char *digits;
        int code;
        int64_t value;
    } cases[] = {
        {"0", 0, 0}, {"007", 0, 7}, {"9223372036854775807", 0, INT64_MAX}, {"9223372036854775808", -ERANGE, 0},
        {"99999999999999999999999", -ERANGE, 0}, {"", -EINVAL, 0}, {"-1", -EINVAL, 0}, {"+1", -EINVAL, 0}, {" 1", -EINVAL, 0},
        {"1 ", -EINVAL, 0}, {"1a", -EINVAL, 0}, {"99999999999999999999999a", -EINVAL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t value = 0;
        assert_int_equal(text_to_int64(text_of(cases[i].digits), &value), cases[i].code);
        assert_int_equal(value, cases[i].value);
    }
}

static void printed_numbers(void **state)
{
    const struct {
        int64_t number;
        const char *digits;
    } cases[] = {{0, "0"}, {7, "7"}, {-10, "-10"}, {INT64_MAX, "9223372036854775807"}, {INT64_MIN, "-9223372036854775808"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char room[DECIMAL_ROOM];
        assert_true(text_equal(decimal_print(cases[i].number, room), text_of(cases[i].digits)));
    }
}

static void utf8(void **state)
{
    const char *good[] = {"", "abc", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf"};
    const char *bad[] = {"\x80", "\xc3", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80",
                         "\xf5\x80\x80\x80", "\xe2\x82", "\xff", "a\xe2(\xa1"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(text_is_utf8(text_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(text_is_utf8(text_of(bad[i])));
}

static void buffers(void **state)
{
    struct buffer buffer = {0};
    for (int i = 0; i < 1000; i++)
        buffer_printf(&buffer, "%d,", i);
    assert_false(buffer.failed);
    assert_memory_equal(buffer.at, "0,1,2,3,", 8);
    assert_int_equal(buffer.at[buffer.size], 0);
    size_t size = buffer.size;
    buffer_take(&buffer, 4);
    assert_int_equal(buffer.size, size - 4);
    assert_memory_equal(buffer.at, "2,3,", 4);
    buffer_take(&buffer, 1 << 30);
    assert_int_equal(buffer.size, 0);
    buffer_add_string(&buffer, "again");
    assert_string_equal(buffer.at, "again");
    buffer_fini(&buffer);
}

static void a_buffer_that_cannot_grow_says_so(void **state)
{
    struct buffer buffer = {0};
    buffer_add_string(&buffer, "kept");
    char *large = calloc(1, 1000);
    memory_fail_from(1);
    buffer_add(&buffer, large, 1000);
    memory_fail_from(0);
    assert_true(buffer.failed);
    buffer_add_string(&buffer, "dropped");
    assert_int_equal(buffer.size, 4);
    free(large);
    buffer_fini(&buffer);
    assert_false(buffer.failed);
    buffer_add(&buffer, "x", SIZE_MAX / 2);
    assert_true(buffer.failed);
    buffer_fini(&buffer);
}

static void base64url(void **state)
{
    const struct {
        struct text plain, coded;
    } cases[] = {{T(""), T("")}, {T("f"), T("Zg")}, {T("fo"), T("Zm8")}, {T("foo"), T("Zm9v")}, {T("\xfb\xff\xfe"), T("-__-")}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[BASE64URL_SIZE(8)], back[8];
        assert_int_equal(base64url_encode(cases[i].plain.at, cases[i].plain.size, out), cases[i].coded.size);
        assert_string_equal(out, cases[i].coded.at);
        assert_int_equal(base64url_decode(cases[i].coded, back, sizeof back), cases[i].plain.size);
        assert_memory_equal(back, cases[i].plain.at, cases[i].plain.size);
    }
    char room[4];
    const char *bad[] = {"Zg==", "Zg=", "Z", "Zh", "Zm9", "Z+", "Z/", "Zg ", " Zg"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(base64url_decode(text_of(bad[i]), room, sizeof room), -EINVAL);
    assert_int_equal(base64url_decode(T("AAAAAAAA"), room, sizeof room), -ENOSPC);
}

static void hexadecimal(void **state)
{
    char hex[7];
    hex_encode("\x00\xab\xff", 3, hex);
    assert_string_equal(hex, "00abff");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing),
        cmocka_unit_test(splitting),
        cmocka_unit_test(numbers),
        cmocka_unit_test(printed_numbers),
        cmocka_unit_test(utf8),
        cmocka_unit_test(buffers),
        cmocka_unit_test(a_buffer_that_cannot_grow_says_so),
        cmocka_unit_test(base64url),
        cmocka_unit_test(hexadecimal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
