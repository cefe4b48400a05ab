/*
 * A socket's order. A push with the number right after the last one sent goes out at once; any other only says what exists, and a fiber reads the
 * missing rows from the log. So nothing is lost, nothing comes twice, and an idle socket owns no fiber. The struct lives until the socket is closed
 * and no fiber works for it.
 */
#include "notifications/listener.h"

#include "base/clock.h"
#include "base/json_text.h"
#include "base/log.h"
#include "notifications/client_messages.h"
#include "notifications/hub.h"
#include "notifications/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE 64
#define QUEUE_HIGH (WEBSOCKET_QUEUE_MAX / 4)
#define DRAIN_MS 20
#define DRAIN_LIMIT_MS 30000

static void free_if_done(struct listener *listener)
{
    if (!listener->socket && !listener->working && !listener->messages)
        free(listener);
}

void listener_unref(struct listener *listener)
{
    listener->messages--;
    free_if_done(listener);
}

void listener_close(struct listener *listener, int code, const char *reason)
{
    if (listener->socket)
        websocket_close(listener->socket, code, reason);
}

static void on_expiry(void *arg)
{
    listener_close(arg, WS_CLOSE_UNAUTHORIZED, "the token has expired");
}

void listener_expires(struct listener *listener, int64_t wall_ms)
{
    timer_stop(&listener->expiry);
    if (wall_ms)
        timer_start(&listener->expiry, clock_mono_ms() + wall_ms - clock_wall_ms(), on_expiry, listener);
}

static void on_closed(void *context, int code)
{
    struct listener *listener = context;
    timer_stop(&listener->expiry);
    hub_remove(listener);
    listener->socket = NULL;
    free_if_done(listener);
}

/* ---- sending ---- */

static void send_text(struct listener *listener, struct text frame)
{
    if (listener->socket)
        websocket_send(listener->socket, frame);
}

static struct text print_unread(int64_t unread, char ret_frame[64])
{
    int size = snprintf(ret_frame, 64, "{\"type\":\"unread\",\"count\":%" PRId64 "}", unread);
    return (struct text){ret_frame, (size_t)size};
}

static void send_unread(struct listener *listener, int64_t unread)
{
    char frame[64];
    send_text(listener, print_unread(unread, frame));
}

static void send_pushed(struct listener *listener, const struct push *push)
{
    char frame[64];
    websocket_send_both(listener->socket, push->frame, print_unread(push->unread, frame));
    if (push->seq)
        listener->sent = listener->known = push->seq;
}

/* A slow reader gets the next page when it has taken the last one. */
static FIBER_FN bool wait_for_room(struct listener *listener)
{
    for (int waited_ms = 0; listener->socket && websocket_queued(listener->socket) > QUEUE_HIGH; waited_ms += DRAIN_MS) {
        if (waited_ms > DRAIN_LIMIT_MS)
            listener_close(listener, WS_CLOSE_SLOW, "too slow");
        if (fiber_sleep(DRAIN_MS))
            return false;
    }
    return listener->socket != NULL;
}

/* Sends the rows after the last one sent; the count of them, or negative. */
static FIBER_FN int send_page(struct listener *listener)
{
    struct arena *arena = fiber_arena();
    struct notification *list = arena_alloc(arena, PAGE * sizeof *list);
    const struct page_wanted wanted = {.user_id = listener->user_id, .from = listener->sent, .limit = PAGE};
    int count = notifications_page(listener->notifications->engines.database, &wanted, list);
    for (int i = 0; i < count && listener->socket; i++) {
        send_text(listener, json_text(arena, "sj", "type", "notification", "notification", &list[i].json));
        listener->sent = list[i].seq;
    }
    return count;
}

static FIBER_FN int send_missed(struct listener *listener)
{
    int count;
    do {
        arena_reset(fiber_arena());
        if (!wait_for_room(listener))
            return 0;
        count = send_page(listener);
    } while (count == PAGE);
    return count;
}

static FIBER_FN void send_count(struct listener *listener)
{
    struct standing standing;
    listener->recount = false;
    if (notifications_standing(listener->notifications->engines.database, listener->user_id, &standing) == 0)
        send_unread(listener, standing.unread);
}

static FIBER_FN void catch_up(void *arg)
{
    struct listener *listener = arg;
    int error = 0;
    while (listener->socket && error >= 0 && (listener->sent < listener->known || listener->recount)) {
        int64_t known = listener->known;
        error = send_missed(listener);
        if (error >= 0 && listener->recount)
            send_count(listener);
        if (error >= 0 && listener->sent < known && listener->known == known)
            listener->known = listener->sent; /* those rows are gone */
    }
    if (error < 0)
        listener_close(listener, WS_CLOSE_RESTART, "try again");
    listener->working = false;
    free_if_done(listener);
}

/* Short of memory, before or in the middle: the client comes back and reads on from what it has. */
static void give_up(void *arg)
{
    struct listener *listener = arg;
    listener_close(listener, WS_CLOSE_RESTART, "try again");
    listener->working = false;
    free_if_done(listener);
}

static void start_work(struct listener *listener, const char *name, void (*run)(void *arg))
{
    const struct fiber_options options = {.name = name, .run = run, .arg = listener, .abandoned = give_up};
    listener->working = true;
    if (fiber_start_with(&options, NULL))
        give_up(listener);
}

static void start_catching_up(struct listener *listener)
{
    if (!listener->working)
        start_work(listener, "notifications.catch_up", catch_up);
}

void listener_push(struct listener *listener, const struct push *push)
{
    if (!listener->socket || push->seq < 0)
        return;
    if (listener->working) {
        listener->recount = true;
        if (push->seq > listener->known)
            listener->known = push->seq;
        if (push->seq == 0 && listener->begun)
            send_text(listener, push->frame);
        return;
    }
    if (push->seq == 0 || push->seq == listener->sent + 1) {
        send_pushed(listener, push);
    } else if (push->seq > listener->sent) {
        listener->known = push->seq;
        listener->recount = true;
        start_catching_up(listener);
    }
}

void listener_check(struct listener *listener)
{
    listener->recount = true;
    listener->known++;
    start_catching_up(listener);
}

/* ---- beginning ---- */

static FIBER_FN void begin(void *arg)
{
    struct listener *listener = arg;
    struct standing standing;
    int error = notifications_standing(listener->notifications->engines.database, listener->user_id, &standing);
    if (error || !listener->socket) {
        give_up(listener);
        return;
    }
    json_t *hello = json_make(fiber_arena(), "{s:s, s:I, s:I}", "type", "hello", "last_seq", (json_int_t)standing.last_seq, "unread",
                              (json_int_t)standing.unread);
    send_text(listener, text_of(json_print(fiber_arena(), hello, NULL)));
    listener->begun = true;
    if (listener->sent < 0 || listener->sent > standing.last_seq)
        listener->sent = standing.last_seq;
    if (listener->known < standing.last_seq)
        listener->known = standing.last_seq;
    catch_up(listener);
}

static void on_message(void *context, struct websocket *socket, struct text message)
{
    client_message(context, message);
}

int listener_accept(struct notifications *notifications, struct http_request *request, struct http_response *response, int64_t after)
{
    static const struct websocket_events events = {.message = on_message, .closed = on_closed};
    struct listener *listener = calloc(1, sizeof *listener);
    if (!listener)
        memory_short();
    listener->notifications = notifications;
    listener->sent = after;
    snprintf(listener->user_id, sizeof listener->user_id, "%s", request->identity.user_id);
    snprintf(listener->session_id, sizeof listener->session_id, "%s", request->identity.session_id ? request->identity.session_id : "");
    int error = websocket_accept(request, response, "purser.v1", &events, listener, &listener->socket);
    if (error) {
        free(listener);
        return error;
    }
    hub_add(listener);
    listener_expires(listener, request->identity.expires_wall_ms);
    start_work(listener, "notifications.begin", begin);
    return 0;
}
