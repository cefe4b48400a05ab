/*
 * Callbacks go out oldest first, one at a time, to the setting callback_url or, where that is empty, to the payment service of this process.
 * One that is not answered 2xx stays, and all wait a second: the shop may be away for a while.
 */
#include "sandbox/sender.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/settings.h"
#include "contracts/callbacks.h"
#include "http/client.h"
#include "runtime/worker.h"
#include "sandbox/store.h"
#include "service/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INSIDE_TARGET "/api/v1/payments/callbacks/sandbox"
#define BATCH 16
#define PAUSE_MS 1000
#define CALL_MS 5000

struct sender {
    struct database *database;
    struct worker *home;
    struct fiber *fiber; /* NULL once it has ended */
    bool stopping, waiting;
};

/* http://host:port/path in parts; false for anything else. */
static bool url_parts(struct arena *arena, const char *url, const char **ret_host, int *ret_port, const char **ret_target)
{
    struct text rest = text_of(url), authority;
    int64_t port = 80;
    if (!text_starts(rest, text_of("http://")))
        return false;
    rest = (struct text){rest.at + 7, rest.size - 7};
    text_split(&rest, '/', &authority);
    struct text digits = authority, host;
    text_split(&digits, ':', &host);
    if (digits.size && (text_to_int64(digits, &port) || port < 1 || port > 65535))
        return false;
    *ret_host = arena_copy(arena, host.at, host.size);
    *ret_port = (int)port;
    *ret_target = arena_printf(arena, "/%.*s", (int)rest.size, rest.size ? rest.at : "");
    return host.size > 0;
}

static FIBER_FN int send_outside(const char *url, struct text body, const char *signature)
{
    struct arena *arena = fiber_arena();
    const char *host, *target, *addresses[1];
    int port;
    if (!url_parts(arena, url, &host, &port, &target))
        return -EINVAL;
    int count = http_resolve(host, port, addresses, 1);
    if (count <= 0)
        return count ? count : -ENOENT;
    struct http_call call = {.address = addresses[0], .method = "POST", .target = target, .body = body};
    http_header_add(arena, &call.headers, "Content-Type", "application/json");
    http_header_add(arena, &call.headers, CALLBACK_SIGNATURE_HEADER, signature);
    struct http_response answer = {.arena = arena};
    int error = http_client_call(&call, &answer, NULL);
    return error ? error : answer.status;
}

static FIBER_FN int send_inside(struct text body, const char *signature)
{
    struct arena *arena = fiber_arena();
    struct http_request request = {
        .arena = arena,
        .method = HTTP_POST,
        .method_name = text_of("POST"),
        .target = text_of(INSIDE_TARGET),
        .path = text_of(INSIDE_TARGET),
        .query = text_of(""),
        .body = body,
        .client_address = "127.0.0.1",
        .trace = fiber_trace(),
    };
    http_header_add(arena, &request.headers, "Content-Type", "application/json");
    http_header_add(arena, &request.headers, CALLBACK_SIGNATURE_HEADER, signature);
    struct http_response answer = {.arena = arena};
    service_call("payments", &request, &answer);
    return answer.status;
}

/* True when all of the batch went. */
static FIBER_FN bool send_batch(struct sender *sender, const struct callback *list, int count)
{
    const char *url = settings_text("callback_url");
    for (int i = 0; i < count && !sender->stopping; i++) {
        char *signature = callback_sign(fiber_arena(), settings_text("callback_secret"), clock_wall_ms() / 1000, list[i].body);
        int64_t former = fiber_narrow_deadline(CALL_MS);
        int status = *url ? send_outside(url, list[i].body, signature) : send_inside(list[i].body, signature);
        fiber_set_deadline(former);
        if (status < 200 || status > 299) {
            log_debug("callback not taken", "{s:i}", "result", status);
            return false;
        }
        if (sandbox_callback_done(sender->database, list[i].id))
            return false;
    }
    return true;
}

static FIBER_FN void pause_until_woken(struct sender *sender)
{
    sender->waiting = true;
    fiber_set_deadline(clock_mono_ms() + PAUSE_MS);
    fiber_wait();
    fiber_set_deadline(0);
    sender->waiting = false;
}

static FIBER_FN void run(void *arg)
{
    struct sender *sender = arg;
    while (!sender->stopping) {
        struct callback list[BATCH];
        arena_reset(fiber_arena());
        int count = sandbox_callbacks(sender->database, list, BATCH);
        bool sent = count > 0 && send_batch(sender, list, count);
        if (!sender->stopping && (count < BATCH || !sent))
            pause_until_woken(sender);
    }
    sender->fiber = NULL;
}

int sender_start(struct database *database, struct sender **ret_sender)
{
    struct sender *sender = calloc(1, sizeof *sender);
    if (!sender)
        return -ENOMEM;
    *sender = (struct sender){.database = database, .home = worker_self()};
    struct fiber_options options = {.name = "sandbox.sender", .run = run, .arg = sender};
    int error = fiber_start_with(&options, &sender->fiber);
    if (error) {
        free(sender);
        return error;
    }
    *ret_sender = sender;
    return 0;
}

static void wake_here(void *arg)
{
    struct sender *sender = arg;
    if (sender->fiber && sender->waiting)
        fiber_wake(sender->fiber);
}

void sender_wake(struct sender *sender)
{
    worker_post(sender->home, wake_here, sender);
}

FIBER_FN void sender_stop(struct sender *sender)
{
    sender->stopping = true;
    wake_here(sender);
    while (sender->fiber)
        fiber_sleep(5);
    free(sender);
}
