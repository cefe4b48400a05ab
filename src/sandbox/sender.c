/*
 * Callbacks go out a batch at a time to the setting callback_url or, where that is empty, to the payment service of this process. One that
 * is not answered 2xx stays, and all wait a second: the shop may be away for a while. They leave a moment after what they tell of,
 * when whoever asked has had his answer: so they come in batches, and mostly tell nothing new.
 */
#include "sandbox/sender.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/settings.h"
#include "contracts/callbacks.h"
#include "engines/wakeup.h"
#include "http/client.h"
#include "runtime/worker.h"
#include "sandbox/store.h"
#include "service/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INSIDE_TARGET "/api/v1/payments/callbacks/sandbox"
#define BATCH 256
#define PAUSE_MS 1000
#define GATHER_MS 100
#define CALL_MS 5000

struct sender {
    struct database *database;
    _Atomic bool stopping;
    bool ended;
    struct wakeup wakeup, stopped, sent;
    unsigned on_the_way; /* of the batch */
    int count;           /* of the last round; negative: not all of them went */
};

/* One callback that is being sent. */
struct sending {
    struct sender *sender;
    const struct callback *callback;
    bool done;
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

static FIBER_FN void send_one(void *arg)
{
    struct sending *sending = arg;
    struct text body = sending->callback->body;
    const char *url = settings_text("callback_url");
    char *signature = callback_sign(fiber_arena(), settings_text("callback_secret"), clock_wall_ms() / 1000, body);
    fiber_set_deadline(clock_mono_ms() + CALL_MS);
    int status = *url ? send_outside(url, body, signature) : send_inside(body, signature);
    sending->done = status >= 200 && status <= 299;
    if (!sending->done)
        log_debug("callback not taken", "{s:i}", "result", status);
}

static void send_ended(void *arg)
{
    struct sender *sender = arg;
    if (--sender->on_the_way == 0)
        wakeup_ring(&sender->sent);
}

/* On a fiber of its own, which counts itself off when it goes, however it ends. */
static void send_start(struct sending *sending)
{
    struct arena *arena = arena_new();
    if (!arena)
        return;
    struct fiber_options options = {.name = "sandbox.callback", .run = send_one, .arg = sending, .arena = arena};
    struct fiber *fiber;
    sending->sender->on_the_way++;
    arena_defer(arena, send_ended, sending->sender);
    if (fiber_start_with(&options, &fiber))
        arena_free(arena);
}

/* Sends all of a batch at once, and forgets those that were taken. */
static FIBER_FN int send_batch(struct sender *sender, const struct callback *list, int count)
{
    struct sending *sendings = arena_alloc(fiber_arena(), sizeof *sendings * (size_t)count);
    const char **taken = arena_alloc(fiber_arena(), sizeof *taken * (size_t)count);
    int taken_count = 0;
    for (int i = 0; i < count; i++) {
        sendings[i] = (struct sending){.sender = sender, .callback = &list[i]};
        send_start(&sendings[i]);
    }
    while (sender->on_the_way)
        wakeup_wait_uninterrupted(&sender->sent);
    for (int i = 0; i < count; i++)
        if (sendings[i].done)
            taken[taken_count++] = list[i].id;
    int error = sandbox_callbacks_done(sender->database, taken, taken_count);
    return error || taken_count < count ? -EAGAIN : count;
}

static FIBER_FN void round_of(void *arg)
{
    struct sender *sender = arg;
    struct callback *list = arena_alloc(fiber_arena(), sizeof *list * BATCH);
    sender->count = sandbox_callbacks(sender->database, list, BATCH);
    if (sender->count > 0)
        sender->count = send_batch(sender, list, sender->count);
}

static FIBER_FN void run(void *arg)
{
    struct sender *sender = arg;
    while (!sender->stopping) {
        if (fiber_run_apart("sandbox.sender round", round_of, sender))
            sender->count = -ENOMEM;
        if (sender->count == BATCH)
            continue;
        /* A failed round is not begun again by whoever rings meanwhile. */
        if (sender->count < 0)
            fiber_sleep(PAUSE_MS);
        else if (wakeup_wait(&sender->wakeup, 0) == 0)
            fiber_sleep(GATHER_MS);
    }
    sender->ended = true;
    wakeup_ring(&sender->stopped);
}

int sender_start(struct database *database, struct sender **ret_sender)
{
    struct sender *sender = calloc(1, sizeof *sender);
    if (!sender)
        return -ENOMEM;
    sender->database = database;
    int error = fiber_start("sandbox.sender", run, sender);
    if (error) {
        free(sender);
        return error;
    }
    *ret_sender = sender;
    return 0;
}

void sender_wake(struct sender *sender)
{
    wakeup_ring(&sender->wakeup);
}

FIBER_FN void sender_stop(struct sender *sender)
{
    sender->stopping = true;
    wakeup_ring(&sender->wakeup);
    while (!sender->ended)
        wakeup_wait_uninterrupted(&sender->stopped);
    free(sender);
}
