/* The globals that people expect: one script each, which returns what it found; compared as JSON text. */
#include "shared_host.h"

#include <stdlib.h>
#include <string.h>

struct sample {
    const char *source;
    const char *result;
};

static const struct sample samples[] = {
    /* Forms of a handler. */
    { "function handler(e) { return e; }", "{\"a\":1}" },
    { "async function handler(e) { return e.a; }", "1" },
    { "const handler = (e) => e.a;", "1" },
    { "module.exports = (e) => e.a;", "1" },
    { "module.exports = { handler: async (e) => e.a };", "1" },
    { "exports.handler = (e) => e.a;", "1" },
    { "function handler() {}", "null" },
    { "function handler() { return () => 1; }", "null" },
    { "function handler() { return { then(ok) { ok('thenable'); } }; }", "\"thenable\"" },
    { "function handler(e, context) { return context.settings; }", "{\"greeting\":\"hello\"}" },
    { "'use strict'; class A { #x = 1; get x() { return this.#x ?? 0; } } const handler = () => new A().x;", "1" },
    /* The web platform. */
    { "const handler = () => new URL('../b?x=1#y', 'https://user@EXAMPLE.com:8443/a/c').href;",
      "\"https://user@example.com:8443/b?x=1#y\"" },
    { "const handler = () => new URL('http://b\\u00fccher.example/').hostname;", "\"xn--bcher-kva.example\"" },
    { "const handler = () => { try { new URL('no'); } catch (e) { return e.name; } };", "\"TypeError\"" },
    { "const handler = () => [...new URLSearchParams('a=1&b=2+3')];", "[[\"a\",\"1\"],[\"b\",\"2 3\"]]" },
    { "const handler = () => [...new TextEncoder().encode('\\u20ac')];", "[226,130,172]" },
    { "const handler = () => new TextDecoder().decode(new Uint8Array([226, 130, 172]));", "\"\xe2\x82\xac\"" },
    { "const handler = () => [btoa('hello'), atob('aGVsbG8=')];", "[\"aGVsbG8=\",\"hello\"]" },
    { "const handler = () => { const a = { d: new Date(0), m: new Map([[1, { x: 1 }]]) }; a.self = a; const b ="
      " structuredClone(a); return [b.d.getTime(), b.m.get(1).x, b.self === b, b !== a]; };",
      "[0,1,true,true]" },
    { "const handler = () => /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID());",
      "true" },
    { "const handler = () => { const a = new Uint8Array(40); crypto.getRandomValues(a.subarray(10, 30));"
      " return [a.slice(0, 10).every((x) => !x), a.slice(10, 30).some((x) => x), a.slice(30).every((x) => !x)]; };",
      "[true,true,true]" },
    { "const handler = () => crypto.getRandomValues(new Uint32Array(4)).length;", "4" },
    { "const handler = () => { try { crypto.getRandomValues(new Float64Array(1)); } catch (e) { return e.name; } };",
      "\"TypeError\"" },
    { "async function handler() { const seen = []; setTimeout(() => seen.push('b'), 20); setTimeout((x) => seen.push(x), 5, 'a');"
      " const id = setTimeout(() => seen.push('no'), 1); clearTimeout(id); await new Promise((r) => setTimeout(r, 40)); return seen; }",
      "[\"a\",\"b\"]" },
    { "async function handler() { let n = 0; await new Promise((r) => { const id = setInterval(() => { if (++n === 3) {"
      " clearInterval(id); r(); } }, 1); }); return n; }",
      "3" },
    { "async function handler() { const seen = []; setTimeout(() => seen.push('timer')); queueMicrotask(() => seen.push('micro'));"
      " seen.push('now'); await new Promise((r) => setTimeout(r, 1)); return seen; }",
      "[\"now\",\"micro\",\"timer\"]" },
    { "const handler = () => performance.now() >= 0 && typeof performance.timeOrigin === 'number';", "true" },
    { "const handler = () => { const x = Math.random(); return x >= 0 && x < 1 && x !== Math.random(); };", "true" },
    { "async function handler() { const bytes = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 3, 2,"
      " 1, 0, 7, 7, 1, 3, 97, 100, 100, 0, 0, 10, 9, 1, 7, 0, 32, 0, 32, 1, 106, 11]);"
      " const { instance } = await WebAssembly.instantiate(bytes); return instance.exports.add(2, 3); }",
      "5" },
    { "const handler = () => new Intl.NumberFormat('de-DE', { style: 'currency', currency: 'EUR' }).format(1234.5);",
      "\"1.234,50\xc2\xa0\xe2\x82\xac\"" },
    /* What is not there. */
    { "const handler = () => ['fetch', 'require', 'process', 'Deno', 'Bun', 'XMLHttpRequest', 'WebSocket', 'Worker', 'SharedArrayBuffer',"
      " 'load', 'readFile', 'print', '$vm', 'host'].filter((name) => name in globalThis);",
      "[]" },
    { "const handler = () => Object.keys(globalThis).filter((name) => name !== 'handler');", "[]" },
};

static void test_samples(void **state)
{
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        struct host_answer answer;
        host_try(&host, &host_default_limits, samples[i].source, "{\"a\":1}", &answer);
        if (answer.type != FUNCTION_PACKET_RESULT)
            fail_msg("%s\ntype %d exit %d/%u %s: %s\n%s", samples[i].source, answer.type, answer.exit, answer.exit_detail,
                     answer.name ? answer.name : "", answer.message ? answer.message : "", answer.stack ? answer.stack : "");
        if (strcmp(answer.result, samples[i].result))
            print_error("%s\n", samples[i].source);
        assert_string_equal(answer.result, samples[i].result);
        host_answer_fini(&answer);
    }
}

/* Scripts of web/, each of which answers what does not hold. */
static void test_scripts(void **state)
{
    static const char *const names[] = {"base64", "clone", "url"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct host_answer answer;
        char *source = shared_host_script("WEB_SCRIPTS", names[i]);
        host_try(&host, &host_default_limits, source, "null", &answer);
        if (answer.type != FUNCTION_PACKET_RESULT || strcmp(answer.result, "[]"))
            fail_msg("%s: %s%s", names[i], answer.message ? answer.message : "", answer.result ? answer.result : "");
        host_answer_fini(&answer);
        free(source);
    }
}

static void test_console(void **state)
{
    struct host_answer answer;
    host_try(&host, &host_default_limits,
             "function handler() { console.log('a', 1, { b: [1, 2] }); console.warn('w'); console.error(new Error('e').message);"
             " console.debug(undefined, null, 5n); console.log('%'); console.count(); console.assert(false, 'x'); }",
             "null", &answer);
    assert_int_equal(answer.type, FUNCTION_PACKET_RESULT);
    assert_string_equal(answer.logs, "info: a 1 { b: [ 1, 2 ] }\nwarn: w\nerror: e\ndebug: undefined null 5n\ninfo: %\n"
                                     "info: default: 1\nerror: Assertion failed: x\n");
    host_answer_fini(&answer);
}

/* What is put into a text, as in Node.js; what has no place there follows it. */
static void test_console_fills_places(void **state)
{
    struct host_answer answer;
    host_try(&host, &host_default_limits,
             "function handler() { console.log('%s is %d years, %i, %f', 'Ada', '36', 1.9, '1.50', 'more', { a: 1 });"
             " console.log('%j %o %O %c|', { a: [1] }, { b: 2 }, 'c', 'color: red'); console.log('%s %s', 1); console.log('100%', 5);"
             " console.log('%d%%', 5); console.log('%%'); console.log('%d %d %s %j', Symbol('s'), 7n, null, { get a() { throw 1; } });"
             " console.assert(false, 'x %s', 1); console.assert(false, { y: 1 }); }",
             "null", &answer);
    assert_int_equal(answer.type, FUNCTION_PACKET_RESULT);
    assert_string_equal(answer.logs, "info: Ada is 36 years, 1, 1.5 more { a: 1 }\ninfo: {\"a\":[1]} { b: 2 } 'c' |\ninfo: 1 %s\n"
                                     "info: 100% 5\ninfo: 5%\ninfo: %%\ninfo: NaN 7n null { a: [Getter] }\n"
                                     "error: Assertion failed: x 1\nerror: Assertion failed: { y: 1 }\n");
    host_answer_fini(&answer);
}

#define TEN "1, 1, 1, 1, 1, 1, 1, 1, 1, 1, "

/* Each value as it is logged. */
static void test_console_shows_values(void **state)
{
    struct host_answer answer;
    host_try(&host, &host_default_limits,
             "class Point { constructor() { this.x = 1; } get y() { throw 1; } }"
             "const loop = { a: 1 }; loop.self = loop;"
             "function handler() { for (const value of ["
             " new URL('http://a/b?c=d'), new URLSearchParams('a=1&b=2'), new Map([['a', new Set([1])]]), new Date(0), new Date(NaN),"
             " new Uint8Array([1, 2]), new ArrayBuffer(4), new Point(), Point, class extends Point {}, loop, { get a() { throw 1; }, set "
             "b(x) {} },"
             " { [Symbol('k')]: 5n }, async () => {}, function named() {}, Object.create(null), [1, , -0], [\"it's\"], { 'a-b': 'x\\n' },"
             " { e: new RangeError('r') }, /re/g, new Number(3), Promise.resolve(1), { a: { b: { c: { d: { e: { f: 1 } } } } } },"
             " { inspect() { return 'own'; } }, new Array(102).fill(1), new Proxy({}, { ownKeys() { throw 2; } })"
             " ]) console.log(value); }",
             "null", &answer);
    assert_int_equal(answer.type, FUNCTION_PACKET_RESULT);
    assert_string_equal(answer.logs,
                        "info: URL { href: 'http://a/b?c=d' }\ninfo: URLSearchParams { 'a' => '1', 'b' => '2' }\n"
                        "info: Map(1) { 'a' => Set(1) { 1 } }\ninfo: 1970-01-01T00:00:00.000Z\ninfo: Invalid Date\n"
                        "info: Uint8Array(2) [ 1, 2 ]\ninfo: ArrayBuffer { byteLength: 4 }\ninfo: Point { x: 1 }\ninfo: [class Point]\n"
                        "info: [class (anonymous) extends Point]\ninfo: { a: 1, self: [Circular] }\ninfo: { a: [Getter], b: [Setter] }\n"
                        "info: { [Symbol(k)]: 5n }\ninfo: [AsyncFunction (anonymous)]\ninfo: [Function: named]\n"
                        "info: [Object: null prototype] {}\ninfo: [ 1, <1 empty item>, -0 ]\ninfo: [ \"it's\" ]\ninfo: { 'a-b': 'x\\n' }\n"
                        "info: { e: [RangeError: r] }\ninfo: /re/g\ninfo: [Number: 3]\ninfo: Promise {}\n"
                        "info: { a: { b: { c: { d: { e: [Object] } } } } }\ninfo: { inspect: [Function: inspect] }\n"
                        "info: [ " TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "... 2 more items ]\ninfo: [a value that cannot be shown]\n");
    host_answer_fini(&answer);
}

/* Two workers come from one engine: their random numbers must differ all the same. */
static void test_random_numbers_of_two_workers_differ(void **state)
{
    char *seen[2];
    for (size_t i = 0; i < 2; i++) {
        struct host_answer answer;
        host_try(&host, &host_default_limits, "function handler() { return [Math.random(), Math.random()]; }", "null", &answer);
        assert_int_equal(answer.type, FUNCTION_PACKET_RESULT);
        seen[i] = strdup(answer.result);
        host_answer_fini(&answer);
    }
    assert_string_not_equal(seen[0], seen[1]);
    free(seen[0]);
    free(seen[1]);
}

int main(int argc, char **argv)
{
    shared_host_arguments(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_scripts),
        cmocka_unit_test(test_console),
        cmocka_unit_test(test_console_fills_places),
        cmocka_unit_test(test_console_shows_values),
        cmocka_unit_test(test_random_numbers_of_two_workers_differ),
    };
    return cmocka_run_group_tests_name("attacks/globals", tests, shared_host_start, shared_host_stop);
}
