/*
 * The functions service on real engines and the real host, asked through its router: deploying, calling, limits, versions, hooks. Skipped where
 * the host is not built (PURSER_FUNCTION_HOST names it).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engines/in_folder.h"

#include "base/metrics.h"
#include "contracts/names.h"
#include "functions/call.h"
#include "functions/functions.h"
#include "functions/hooks.h"
#include "functions/host.h"
#include "functions/pool_parts.h"
#include "messaging/event.h"
#include "messaging/outbox.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define USER "0198f0aa-0000-7000-8000-00000000aaaa"

static struct service_engines engines;
static struct router *router;
static struct outbox_relay *relay;

/* One request; the answer's body as a tree (arena of the fiber). */
static int ask_as(const char *role, enum http_method method, const char *method_name, const char *target, const char *body,
                  json_t **ret_answer)
{
    struct http_request *request = arena_alloc(fiber_arena(), sizeof *request);
    struct http_response *response = arena_alloc(fiber_arena(), sizeof *response);
    const char *query = strchr(target, '?');
    *request = (struct http_request){
        .arena = fiber_arena(),
        .method = method,
        .method_name = text_of(method_name),
        .target = text_of(target),
        .path = query ? (struct text){target, (size_t)(query - target)} : text_of(target),
        .query = query ? text_of(query + 1) : (struct text){0},
        .body = text_of(body ? body : ""),
        .client_address = "127.0.0.1",
        .identity = {.user_id = role ? USER : NULL, .role = role, .session_id = "s"},
    };
    response->arena = fiber_arena();
    if (body)
        http_header_add(fiber_arena(), &request->headers, "Content-Type", "application/json");
    if (body && strstr(target, "async")) {
        request->target = request->path;
        http_header_add(fiber_arena(), &request->headers, "Prefer", "respond-async");
    }
    router_handle(router, request, response);
    json_t *answer = NULL;
    if (response->body.size && json_parse(fiber_arena(), response->body, &answer, NULL))
        answer = NULL;
    if (ret_answer)
        *ret_answer = answer;
    return response->status;
}

static int post(const char *target, const char *body, json_t **ret_answer)
{
    return ask_as("admin", HTTP_POST, "POST", target, body, ret_answer);
}

static int get(const char *target, json_t **ret_answer)
{
    return ask_as("admin", HTTP_GET, "GET", target, NULL, ret_answer);
}

static void deploy(const char *name, const char *source, const char *more)
{
    json_t *answer, *body = json_make(fiber_arena(), "{s:s, s:s, s:i}", "name", name, "source", source, "timeout_ms", 20000), *extra;
    if (more) {
        assert_int_equal(json_parse(fiber_arena(), text_of(more), &extra, NULL), 0);
        json_object_update(body, extra);
    }
    const char *text = json_print(fiber_arena(), body, NULL);
    int status = post("/api/v1/functions", text, &answer);
    if (status == 409)
        status = ask_as("admin", HTTP_PUT, "PUT", arena_printf(fiber_arena(), "/api/v1/functions/%s", name), text, &answer);
    if (status / 100 != 2)
        fail_msg("%s: %d %s", name, status, json_print(fiber_arena(), answer, NULL));
}

static int invoke(const char *name, const char *event, json_t **ret_answer)
{
    return post(arena_printf(fiber_arena(), "/api/v1/functions/%s/invocations", name), event, ret_answer);
}

static const char *result_of(const json_t *answer)
{
    json_t *result = json_object_get(answer, "result");
    char *text = result ? json_dumps(result, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    const char *copy = arena_strdup(fiber_arena(), text ? text : "(none)");
    free(text);
    return copy;
}

static void calls(void)
{
    json_t *answer;
    deploy("echo", "function handler(e, c) { console.log('hi', e.a); return [e, c.function, c.version]; }", NULL);
    assert_int_equal(invoke("echo", "{\"a\":1}", &answer), 200);
    assert_string_equal(result_of(answer), "[{\"a\":1},\"echo\",1]");
    assert_string_equal(json_string_value(json_array_get(json_object_get(answer, "logs"), 0)), "hi 1");
    assert_int_equal(json_get_integer(answer, "version"), 1);
    assert_true(json_is_real(json_object_get(answer, "duration_ms")));

    assert_int_equal(invoke("calculate-total", "{\"items\":[{\"unit_price\":1000,\"quantity\":2}],\"tax_percent\":\"10\"}", &answer), 200);
    assert_string_equal(result_of(answer), "{\"subtotal\":2000,\"discount\":0,\"tax\":200,\"total\":2200}");
    assert_int_equal(invoke("nothing", "{}", &answer), 404);
    assert_int_equal(invoke("echo", "{\"a\":", &answer), 400);
}

static void failures(void)
{
    json_t *answer;
    deploy("throws", "function handler() { console.log('before'); throw new TypeError('no'); }", NULL);
    assert_int_equal(invoke("throws", "1", &answer), 422);
    assert_string_equal(json_get_string(answer, "type"), "/problems/function-failed");
    assert_string_equal(json_get_string(json_object_get(answer, "error"), "message"), "TypeError: no");
    assert_non_null(strstr(json_get_string(json_object_get(answer, "error"), "stack"), "handler@throws"));
    assert_string_equal(json_string_value(json_array_get(json_object_get(answer, "logs"), 0)), "before");

    deploy("loops", "function handler(e) { while (e); return 'ok'; }", "{\"timeout_ms\":200}");
    assert_int_equal(invoke("loops", "1", &answer), 504);
    assert_string_equal(json_get_string(answer, "type"), "/problems/function-timeout");
    /* It stands behind everybody for a while, so on a busy machine 200 ms may not be enough at once. */
    int status = 0;
    for (int i = 0; i < 300 && status != 200; i++)
        status = invoke("loops", "0", &answer);
    assert_int_equal(status, 200);

    deploy("eats", "function handler(e) { const a = []; while (e) a.push('y'.repeat(1e6) + a.length); return 'ok'; }", "{\"timeout_ms\":20000}");
    assert_int_equal(invoke("eats", "1", &answer), 422);
    assert_string_equal(json_get_string(answer, "type"), "/problems/function-out-of-memory");
    assert_int_equal(invoke("eats", "0", &answer), 200);

    deploy("shouts", "function handler(e) { return 'x'.repeat(1e7); }", "{\"memory_mb\":256,\"timeout_ms\":20000}");
    assert_int_equal(invoke("shouts", "1", &answer), 422);
    assert_string_equal(json_get_string(answer, "type"), "/problems/function-output-too-large");

    deploy("deep", "function handler() { let o = 1; for (let i = 0; i < 100; i++) o = [o]; return o; }", NULL);
    assert_int_equal(invoke("deep", "1", &answer), 422);
}

/* What /metrics says of a function that was called four times, of which two failed. */
static void measures(void)
{
    static const char *const lines[] = {
        "purser_function_calls_total{function=\"measured\",outcome=\"succeeded\"} 2\n",
        "purser_function_calls_total{function=\"measured\",outcome=\"failed\"} 2\n",
        "purser_function_queue_seconds_count{function=\"measured\"} ",
        "purser_function_run_seconds_count{function=\"measured\"} 4\n",
        "purser_function_cold_starts_total{function=\"measured\"} ",
        "purser_function_memory_kilobytes{function=\"measured\"} ",
    };
    json_t *answer;
    struct buffer out = {0};
    deploy("measured", "function handler(e) { if (e) throw new Error('no'); return e; }", NULL);
    for (int i = 0; i < 4; i++)
        assert_int_equal(invoke("measured", i % 2 ? "1" : "0", &answer), i % 2 ? 422 : 200);
    metrics_print(&out);
    const char *text = arena_copy(fiber_arena(), out.at, out.size);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (!strstr(text, lines[i]))
            fail_msg("no %s", lines[i]);
    buffer_fini(&out);
}

/* Whoever calls has less time than the function may take, as an order has that asks for its price. */
static void deadlines(void)
{
    json_t *answer;
    long long ms = 0;
    deploy("endless", "function handler() { for (;;); }", "{\"timeout_ms\":30000}");
    int64_t before = fiber_narrow_deadline(1000);
    assert_int_equal(invoke("endless", "{}", &answer), 504);
    fiber_set_deadline(before);
    assert_int_equal(sscanf(json_get_string(answer, "detail"), "It did not end within %lld ms.", &ms), 1);
    assert_true(ms > 0 && ms <= 1000);
    assert_true(pool_counts_of(pool_entry_find("endless")).run_us > 0); /* it counts as long as it took */
}

static void refusals(void)
{
    json_t *answer;
    assert_int_equal(post("/api/v1/functions", "{\"name\":\"bad\",\"source\":\"function handler() {\\n  return 1 +;\\n}\"}", &answer), 422);
    json_t *error = json_array_get(json_object_get(answer, "errors"), 0);
    assert_string_equal(json_get_string(error, "pointer"), "/source");
    assert_non_null(strstr(json_get_string(error, "detail"), "line 2"));
    assert_int_equal(post("/api/v1/functions", "{\"name\":\"bad\",\"source\":\"1\"}", &answer), 422);
    assert_int_equal(post("/api/v1/functions", "{\"name\":\"Bad\",\"source\":\"1\",\"timeout_ms\":0,\"x\":1,\"triggers\":[\"y\"]}", &answer), 422);
    assert_int_equal(json_array_size(json_object_get(answer, "errors")), 4);
    assert_int_equal(get("/api/v1/functions/bad", &answer), 404);
    assert_int_equal(ask_as("user", HTTP_POST, "POST", "/api/v1/functions", "{}", &answer), 403);
    deploy("secret", "function handler() { return 1; }", "{\"access\":\"admin\"}");
    assert_int_equal(ask_as("user", HTTP_POST, "POST", "/api/v1/functions/secret/invocations", "{}", &answer), 403);
    assert_int_equal(ask_as("user", HTTP_GET, "GET", "/api/v1/functions/secret", NULL, &answer), 404);
    assert_int_equal(ask_as(NULL, HTTP_POST, "POST", "/api/v1/functions/secret/invocations", "{}", &answer), 401);
    deploy("open", "function handler() { return 1; }", "{\"access\":\"public\"}");
    assert_int_equal(ask_as(NULL, HTTP_POST, "POST", "/api/v1/functions/open/invocations", "{}", &answer), 200);
}

static void versions(void)
{
    json_t *answer;
    deploy("turns", "function handler() { return 'one'; }", NULL);
    deploy("turns", "function handler() { return 'two'; }", NULL);
    assert_int_equal(invoke("turns", "1", &answer), 200);
    assert_string_equal(result_of(answer), "\"two\"");
    assert_int_equal(get("/api/v1/functions/turns/versions", &answer), 200);
    assert_int_equal(json_array_size(json_object_get(answer, "data")), 2);
    assert_int_equal(post("/api/v1/functions/turns/rollback", "{\"version\":1}", &answer), 200);
    assert_int_equal(invoke("turns", "1", &answer), 200);
    assert_string_equal(result_of(answer), "\"one\"");
    assert_int_equal(post("/api/v1/functions/turns/rollback", "{\"version\":9}", &answer), 422);
    assert_int_equal(ask_as("admin", HTTP_DELETE, "DELETE", "/api/v1/functions/turns", NULL, &answer), 204);
    assert_int_equal(invoke("turns", "1", &answer), 404);

    assert_int_equal(ask_as("admin", HTTP_DELETE, "DELETE", "/api/v1/functions/format-order", NULL, &answer), 409);
    deploy("format-order", "function handler() { return 'mine'; }", NULL);
    assert_int_equal(invoke("format-order", "{}", &answer), 200);
    assert_string_equal(result_of(answer), "\"mine\"");
    assert_int_equal(ask_as("admin", HTTP_DELETE, "DELETE", "/api/v1/functions/format-order", NULL, &answer), 204);
    assert_int_equal(invoke("format-order", "{\"id\":\"12345678\",\"currency\":\"EUR\",\"total\":5,\"items\":[]}", &answer), 200);
    assert_non_null(strstr(result_of(answer), "0.05 EUR"));
}

/* Many calls at once, from both event loops. */
struct crowd {
    struct fiber *waiter;
    atomic_uint left;
    atomic_uint statuses[600];
    atomic_uint served_later; /* than somebody was refused */
    const char *name, *event;
    bool patient;
};

static struct crowd crowd;

/* A patient one comes again when it is told to: on a busy machine the line may be longer than there is time. */
static void crowd_call(void *arg)
{
    json_t *answer;
    int status = invoke(crowd.name, crowd.event, &answer);
    for (int i = 0; crowd.patient && status == 429 && i < 600; i++) {
        fiber_sleep(100);
        status = invoke(crowd.name, crowd.event, &answer);
    }
    atomic_fetch_add(&crowd.statuses[status], 1);
    if (status == 200 && atomic_load(&crowd.statuses[429]))
        atomic_fetch_add(&crowd.served_later, 1);
    if (atomic_fetch_sub(&crowd.left, 1) == 1)
        fiber_wake_from_thread(crowd.waiter);
}

static void send_crowd(const char *name, const char *event, unsigned count, bool patient)
{
    memset(&crowd, 0, sizeof crowd);
    crowd.waiter = fiber_self();
    crowd.name = name;
    crowd.event = event;
    crowd.patient = patient;
    atomic_store(&crowd.left, count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(worker_start_fiber(worker_at(i % worker_count()), "crowd", crowd_call, NULL), 0);
    while (atomic_load(&crowd.left))
        fiber_wait_uninterrupted();
}

static void crowds(void)
{
    deploy("quick", "function handler(e) { return e; }", NULL);
    send_crowd("quick", "1", 500, true);
    assert_int_equal(crowd.statuses[200], 500);

    /* Slow ones: what cannot be served in time is sent away at once, and everybody has an answer. */
    deploy("slow", "async function handler() { await new Promise((r) => setTimeout(r, 100)); return 1; }", "{\"concurrency\":2}");
    send_crowd("slow", "1", 2, true);
    send_crowd("slow", "1", 1500, false);
    assert_int_equal(crowd.statuses[200] + crowd.statuses[429], 1500);
    assert_true(crowd.statuses[429] > 0);
    assert_true(crowd.statuses[200] > 0);

    /* All of them come before it is known how long a call takes; those at the end are refused when it is, not when their time is over. */
    deploy("steady", "async function handler() { await new Promise((r) => setTimeout(r, 100)); return 1; }", "{\"concurrency\":1}");
    send_crowd("steady", "1", 150, false);
    assert_int_equal(crowd.statuses[200] + crowd.statuses[429], 150);
    assert_true(crowd.statuses[429] > 0);
    assert_true(crowd.served_later > 3);

    send_crowd("echo", "{\"a\":2}", 100, true);
    assert_int_equal(crowd.statuses[200], 100);
}

static void lost_host(void)
{
    json_t *answer;
    host_restart();
    assert_int_equal(invoke("echo", "{\"a\":1}", &answer), 200);
    host_restart();
    send_crowd("echo", "{\"a\":2}", 50, true);
    assert_int_equal(crowd.statuses[200], 50);
}

static void wait_for_invocation(const char *target, const char *status)
{
    json_t *answer;
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(get(target, &answer), 200);
        if (!strcmp(json_get_string(answer, "status"), status))
            return;
        fiber_sleep(10);
    }
    fail_msg("%s never became %s", target, status);
}

static void later(void)
{
    json_t *answer;
    assert_int_equal(post("/api/v1/functions/echo/invocations?async", "{\"a\":3}", &answer), 202);
    assert_string_equal(json_get_string(answer, "status"), "pending");
    const char *target = arena_printf(fiber_arena(), "/api/v1/functions/echo/invocations/%s", json_get_string(answer, "id"));
    wait_for_invocation(target, "succeeded");
    assert_int_equal(post("/api/v1/functions/throws/invocations?async", "{\"a\":3}", &answer), 202);
    target = arena_printf(fiber_arena(), "/api/v1/functions/throws/invocations/%s", json_get_string(answer, "id"));
    wait_for_invocation(target, "failed");
    assert_int_equal(get(target, &answer), 200);
    assert_string_equal(json_get_string(json_object_get(answer, "error"), "message"), "TypeError: no");
}

/* What arrives on the queue notifications. */
static unsigned notified;
static char notified_title[200];

static void on_notifications(void *context, struct queue_delivery *batch, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct event event;
        if (event_parse(fiber_arena(), batch[i].message.body, &event, NULL) == 0) {
            snprintf(notified_title, sizeof notified_title, "%s", event_string(fiber_arena(), &event, "title"));
            assert_string_equal(event_string(fiber_arena(), &event, "user_id"), USER);
        }
        notified++;
        batch[i].verdict = QUEUE_ACK;
    }
}

static void publish(const char *queue, const char *type, const char *data)
{
    struct event event = {.source = "/test", .type = type, .subject = "x", .data = text_of(data)};
    struct text body = event_print(fiber_arena(), &event);
    struct queue_message message = {.queue = queue, .id = event.id, .body = body};
    /* Twice: the second has no effect. */
    assert_int_equal(queue_publish(engines.queue, &message, 1), 0);
    assert_int_equal(queue_publish(engines.queue, &message, 1), 0);
}

static void wait_for_notifications(unsigned count)
{
    for (int i = 0; i < 3000 && notified < count; i++)
        fiber_sleep(10);
    assert_int_equal(notified, count);
}

static void hooks(void)
{
    struct err err;
    struct queue_consumer consumer = {.queue = QUEUE_NOTIFICATIONS, .batch_max = 10, .prefetch = 10, .handle = on_notifications};
    assert_int_equal(queue_consume(engines.queue, &consumer, &err), 0);
    publish(QUEUE_ORDER_CREATED, EVENT_ORDER_PLACED,
            "{\"id\":\"0198f0aa-0000-7000-8000-0000deadbeef\",\"user_id\":\"" USER "\",\"currency\":\"EUR\",\"total\":5,\"items\":[]}");
    wait_for_notifications(1);
    assert_string_equal(notified_title, "Receipt for order deadbeef");
    publish(QUEUE_USER_CREATED, EVENT_USER_CREATED, "{\"user_id\":\"" USER "\",\"email\":\"ann@gmial.com\"}");
    wait_for_notifications(2);
    publish(QUEUE_USER_CREATED, EVENT_USER_CREATED, "{\"user_id\":\"" USER "\",\"email\":\"ann@example.com\"}");

    deploy("on-paid", "function handler(e, c) { return { title: c.event.type, body: e.order_id }; }", "{\"triggers\":[\"purser.order.*\"]}");
    struct event event = {
        .source = "/orders", .type = EVENT_ORDER_PAID, .subject = "o1", .data = text_of("{\"user_id\":\"" USER "\",\"order_id\":\"o1\"}")};
    struct text body = event_print(fiber_arena(), &event);
    struct stream_record record = {.topic = TOPIC_ORDERS, .key = USER, .id = event.id, .value = body};
    assert_int_equal(stream_publish(engines.stream, &record, 1), 0);
    wait_for_notifications(3);
    assert_string_equal(notified_title, EVENT_ORDER_PAID);

    /* A schedule: its minute comes twice, as if from two instances. */
    deploy("tick", "function handler(e) { console.log(e.scheduled_at); }", "{\"triggers\":[\"cron: * * * * *\"]}");
    assert_int_equal(hooks_minute(engines.database, 1000000), 0);
    assert_int_equal(hooks_minute(engines.database, 1000000), 0);
    json_t *answer;
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(get("/api/v1/functions/tick/logs", &answer), 200);
        if (json_array_size(json_object_get(answer, "data")))
            break;
        fiber_sleep(10);
    }
    assert_int_equal(json_array_size(json_object_get(answer, "data")), 1);
    assert_string_equal(json_get_string(json_array_get(json_object_get(answer, "data"), 0), "trigger"), "cron: * * * * *");
    assert_int_equal(notified, 3);
}

static void logs(void)
{
    json_t *answer;
    assert_int_equal(get("/api/v1/functions/throws/logs?limit=1", &answer), 200);
    json_t *first = json_array_get(json_object_get(answer, "data"), 0);
    assert_string_equal(json_get_string(first, "status"), "failed");
    assert_string_equal(json_get_string(json_object_get(first, "error"), "message"), "TypeError: no");
    assert_string_equal(json_string_value(json_array_get(json_object_get(first, "logs"), 0)), "before");
}

static void body(void)
{
    struct err err = {0};
    void *context;
    engines.database = database_of("functions");
    assert_int_equal(queue_open(&engines.queue, &err), 0);
    assert_int_equal(stream_open(&engines.stream, &err), 0);
    assert_int_equal(outbox_relay_start(engines.database, "functions", engines.queue, engines.stream, &relay), 0);
    if (functions_service.start(&engines, &context, &err))
        fail_msg("%s", err.message);
    router = router_new(functions_service.routes, context);
    calls();
    failures();
    deadlines();
    measures();
    refusals();
    versions();
    crowds();
    later();
    hooks();
    logs();
    lost_host();
    queue_stop(engines.queue);
    stream_stop(engines.stream);
    functions_service.stop(context);
    outbox_relay_stop(relay);
    queue_close(engines.queue);
    stream_close(engines.stream);
    database_close(engines.database);
    router_free(router);
}

static void test_service(void **state)
{
    /* Where the host was not built (no Node.js or JavaScriptCore) there is nothing to run functions in; the build names it otherwise. */
    if (!getenv("PURSER_FUNCTION_HOST"))
        skip();
    in_folder(2, body);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_service)};
    return cmocka_run_group_tests_name("functions/service", tests, NULL, NULL);
}
