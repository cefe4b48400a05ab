/*
 * Callbacks go out a batch at a time to the setting callback_url or, where that is empty, to the payment service of this process. One that
 * is not answered 2xx is put off by itself (rules.c says for how long) and holds up no other. They leave a moment after what they tell of,
 * when whoever asked has had his answer: so they come in batches, and mostly tell nothing new.
 */
#include "sandbox/sender.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/settings.h"
#include "contracts/callbacks.h"
#include "engines/wakeup.h"
#include "http/client.h"
#include "http/url.h"
#include "runtime/worker.h"
#include "sandbox/store.h"
#include "service/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INSIDE_TARGET "/api/v1/payments/callbacks/sandbox"
#define BATCH 256
#define AT_ONCE 32 /* fewer than idle connections are kept, or each batch would open some and close them */
#define PAUSE_MS 1000
#define GATHER_MS 100
#define CALL_MS 5000

struct sender {
    struct database *database;
    _Atomic bool stopping;
    bool ended;
    struct wakeup wakeup, stopped, sent;
    unsigned on_the_way; /* of the batch */
    int count;           /* of the last round; negative: it failed */
    int64_t next_due;    /* steady time; of those that were put off */
};

/* One callback that is being sent. */
struct sending {
    struct sender *sender;
    struct callback *callback;
};

static FIBER_FN int send_outside(struct text body, const char *signature, struct http_response *answer)
{
    struct arena *arena = fiber_arena();
    const char *addresses[1];
    struct http_url url;
    if (http_url_parse(text_of(settings_text("callback_url")), &url))
        return -EINVAL;
    int count = http_resolve(arena_copy(arena, url.host.at, url.host.size), url.port, addresses, 1);
    if (count <= 0)
        return count ? count : -ENOENT;
    const char *target = url.target.size ? arena_copy(arena, url.target.at, url.target.size) : "/";
    struct http_call call = {.address = addresses[0], .method = "POST", .target = target, .body = body};
    http_header_add(arena, &call.headers, "Content-Type", "application/json");
    http_header_add(arena, &call.headers, CALLBACK_SIGNATURE_HEADER, signature);
    return http_client_call(&call, answer, NULL);
}

static FIBER_FN int send_inside(struct text body, const char *signature, struct http_response *answer)
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
    service_call("payments", &request, answer);
    return 0;
}

/* In seconds; negative: it does not say, or in another form. */
static int64_t retry_after_of(const struct http_response *answer)
{
    int64_t seconds;
    struct text said = http_header(&answer->headers, "Retry-After");
    return said.at && text_to_int64(said, &seconds) == 0 ? seconds : -1;
}

static FIBER_FN void send_one(void *arg)
{
    struct callback *callback = ((struct sending *)arg)->callback;
    bool outside = *settings_text("callback_url");
    char *signature = callback_sign(fiber_arena(), settings_text("callback_secret"), clock_wall_ms() / 1000, callback->body);
    struct http_response answer = {.arena = fiber_arena()};
    fiber_set_deadline(clock_mono_ms() + CALL_MS);
    int error = outside ? send_outside(callback->body, signature, &answer) : send_inside(callback->body, signature, &answer);
    callback->is_taken = !error && answer.status >= 200 && answer.status <= 299;
    if (callback->is_taken)
        return;
    callback->pause_ms = callback_pause_ms(callback->attempts, error ? -1 : retry_after_of(&answer));
    log_debug("callback not taken", "{s:i, s:I}", "result", error ? error : answer.status, "again_in_ms", (json_int_t)callback->pause_ms);
}

static void send_ended(void *arg)
{
    struct sender *sender = arg;
    sender->on_the_way--;
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

/* Sends a batch, some at once; those whose fiber could not run count as not taken. What a stop comes before stays as it was. */
static FIBER_FN int send_batch(struct sender *sender, struct callback *list, int count)
{
    struct sending *sendings = arena_alloc(fiber_arena(), sizeof *sendings * (size_t)count);
    int begun = 0;
    for (; begun < count && !sender->stopping; begun++) {
        list[begun].pause_ms = callback_pause_ms(list[begun].attempts, -1);
        sendings[begun] = (struct sending){sender, &list[begun]};
        while (sender->on_the_way >= AT_ONCE)
            wakeup_wait_uninterrupted(&sender->sent);
        send_start(&sendings[begun]);
    }
    while (sender->on_the_way)
        wakeup_wait_uninterrupted(&sender->sent);
    for (int i = 0; i < begun; i++)
        if (!list[i].is_taken && clock_steady_ms() + list[i].pause_ms < sender->next_due)
            sender->next_due = clock_steady_ms() + list[i].pause_ms;
    int error = begun ? sandbox_callbacks_settle(sender->database, list, begun) : 0;
    return error ? error : count;
}

static FIBER_FN void round_of(void *arg)
{
    struct sender *sender = arg;
    struct callback *list = arena_alloc(fiber_arena(), sizeof *list * BATCH);
    sender->count = sandbox_callbacks(sender->database, list, BATCH, &sender->next_due);
    if (sender->count > 0)
        sender->count = send_batch(sender, list, sender->count);
}

/* Until there is something new, or something is due. */
static FIBER_FN void wait_for_more(struct sender *sender)
{
    int64_t pause_ms = sender->next_due == INT64_MAX ? CALLBACK_PAUSE_MAX_MS : sender->next_due - clock_steady_ms();
    if (pause_ms > 0 && wakeup_wait(&sender->wakeup, clock_mono_ms() + pause_ms) == 0)
        fiber_sleep(GATHER_MS);
}

static FIBER_FN void run(void *arg)
{
    struct sender *sender = arg;
    while (!sender->stopping) {
        if (fiber_run_apart("sandbox.sender round", round_of, sender))
            sender->count = -ENOMEM;
        /* A failed round is not begun again by whoever rings meanwhile. */
        if (sender->count < 0)
            fiber_sleep(PAUSE_MS);
        else if (sender->count < BATCH)
            wait_for_more(sender);
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
