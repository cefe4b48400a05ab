/* Many calls of one process, which rolls its memory back after each once it is warm: none sees another, whatever it did. The
 * first snapshot is taken after some ten calls and lives for a hundred. */
#include "shared_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALLS 260

static struct host_worker worker;

static void load_within(const char *source, uint32_t flags, uint32_t memory_kb)
{
    struct host_limits limits = host_default_limits;
    limits.flags = flags;
    limits.memory_kb = memory_kb;
    struct host_answer answer;
    host_load(&host, &worker, 0, &limits, source, &answer);
    assert_int_equal(answer.type, FUNCTION_PACKET_LOADED);
    host_answer_fini(&answer);
}

static void load(const char *source, uint32_t flags)
{
    load_within(source, flags, host_default_limits.memory_kb);
}

/* The caller frees what is returned. */
static char *call(const char *event)
{
    struct host_answer answer;
    host_call(&worker, &host_default_limits, event, "{}", &answer);
    if (answer.type != FUNCTION_PACKET_RESULT)
        fail_msg("type %d exit %d/%u %s: %s", answer.type, answer.exit, answer.exit_detail, answer.name ? answer.name : "",
                 answer.message ? answer.message : "");
    char *result = strdup(answer.result);
    host_answer_fini(&answer);
    return result;
}

static void expect(const char *event, const char *result)
{
    char *got = call(event);
    assert_string_equal(got, result);
    free(got);
}

static void test_nothing_is_left_of_a_call(void **state)
{
    load("var seen = 0; const kept = new Map();"
         "function handler(e) {"
         "  const found = [++seen, kept.size, typeof globalThis.left, {}.polluted, [].map === undefined, Math.max(1, 2)];"
         "  kept.set(e, e); globalThis.left = e; Object.prototype.polluted = e; Math.max = () => 0;"
         "  Array.prototype.map = undefined; delete globalThis.JSON; String.prototype.trim = null; Symbol.for('x' + e);"
         "  setTimeout(() => { seen = 100; }, 0); Promise.resolve().then(() => { seen = 50; });"
         "  Object.freeze(Object.prototype); return found; }",
         0);
    char event[16];
    for (int i = 0; i < CALLS; i++) {
        snprintf(event, sizeof(event), "%d", i);
        expect(event, "[1,0,\"undefined\",null,false,2]");
    }
    host_release(&worker);
}

static void test_source_is_evaluated_in_each_call(void **state)
{
    load("console.log('begins'); function handler() { console.log('runs'); }", 0);
    for (int i = 0; i < CALLS; i++) {
        struct host_answer answer;
        host_call(&worker, &host_default_limits, "null", "{}", &answer);
        assert_string_equal(answer.logs, "info: begins\ninfo: runs\n");
        host_answer_fini(&answer);
    }
    host_release(&worker);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void test_random_numbers_differ(void **state)
{
    static const char *const sources[] = {
        "const handler = () => Math.random();",
        "const handler = () => crypto.randomUUID();",
        /* The kernel writes into pages that no call has written to. */
        ("const handler = () => { const all = new Uint8Array(65536); crypto.getRandomValues(all); "
         "return [...all.subarray(0, 8), ...all.subarray(65528)]; };"),
    };
    for (size_t s = 0; s < sizeof(sources) / sizeof(sources[0]); s++) {
        char *results[CALLS];
        load(sources[s], 0);
        for (int i = 0; i < CALLS; i++)
            results[i] = call("null");
        host_release(&worker);
        qsort(results, CALLS, sizeof(results[0]), compare);
        for (int i = 1; i < CALLS; i++)
            assert_string_not_equal(results[i - 1], results[i]);
        for (int i = 0; i < CALLS; i++)
            free(results[i]);
    }
}

/* Much memory now and then: in the engine's heap, outside of it, in the event and in the result. */
static void test_memory_comes_and_goes(void **state)
{
    load("function handler(e) {"
         "  const objects = []; for (let i = 0; i < e.objects; i++) objects.push({ i, text: 'n' + i });"
         "  const bytes = new Uint8Array(e.bytes); if (bytes.some((byte) => byte !== 0)) return 'not zero'; bytes.fill(255);"
         "  const sum = objects.reduce((sum, each) => sum + each.text.length, 0);"
         "  return [sum, bytes.length, 'r'.repeat(e.result).length === e.result, e.text.length, 'r'.repeat(e.result)]; }",
         0);
    char *event = malloc(512 * 1024);
    for (int i = 0; i < CALLS / 2; i++) {
        bool much = i % 7 == 6;
        int objects = much ? 20000 : 3, bytes = i % 5 == 4 ? 6000000 : 10, result = i % 11 == 10 ? 60000 : 1;
        int text = i % 13 == 12 ? 400000 : 2;
        snprintf(event, 512 * 1024, "{\"objects\":%d,\"bytes\":%d,\"result\":%d,\"text\":\"%0*d\"}", objects, bytes, result, text, 0);
        char *got = call(event), want[64];
        int length = snprintf(want, sizeof(want), "[%d,%d,true,%d,", much ? 108890 : 6, bytes, text);
        assert_memory_equal(got, want, (size_t)length);
        assert_int_equal(strlen(got), length + result + 3);
        free(got);
    }
    free(event);
    host_release(&worker);
}

/* Its process comes to some 155 MB whether it rolls back or not, and would to 190 with a copy of each page. It holds them long enough to be seen. */
static void test_a_function_keeps_its_memory_for_itself(void **state)
{
    load_within("function handler() {"
                "  const objects = []; for (let i = 0; i < 400000; i++) objects.push({ i, text: 'n' + i });"
                "  for (const end = Date.now() + 20; Date.now() < end;); return objects.length; }",
                0, 176 * 1024);
    for (int i = 0; i < 30; i++)
        expect("null", "400000");
    host_release(&worker);
}

static void test_code_that_is_compiled_in_a_call(void **state)
{
    load("function handler(e) {"
         "  let sum = 0; for (let i = 0; i < 300000; i++) sum = (sum * 31 + i) | 0;"
         "  const made = new Function('a', `return a + ${e}`), words = `w${e} `.repeat(2000).match(new RegExp(`w${e}`, 'g'));"
         "  return [sum, made(1) - e, words.length, [5, 3, 9].sort((a, b) => a - b).join(''), 2n ** 70n % 1000n + '']; }",
         0);
    char event[16];
    for (int i = 0; i < CALLS; i++) {
        snprintf(event, sizeof(event), "%d", i);
        char *got = call(event);
        assert_non_null(strstr(got, ",1,2000,\"359\",\"424\"]"));
        free(got);
    }
    host_release(&worker);
}

static void test_calls_that_fail_between_others(void **state)
{
    load("async function handler(e) {"
         "  if (e === 1) throw new RangeError('no'); if (e === 2) return (function deep() { return deep() + 1; })();"
         "  if (e === 3) await new Promise((r) => setTimeout(r, 1)); if (e === 4) structuredClone(() => 1);"
         "  return new URL('http://a/' + e).pathname; }",
         0);
    for (int i = 0; i < CALLS; i++) {
        static const char *const events[] = {"0", "1", "2", "3", "4"};
        static const char *const names[] = {NULL, "RangeError", "RangeError", NULL, "DataCloneError"};
        struct host_answer answer;
        host_call(&worker, &host_default_limits, events[i % 5], "{}", &answer);
        if (names[i % 5])
            assert_string_equal(answer.name, names[i % 5]);
        else
            assert_string_equal(answer.result, i % 5 ? "\"/3\"" : "\"/0\"");
        host_answer_fini(&answer);
    }
    host_release(&worker);
}

/* WebAssembly starts a thread, which cannot be rolled back: from then on each call has a context of its own again. An access
 * outside of its memory is a fault that is the engine's to see. */
static void test_web_assembly_ends_it(void **state)
{
    load(
        "const code = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 127, 1, 127, 3, 2, 1, 0, 5, 3, 1, 0, 1, 7, 5, 1, 1, 102,"
        " 0, 0, 10, 9, 1, 7, 0, 32, 0, 40, 2, 0, 11]); var seen = 0;"
        "async function handler(e) { seen++; if (!e) return seen; const { instance } = await WebAssembly.instantiate(code);"
        " try { return instance.exports.f(1000000); } catch (error) { return [seen, instance.exports.f(0), error.name]; } }",
        0);
    for (int i = 0; i < CALLS; i++)
        if (i == 40 || i == 41 || i == 150)
            expect("1", "[1,0,\"RuntimeError\"]");
        else
            expect("0", "1");
    host_release(&worker);
}

static void test_globals_stay_where_that_is_asked_for(void **state)
{
    load("let calls = 0; const handler = () => ++calls;", FUNCTION_LOAD_REUSE);
    for (int i = 0; i < CALLS; i++) {
        char want[16];
        snprintf(want, sizeof(want), "%d", i + 1);
        expect("null", want);
    }
    host_release(&worker);
}

int main(int argc, char **argv)
{
    shared_host_arguments(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_left_of_a_call),
        cmocka_unit_test(test_source_is_evaluated_in_each_call),
        cmocka_unit_test(test_random_numbers_differ),
        cmocka_unit_test(test_memory_comes_and_goes),
        cmocka_unit_test(test_a_function_keeps_its_memory_for_itself),
        cmocka_unit_test(test_code_that_is_compiled_in_a_call),
        cmocka_unit_test(test_calls_that_fail_between_others),
        cmocka_unit_test(test_web_assembly_ends_it),
        cmocka_unit_test(test_globals_stay_where_that_is_asked_for),
    };
    return cmocka_run_group_tests_name("attacks/rollback", tests, shared_host_start, shared_host_stop);
}
