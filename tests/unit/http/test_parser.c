/* Tables of good and bad heads and chunked bodies, each in one piece and at every split. */
#include "http/parser.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct http_head head;

/* 0 or the status of the refusal; 1 when it is not whole. `step` bytes come at a time. */
static int parse(const char *bytes, size_t size, size_t step)
{
    size_t scanned = 0, have = 0;
    const char *why = NULL;
    for (;;) {
        have = size - have > step ? have + step : size;
        long found = http_head_find((struct text){bytes, have}, &scanned);
        if (found < 0)
            return (int)-found;
        if (found > 0) {
            int status = http_request_parse((struct text){bytes, (size_t)found}, &head, &why);
            assert_true(!status || why);
            return status;
        }
        if (have == size)
            return 1;
    }
}

#define H "Host: x\r\n"

static void test_good_requests(void **state)
{
    static const struct {
        const char *bytes, *method, *target, *path, *query;
        unsigned fields;
        enum http_body body;
        bool keep_alive;
    } cases[] = {
        {"GET / HTTP/1.1\r\n" H "\r\n", "GET", "/", "/", "", 1, HTTP_BODY_NONE, true},
        {"GET /a/b?c=d&e HTTP/1.1\r\n" H "\r\n", "GET", "/a/b?c=d&e", "/a/b", "c=d&e", 1, HTTP_BODY_NONE, true},
        {"GET /? HTTP/1.1\r\n" H "\r\n", "GET", "/?", "/", "", 1, HTTP_BODY_NONE, true},
        {"GET /%41?%20 HTTP/1.1\r\n" H "\r\n", "GET", "/%41?%20", "/%41", "%20", 1, HTTP_BODY_NONE, true},
        {"GET / HTTP/1.0\r\n\r\n", "GET", "/", "/", "", 0, HTTP_BODY_NONE, false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET", "/", "/", "", 1, HTTP_BODY_NONE, true},
        {"GET / HTTP/1.1\r\n" H "Connection: foo, Close\r\n\r\n", "GET", "/", "/", "", 2, HTTP_BODY_NONE, false},
        {"POST / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", "POST", "/", "/", "", 2, HTTP_BODY_NONE, true},
        {"POST / HTTP/1.1\r\n" H "content-LENGTH: \t12 \r\n\r\n", "POST", "/", "/", "", 2, HTTP_BODY_LENGTH, true},
        {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: CHUNKED\r\n\r\n", "POST", "/", "/", "", 2, HTTP_BODY_CHUNKED, true},
        {"OPTIONS * HTTP/1.1\r\n" H "\r\n", "OPTIONS", "*", "*", "", 1, HTTP_BODY_NONE, true},
        {"BREW /pot HTTP/1.1\r\n" H "\r\n", "BREW", "/pot", "/pot", "", 1, HTTP_BODY_NONE, true},
        {"GET / HTTP/1.1\r\nHost: [::1]:80\r\nX:\r\nY: a \x80 b\r\n\r\n", "GET", "/", "/", "", 3, HTTP_BODY_NONE, true},
        {"GET http://x.example:80/p?q HTTP/1.1\r\n" H "\r\n", "GET", "http://x.example:80/p?q", "/p", "q", 1, HTTP_BODY_NONE, true},
        {"GET https://x.example HTTP/1.1\r\n" H "\r\n", "GET", "https://x.example", "/", "", 1, HTTP_BODY_NONE, true},
        {"\r\nGET / HTTP/1.1\r\n" H "\r\n", "GET", "/", "/", "", 1, HTTP_BODY_NONE, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t step = 1; step <= strlen(cases[i].bytes); step++) {
            int status = parse(cases[i].bytes, strlen(cases[i].bytes), step);
            if (status)
                fail_msg("case %zu at step %zu: %d", i, step, status);
            assert_true(text_equal(head.method_name, text_of(cases[i].method)));
            assert_true(text_equal(head.path, text_of(cases[i].path)));
            assert_true(text_equal(head.query, text_of(cases[i].query)));
            assert_int_equal(head.count, cases[i].fields);
            assert_int_equal(head.body, cases[i].body);
            assert_int_equal(head.keep_alive, cases[i].keep_alive);
        }
}

static void test_bad_requests(void **state)
{
    static const struct {
        const char *bytes;
        size_t size; /* where there are NULs in it */
        int status;
    } cases[] = {
        {"GET /\r\n\r\n", 0, 400},
        {"GET  / HTTP/1.1\r\n" H "\r\n", 0, 400},
        {"GET / HTTP/1.1 \r\n" H "\r\n", 0, 400},
        {" GET / HTTP/1.1\r\n" H "\r\n", 0, 400},
        {"GET\t/ HTTP/1.1\r\n" H "\r\n", 0, 400},
        {"GE(T / HTTP/1.1\r\n" H "\r\n", 0, 400},
        {"\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", 0, 400},
        {"\nGET / HTTP/1.1\r\n" H "\r\n", 0, 400},
        {"GET / http/1.1\r\n" H "\r\n", 0, 400},
        {"GET / HTTP/1.2\r\n" H "\r\n", 0, 505},
        {"GET / HTTP/2.0\r\n" H "\r\n", 0, 505},
        {"GET / HTTP/11.1\r\n" H "\r\n", 0, 400},
        {"GET x HTTP/1.1\r\n" H "\r\n", 0, 400},
        {"GET * HTTP/1.1\r\n" H "\r\n", 0, 400},
        {"GET /a#b HTTP/1.1\r\n" H "\r\n", 0, 400},
        {"GET /a b HTTP/1.1\r\n" H "\r\n", 0, 400},
        {"GET /a\"b HTTP/1.1\r\n" H "\r\n", 0, 400},
        {"GET /%4 HTTP/1.1\r\n" H "\r\n", 0, 400},
        {"GET /%zz HTTP/1.1\r\n" H "\r\n", 0, 400},
        {"GET /\x80 HTTP/1.1\r\n" H "\r\n", 0, 400},
        {"GET http:///p HTTP/1.1\r\n" H "\r\n", 0, 400},
        {"GET http://user@x/p HTTP/1.1\r\n" H "\r\n", 0, 400},
        {"GET ftp://x/p HTTP/1.1\r\n" H "\r\n", 0, 400},
        {"CONNECT x:80 HTTP/1.1\r\n" H "\r\n", 0, 501},
        {"GET / HTTP/1.1\n" H "\n", 0, 400},
        {"GET / HTTP/1.1\r\nHost: x\n\r\n", 0, 400},
        {"GET / HTTP/1.1\r\nHost: x\r\n\n", 0, 400},
        {"GET / HTTP/1.1\r\n\r\n", 0, 400},
        {"GET / HTTP/1.1\r\n" H H "\r\n", 0, 400},
        {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 0, 400},
        {"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", 0, 400},
        {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 0, 400},
        {"GET / HTTP/1.1\r\nHost: x:port\r\n\r\n", 0, 400},
        {"GET / HTTP/1.1\r\nHost: x@y\r\n\r\n", 0, 400},
        {"GET / HTTP/1.1\r\n" H "Authorization: a\r\nauthorization: a\r\n\r\n", 0, 400},
        {"GET / HTTP/1.1\r\n" H "Content-Type: a\r\nA: b\r\nContent-Type: b\r\n\r\n", 0, 400},
        {"GET / HTTP/1.1\r\n" H "Idempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n", 0, 400},
        {"GET / HTTP/1.1\r\n" H "Origin: a\r\nORIGIN: b\r\n\r\n", 0, 400},
        {"GET / HTTP/1.1\r\n" H " folded\r\n\r\n", 0, 400},
        {"GET / HTTP/1.1\r\n" H "\tfolded\r\n\r\n", 0, 400},
        {"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 0, 400},
        {"GET / HTTP/1.1\r\n" H "no colon\r\n\r\n", 0, 400},
        {"GET / HTTP/1.1\r\n" H ": empty\r\n\r\n", 0, 400},
        {"GET / HTTP/1.1\r\n" H "a b: c\r\n\r\n", 0, 400},
        {"GET / HTTP/1.1\r\n" H "a: b\rc\r\n\r\n", 0, 400},
        {"GET / HTTP/1.1\r\n" H "a: b\x01\r\n\r\n", 0, 400},
        {"GET / HTTP/1.1\r\n" H "a: b\x7f\r\n\r\n", 0, 400},
        {"GET / HTTP/1.1\r\n" H "a: b\0c\r\n\r\n", 35, 400},
        {"GET / HTTP/1.1\r\n" H "a\0b: c\r\n\r\n", 35, 400},
        {"POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 0, 400},
        {"POST / HTTP/1.1\r\n" H "Content-Length: 5, 5\r\n\r\n", 0, 400},
        {"POST / HTTP/1.1\r\n" H "Content-Length: +5\r\n\r\n", 0, 400},
        {"POST / HTTP/1.1\r\n" H "Content-Length: -5\r\n\r\n", 0, 400},
        {"POST / HTTP/1.1\r\n" H "Content-Length: 0x5\r\n\r\n", 0, 400},
        {"POST / HTTP/1.1\r\n" H "Content-Length: 5 5\r\n\r\n", 0, 400},
        {"POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", 0, 400},
        {"POST / HTTP/1.1\r\n" H "Content-Length: 99999999999999999999\r\n\r\n", 0, 413},
        {"POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 0, 400},
        {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 0, 400},
        {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n", 0, 501},
        {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n", 0, 501},
        {"POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 0, 400},
        {"POST / HTTP/1.1\r\n" H "Expect: 200-ok\r\n\r\n", 0, 417},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size = cases[i].size ? cases[i].size : strlen(cases[i].bytes);
        for (size_t step = 1; step <= size; step++) {
            int status = parse(cases[i].bytes, size, step);
            if (status != cases[i].status)
                fail_msg("case %zu at step %zu: %d instead of %d", i, step, status, cases[i].status);
        }
    }
}

/* A target that cannot be read is refused when all else is known: who asked for it, and how. */
static void test_bad_targets_leave_the_head(void **state)
{
    static const char *const targets[] = {"/orders/%", "/products/%E0%A4%A", "/?q=%zz"};
    (void)state;
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        char bytes[128];
        (void)snprintf(bytes, sizeof bytes, "GET %s HTTP/1.1\r\n" H "Accept: text/html\r\n\r\n", targets[i]);
        assert_int_equal(parse(bytes, strlen(bytes), strlen(bytes)), 400);
        assert_int_equal(head.method, HTTP_GET);
        assert_true(text_starts(text_of(targets[i]), head.path));
        assert_int_equal(head.count, 2);
        assert_true(text_equal(head.headers[1].value, text_of("text/html")));
    }
}

/* A head with `line` bytes of target and `count` fields of `size` bytes. */
static int parse_large(size_t line, unsigned count, size_t size)
{
    struct buffer out = {0};
    buffer_add_string(&out, "GET /");
    for (size_t i = 1; i < line; i++)
        buffer_add(&out, "a", 1);
    buffer_add_string(&out, " HTTP/1.1\r\nHost: x\r\n");
    for (unsigned i = 1; i < count; i++) {
        buffer_add_string(&out, "a:");
        for (size_t k = 2; k < size; k++)
            buffer_add(&out, "b", 1);
        buffer_add_string(&out, "\r\n");
    }
    buffer_add_string(&out, "\r\n");
    int status = parse(out.at, out.size, out.size), slowly = parse(out.at, out.size, 7);
    assert_int_equal(status, slowly);
    buffer_fini(&out);
    return status;
}

static void test_limits(void **state)
{
    assert_int_equal(parse_large(8000, 1, 0), 0);
    assert_int_equal(parse_large(8300, 1, 0), 414);
    assert_int_equal(parse_large(40000, 1, 0), 414);
    assert_int_equal(parse_large(10, 100, 100), 0);
    assert_int_equal(parse_large(10, 101, 100), 431);
    assert_int_equal(parse_large(10, 90, 400), 431);
    assert_int_equal(parse_large(10, 2, 33000), 431);
}

static int parse_answer(const char *bytes, bool to_head)
{
    size_t scanned = 0;
    long size = http_head_find(text_of(bytes), &scanned);
    assert_true(size > 0);
    return http_response_parse((struct text){bytes, (size_t)size}, to_head, &head);
}

static void test_responses(void **state)
{
    assert_int_equal(parse_answer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", false), 0);
    assert_int_equal(head.status, 200);
    assert_int_equal(head.body, HTTP_BODY_LENGTH);
    assert_true(head.keep_alive);
    assert_int_equal(parse_answer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", true), 0);
    assert_int_equal(head.body, HTTP_BODY_NONE);
    assert_int_equal(parse_answer("HTTP/1.1 204\r\n\r\n", false), 0);
    assert_int_equal(head.body, HTTP_BODY_NONE);
    assert_int_equal(parse_answer("HTTP/1.1 200 \r\n\r\n", false), 0);
    assert_int_equal(head.body, HTTP_BODY_UNTIL_CLOSE);
    assert_false(head.keep_alive);
    assert_int_equal(parse_answer("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", false), 0);
    assert_int_equal(head.body, HTTP_BODY_NONE);
    assert_int_equal(parse_answer("HTTP/1.1 20 OK\r\n\r\n", false), -EPROTO);
    assert_int_equal(parse_answer("HTTP/1.1 2000 OK\r\n\r\n", false), -EPROTO);
    assert_int_equal(parse_answer("HTTP/1.1 099 OK\r\n\r\n", false), -EPROTO);
    assert_int_equal(parse_answer("HTTP/3.1 200 OK\r\n\r\n", false), -EPROTO);
    assert_int_equal(parse_answer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", false), -EPROTO);
}

/* 1 whole, 0 not, negative refused; the body is in `out`. */
static int decode(const char *bytes, size_t step, size_t size_max, struct buffer *out, size_t *ret_used)
{
    struct http_chunks chunks = {0};
    size_t size = strlen(bytes), at = 0;
    int result = 0;
    while (at < size && !result) {
        size_t used, there = size - at < step ? size - at : step;
        result = http_chunks_feed(&chunks, (struct text){bytes + at, there}, out, size_max, &used);
        at += used;
    }
    *ret_used = at;
    return result;
}

static void test_chunked(void **state)
{
    static const struct {
        const char *bytes, *body;
        int result;
    } cases[] = {
        {"0\r\n\r\n", "", 1},
        {"5\r\nhello\r\n0\r\n\r\n", "hello", 1},
        {"00005\r\nhello\r\n000\r\n\r\n", "hello", 1},
        {"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789", 1},
        {"1;a\r\nx\r\n1;a=b\r\ny\r\n1;a=\"q;\tr\";c\r\nz\r\n0;d\r\n\r\n", "xyz", 1},
        {"1\r\nx\r\n0\r\nTrailer: v\r\nOther:\r\n\r\n", "x", 1},
        {"1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n", "x", 1},
        {"5\r\nhel", "hel", 0},
        {"", "", 0},
        {"\r\n", "", -EBADMSG},
        {"g\r\n", "", -EBADMSG},
        {"-1\r\n", "", -EBADMSG},
        {"+1\r\n", "", -EBADMSG},
        {"0x1\r\n", "", -EBADMSG},
        {" 1\r\nx\r\n", "", -EBADMSG},
        {"1 \r\nx\r\n", "", -EBADMSG},
        {"1\nx\r\n", "", -EBADMSG},
        {"1\r\nxy", "x", -EBADMSG},
        {"1\r\nx\n", "x", -EBADMSG},
        {"1\r\nx\r\r", "x", -EBADMSG},
        {"1;\r\n", "", -EBADMSG},
        {"1;=b\r\n", "", -EBADMSG},
        {"1;a=\r\n", "", -EBADMSG},
        {"1;a=\"b\r\n", "", -EBADMSG},
        {"0\r\n folded\r\n\r\n", "", -EBADMSG},
        {"0\r\na : b\r\n\r\n", "", -EBADMSG},
        {"0\r\ncontent-length: 5\r\n\r\n", "", -EBADMSG},
        {"0\r\nTransfer-Encoding: chunked\r\n\r\n", "", -EBADMSG},
        {"0\r\nno colon\r\n\r\n", "", -EBADMSG},
        {"0\r\na: b\n", "", -EBADMSG},
        {"0\r\na: b\r\n\n", "", -EBADMSG},
        {"1000000000000000\r\n", "", -EBADMSG},
        {"65\r\n", "", -EMSGSIZE},
        {"64\r\n", "", 0},
        {"fffffffffffffff\r\n", "", -EMSGSIZE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t step = 1; step <= strlen(cases[i].bytes) + 1; step++) {
            struct buffer out = {0};
            size_t used;
            int result = decode(cases[i].bytes, step, 100, &out, &used);
            if (result != cases[i].result)
                fail_msg("case %zu at step %zu: %d instead of %d", i, step, result, cases[i].result);
            assert_true(text_equal((struct text){out.at, out.size}, text_of(cases[i].body)));
            if (result == 1 && strstr(cases[i].bytes, "GET"))
                assert_int_equal(used, strlen(cases[i].bytes) - 16);
            buffer_fini(&out);
        }
}

static int feed(struct http_chunks *chunks, const char *bytes, struct buffer *out, size_t size_max)
{
    size_t used;
    return http_chunks_feed(chunks, text_of(bytes), out, size_max, &used);
}

/* A reload may do it. */
static void test_chunked_under_a_lowered_limit(void **state)
{
    struct http_chunks chunks = {0};
    struct buffer out = {0};
    assert_int_equal(feed(&chunks, "8\r\n01234567\r\n", &out, 10), 0);
    assert_int_equal(feed(&chunks, "1\r\n", &out, 5), -EMSGSIZE);
    buffer_fini(&out);
    chunks = (struct http_chunks){0};
    assert_int_equal(feed(&chunks, "8\r\n0123", &out, 10), 0);
    assert_int_equal(feed(&chunks, "4567\r\nfffffffffffffff\r\n", &out, 1), -EMSGSIZE);
    buffer_fini(&out);
}

static void test_endless_overhead(void **state)
{
    struct buffer out = {0}, line = {0};
    size_t used;
    buffer_add_string(&line, "1;");
    for (int i = 0; i < 100000; i++)
        buffer_add(&line, "a", 1);
    buffer_add(&line, "", 1);
    assert_int_equal(decode(line.at, 4096, 100, &out, &used), -EBADMSG);
    line.size = 0;
    buffer_add_string(&line, "0\r\n");
    for (int i = 0; i < 100000; i++)
        buffer_add(&line, "a: b\r\n", 6);
    buffer_add(&line, "", 1);
    assert_int_equal(decode(line.at, 4096, 100, &out, &used), -EBADMSG);
    buffer_fini(&line);
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_requests),    cmocka_unit_test(test_bad_requests), cmocka_unit_test(test_bad_targets_leave_the_head),
        cmocka_unit_test(test_limits),           cmocka_unit_test(test_responses),    cmocka_unit_test(test_chunked),
        cmocka_unit_test(test_chunked_under_a_lowered_limit),
        cmocka_unit_test(test_endless_overhead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
