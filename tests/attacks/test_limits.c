/* Scripts that misbehave in every way that JavaScript allows: each has its own answer, and the next call works. */
#include "shared_host.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct bomb {
    const char *name;
    const char *source;
    enum function_exit exit;             /* how the worker ends, or */
    enum function_failure_kind failure;  /* what it answers, or neither: it may do any of both, but not succeed or hang */
};

static const struct bomb bombs[] = {
    { "a loop", "function handler() { while (true); }", .exit = FUNCTION_EXIT_TIMEOUT },
    { "a loop at the top", "for (;;); function handler() {}", .exit = FUNCTION_EXIT_TIMEOUT },
    { "a loop in a promise", "async function handler() { for (;;) await null; }", .exit = FUNCTION_EXIT_TIMEOUT },
    { "a loop in a timer", "async function handler() { await new Promise(() => setTimeout(() => { for (;;); }, 1)); }",
      .exit = FUNCTION_EXIT_TIMEOUT },
    { "timers for ever", "async function handler() { await new Promise(() => setInterval(() => {}, 1)); }",
      .exit = FUNCTION_EXIT_TIMEOUT },
    { "a loop in a getter", "function handler() { return { get a() { for (;;); } }; }", .exit = FUNCTION_EXIT_TIMEOUT },
    { "a loop in toJSON", "function handler() { return { toJSON() { for (;;); } }; }", .exit = FUNCTION_EXIT_TIMEOUT },
    { "a loop in an error's message", "function handler() { throw { get message() { for (;;); } }; }",
      .exit = FUNCTION_EXIT_TIMEOUT },
    { "a loop in then", "function handler() { return { then() { for (;;); } }; }", .exit = FUNCTION_EXIT_TIMEOUT },
    { "Atomics.wait",
      "function handler() { const m = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });"
      " Atomics.wait(new Int32Array(m.buffer), 0, 0); for (;;); }",
      .exit = FUNCTION_EXIT_TIMEOUT },
    { "a regular expression", "function handler() { while (true) /^(a+)+$/.test('a'.repeat(60) + 'b'); }",
      .exit = FUNCTION_EXIT_TIMEOUT },
    { "a sort", "function handler() { for (;;) new Array(3e5).fill(0).map(Math.random).sort(); }", 0, 0 },
    { "a promise that nobody settles", "async function handler() { await new Promise(() => {}); }",
      .failure = FUNCTION_FAILURE_NEVER_SETTLES },
    { "recursion", "function handler() { return handler() + 1; }", .failure = FUNCTION_FAILURE_THROWN },
    { "recursion through toString", "function handler() { const o = { toString() { return `${o}`; } }; return `${o}`; }",
      .failure = FUNCTION_FAILURE_THROWN },
    { "a nested result", "function handler() { let o = {}; for (let i = 0; i < 1e6; i++) o = { o }; return o; }", 0, 0 },
    { "a circular result", "function handler() { const o = {}; o.o = o; return o; }", .failure = FUNCTION_FAILURE_NOT_JSON },
    { "a BigInt result", "function handler() { return 1n; }", .failure = FUNCTION_FAILURE_NOT_JSON },
    { "a getter that throws", "function handler() { return { get a() { throw new Error('no'); } }; }",
      .failure = FUNCTION_FAILURE_NOT_JSON },
    { "an error that cannot be shown",
      "function handler() { throw new Proxy({}, { get() { throw 1; }, getPrototypeOf() { throw 2; } }); }",
      .failure = FUNCTION_FAILURE_THROWN },
    { "a thrown symbol", "function handler() { throw Symbol('x'); }", .failure = FUNCTION_FAILURE_THROWN },
    { "a thrown null", "function handler() { throw null; }", .failure = FUNCTION_FAILURE_THROWN },
    { "a rejection", "async function handler() { throw new Error('no'); }", .failure = FUNCTION_FAILURE_THROWN },
    { "a string of 2 GB", "function handler() { return 'x'.repeat(2 ** 31 - 1).split('').length; }", .exit = FUNCTION_EXIT_MEMORY },
    { "a doubling string", "function handler() { let s = 'ab'; for (;;) s += s; }", .failure = FUNCTION_FAILURE_MEMORY },
    { "many strings", "function handler() { const a = []; for (;;) a.push('y'.repeat(1e6) + a.length); }",
      .exit = FUNCTION_EXIT_MEMORY },
    { "many objects", "function handler() { const a = []; for (;;) a.push({ a }); }", .exit = FUNCTION_EXIT_MEMORY },
    { "a large array", "function handler() { return new Array(1e9).fill(1).length; }", .exit = FUNCTION_EXIT_MEMORY },
    { "large buffers", "function handler() { const a = []; for (;;) a.push(new Uint8Array(1e8).fill(1)); }",
      .exit = FUNCTION_EXIT_MEMORY },
    { "WebAssembly memory", "function handler() { const m = new WebAssembly.Memory({ initial: 1, maximum: 65536 });"
                            " for (;;) { m.grow(256); new Uint8Array(m.buffer).fill(1); } }", 0, 0 },
    { "a result of 10 MB", "function handler() { return 'x'.repeat(1e7); }", .failure = FUNCTION_FAILURE_OUTPUT },
    { "a result of 10 MB in many pieces", "function handler() { return Array(1e6).fill('0123456789'); }",
      .failure = FUNCTION_FAILURE_OUTPUT },
    { "no handler", "const x = 1;", .failure = FUNCTION_FAILURE_NO_HANDLER },
    { "a handler that is no function", "module.exports = { handler: 1 };", .failure = FUNCTION_FAILURE_NO_HANDLER },
    { "exports that throw", "Object.defineProperty(module, 'exports', { get() { throw new Error('no'); } });",
      .failure = FUNCTION_FAILURE_THROWN },
    { "an error at the top", "throw new Error('at the top'); function handler() {}", .failure = FUNCTION_FAILURE_THROWN },
    { "a syntax error", "function handler() {\n  return 1 +;\n}", .failure = FUNCTION_FAILURE_SYNTAX },
    { "an import", "import x from 'fs'; function handler() {}", .failure = FUNCTION_FAILURE_SYNTAX },
    { "a dynamic import", "async function handler() { await import('fs'); }", 0, 0 },
    { "require", "const fs = require('fs'); function handler() {}", .failure = FUNCTION_FAILURE_THROWN },
    { "fetch", "async function handler() { return (await fetch('http://127.0.0.1/')).status; }", .failure = FUNCTION_FAILURE_THROWN },
    { "too many timers", "function handler() { for (;;) setTimeout(() => {}, 1e6); }", .failure = FUNCTION_FAILURE_THROWN },
};

static struct host_limits short_limits(void)
{
    struct host_limits limits = host_default_limits;
    limits.timeout_ms = 600;
    return limits;
}

static void check_bomb(const struct bomb *bomb)
{
    /* Only those that are to be stopped at their deadline have a short one: a busy machine may be slow at the others. */
    bool endless = bomb->exit == FUNCTION_EXIT_TIMEOUT || (!bomb->exit && !bomb->failure);
    struct host_limits limits = endless ? short_limits() : host_default_limits;
    struct host_answer answer;
    host_try(&host, &limits, bomb->source, "null", &answer);
    bool as_told = bomb->exit      ? answer.type == 0 && answer.exit == bomb->exit
                   : bomb->failure ? answer.type == FUNCTION_PACKET_FAILED && answer.failure.kind == bomb->failure
                                   : answer.type == 0 || answer.type == FUNCTION_PACKET_FAILED;
    if (!as_told)
        fail_msg("%s: type %d exit %d/%u kind %u %s: %s", bomb->name, answer.type, answer.exit, answer.exit_detail,
                 answer.failure.kind, answer.name ? answer.name : "", answer.message ? answer.message : "");
    host_answer_fini(&answer);
}

static void check_alive(void)
{
    struct host_answer answer;
    host_try(&host, &host_default_limits, "function handler(e) { return e; }", "[1]", &answer);
    assert_int_equal(answer.type, FUNCTION_PACKET_RESULT);
    assert_string_equal(answer.result, "[1]");
    host_answer_fini(&answer);
}

static void test_bombs(void **state)
{
    for (size_t i = 0; i < sizeof(bombs) / sizeof(bombs[0]); i++)
        check_bomb(&bombs[i]);
    check_alive();
}

static void test_syntax_error_has_its_line(void **state)
{
    struct host_answer answer;
    host_try(&host, &host_default_limits, "function handler() {\n\n  return 1 +;\n}", "null", &answer);
    assert_int_equal(answer.failure.kind, FUNCTION_FAILURE_SYNTAX);
    assert_int_equal(answer.failure.line, 3);
    assert_string_equal(answer.name, "SyntaxError");
    host_answer_fini(&answer);
}

static void test_thrown_error_has_message_and_stack(void **state)
{
    struct host_answer answer;
    host_try(&host, &host_default_limits,
             "function inner() { throw new TypeError('broken'); }\nfunction handler() { inner(); }", "null", &answer);
    assert_int_equal(answer.failure.kind, FUNCTION_FAILURE_THROWN);
    assert_string_equal(answer.name, "TypeError");
    assert_string_equal(answer.message, "broken");
    assert_non_null(strstr(answer.stack, "inner@test.js:1"));
    assert_non_null(strstr(answer.stack, "handler@test.js:2"));
    host_answer_fini(&answer);
}

static void test_cpu_limit_is_not_the_deadline(void **state)
{
    struct host_limits limits = host_default_limits;
    limits.cpu_ms = 100;
    struct host_answer answer;
    host_try(&host, &limits, "function handler() { for (;;); }", "null", &answer);
    assert_int_equal(answer.type, 0);
    assert_int_equal(answer.exit, FUNCTION_EXIT_CPU);
    host_answer_fini(&answer);
}

/* A sleeping handler uses no processor time: it outlasts that limit. */
static void test_waiting_costs_no_processor_time(void **state)
{
    struct host_limits limits = host_default_limits;
    limits.cpu_ms = 200;
    struct host_answer answer;
    host_try(&host, &limits, "async function handler() { await new Promise((r) => setTimeout(r, 400)); return 'rested'; }",
             "null", &answer);
    assert_int_equal(answer.type, FUNCTION_PACKET_RESULT);
    assert_string_equal(answer.result, "\"rested\"");
    host_answer_fini(&answer);
}

static void test_output_is_cut(void **state)
{
    struct host_limits limits = host_default_limits;
    limits.log_bytes_max = 1000;
    struct host_answer answer;
    host_try(&host, &limits, "function handler() { for (let i = 0; i < 1e5; i++) console.log('line', i); return 'done'; }",
             "null", &answer);
    assert_int_equal(answer.type, FUNCTION_PACKET_RESULT);
    assert_true(strlen(answer.logs) < 2000);
    assert_non_null(strstr(answer.logs, "more output was cut off"));
    host_answer_fini(&answer);
}

/* What was logged before the end is there even when the worker was killed. */
static void test_logs_survive_a_kill(void **state)
{
    struct host_limits limits = short_limits();
    struct host_answer answer;
    host_try(&host, &limits, "function handler() { console.log('so far'); for (;;); }", "null", &answer);
    assert_int_equal(answer.exit, FUNCTION_EXIT_TIMEOUT);
    assert_string_equal(answer.logs, "info: so far\n");
    host_answer_fini(&answer);
}

static char *repeat(char what, size_t count)
{
    char *text = malloc(count + 1);
    memset(text, what, count);
    text[count] = 0;
    return text;
}

static void test_large_source_and_event(void **state)
{
    char *padding = repeat(' ', 1000000);
    size_t size = strlen(padding) + 100;
    char *source = malloc(size), *event = malloc(size);
    snprintf(source, size, "/*%s*/ function handler(e) { return e.length; }", padding);
    snprintf(event, size, "\"%s\"", padding);
    struct host_answer answer;
    host_try(&host, &host_default_limits, source, event, &answer);
    assert_int_equal(answer.type, FUNCTION_PACKET_RESULT);
    assert_string_equal(answer.result, "1000000");
    host_answer_fini(&answer);
    free(source);
    free(event);
    free(padding);
}

static void call_twice(uint32_t flags, const char *source, const char *first, const char *second)
{
    struct host_limits limits = host_default_limits;
    limits.flags = flags;
    struct host_worker worker;
    struct host_answer answer;
    host_load(&host, &worker, 0, &limits, source, &answer);
    assert_int_equal(answer.type, FUNCTION_PACKET_LOADED);
    host_answer_fini(&answer);
    const char *expected[] = { first, second };
    for (size_t i = 0; i < 2; i++) {
        host_call(&worker, &limits, "null", "{}", &answer);
        assert_int_equal(answer.type, FUNCTION_PACKET_RESULT);
        assert_string_equal(answer.result, expected[i]);
        host_answer_fini(&answer);
    }
    host_release(&worker);
}

static void test_calls_share_nothing_unless_asked(void **state)
{
    static const char source[] = "globalThis.count ||= 0; Array.prototype.seen ||= 0;"
                                 "function handler() { Array.prototype.seen++; return [++count, [].seen]; }";
    call_twice(0, source, "[1,1]", "[1,1]");
    call_twice(FUNCTION_LOAD_REUSE, source, "[1,1]", "[2,2]");
}

/* A promise that a failed call left behind settles during a later one: the later one must not take it for its own. */
static void test_late_promises_do_not_answer_for_others(void **state)
{
    struct host_limits limits = host_default_limits;
    limits.flags = FUNCTION_LOAD_REUSE;
    struct host_worker worker;
    struct host_answer answer;
    host_load(&host, &worker, 0, &limits,
              "let settle, calls = 0;"
              "async function handler() {"
              "  if (calls++ === 0) return new Promise((r) => { settle = r; });"
              "  settle('old'); await null; await null; await null; return 'new'; }",
              &answer);
    host_answer_fini(&answer);
    host_call(&worker, &limits, "null", "{}", &answer);
    assert_int_equal(answer.failure.kind, FUNCTION_FAILURE_NEVER_SETTLES);
    host_answer_fini(&answer);
    host_call(&worker, &limits, "null", "{}", &answer);
    assert_string_equal(answer.result, "\"new\"");
    host_answer_fini(&answer);
    host_release(&worker);
}

/* The host kills within 100 ms of the deadline on a machine with nothing else to do; the client gives it ten seconds. */
static void test_deadline_is_held_from_outside(void **state)
{
    struct host_limits limits = host_default_limits;
    limits.timeout_ms = 300;
    struct host_answer answer;
    host_try(&host, &limits, "function handler() { for (;;) [...'x'.repeat(1e5)].sort(); }", "null", &answer);
    assert_int_equal(answer.type, 0);
    assert_int_equal(answer.exit, FUNCTION_EXIT_TIMEOUT);
    assert_true(answer.wait_us >= 250000);
    print_message("killed %.1f ms after the deadline\n", (double)answer.wait_us / 1000 - 300);
    host_answer_fini(&answer);
}

static void test_neighbour_calls_go_on_beside_an_attack(void **state)
{
    struct host_limits limits = short_limits();
    struct host_worker attack, neighbour;
    struct host_answer answer;
    host_load(&host, &neighbour, 1, &host_default_limits, "function handler(e) { return e; }", &answer);
    host_answer_fini(&answer);
    host_load(&host, &attack, 2, &limits, "function handler(e) { for (;;); }", &answer);
    host_answer_fini(&answer);
    for (int i = 0; i < 50; i++) {
        host_call(&neighbour, &host_default_limits, "1", "{}", &answer);
        assert_int_equal(answer.type, FUNCTION_PACKET_RESULT);
        host_answer_fini(&answer);
    }
    host_call(&attack, &limits, "null", "{}", &answer);
    assert_int_equal(answer.exit, FUNCTION_EXIT_TIMEOUT);
    host_answer_fini(&answer);
    host_release(&attack);
    host_release(&neighbour);
}

/* A session of its own would give functions as much of the machine as everything else has together, however low their priority. */
static void test_host_stays_in_the_session_with_a_group_of_its_own(void **state)
{
    assert_int_equal(getsid(host.pid), getsid(0));
    assert_int_equal(getpgid(host.pid), host.pid);
}

int main(int argc, char **argv)
{
    shared_host_arguments(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_syntax_error_has_its_line),
        cmocka_unit_test(test_thrown_error_has_message_and_stack),
        cmocka_unit_test(test_cpu_limit_is_not_the_deadline),
        cmocka_unit_test(test_waiting_costs_no_processor_time),
        cmocka_unit_test(test_output_is_cut),
        cmocka_unit_test(test_logs_survive_a_kill),
        cmocka_unit_test(test_large_source_and_event),
        cmocka_unit_test(test_calls_share_nothing_unless_asked),
        cmocka_unit_test(test_late_promises_do_not_answer_for_others),
        cmocka_unit_test(test_deadline_is_held_from_outside),
        cmocka_unit_test(test_neighbour_calls_go_on_beside_an_attack),
        cmocka_unit_test(test_host_stays_in_the_session_with_a_group_of_its_own),
    };
    return cmocka_run_group_tests_name("attacks/limits", tests, shared_host_start, shared_host_stop);
}
