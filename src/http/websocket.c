/*
 * The server's side of a WebSocket. wslay reads: it joins fragments, checks UTF-8 and answers pings and closes; but it takes 9 KB, so a
 * context exists only from the first byte of a message to its last. Beside it our own reading of frame headers finds where that is, and holds
 * the limits that wslay does not have. What we send needs no state: a header and the payload.
 *
 * Always holds: after `closing` nothing but the other side's close frame matters; `closed` is told once, when the tcp is gone.
 */
#include "http/websocket.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/settings.h"
#include "http/upgrade.h"
#include "http/ws_frames.h"
#include "http/ws_handshake.h"

#include <errno.h>
#include <stdlib.h>
#include <wslay/wslay.h>

#define CLOSE_MS 5000
#define NO_CODE 1005
#define BROKEN 1006

struct websocket {
    struct tcp *tcp;
    const struct websocket_events *events;
    void *context;
    struct wslay_event_context *wslay; /* NULL between messages */
    struct ws_frames frames;
    struct text feed;      /* what wslay may read now */
    uint64_t message_size; /* so far */
    unsigned fragments;
    bool in_message;
    bool closing; /* our close frame is sent */
    bool heard;   /* anything since the last ping */
    int code;
};

/* ---- sending ---- */

static void send_frame(struct websocket *socket, unsigned char opcode, struct text payload)
{
    unsigned char header[10];
    size_t size = ws_frame_header(opcode, payload.size, header);
    if (tcp_write(socket->tcp, (struct text){(char *)header, size}, payload) == -ENOMEM)
        tcp_close(socket->tcp);
}

void websocket_close(struct websocket *socket, int code, const char *reason)
{
    unsigned char frame[131];
    if (socket->closing)
        return;
    socket->closing = true;
    socket->code = code;
    if (code == WS_CLOSE_SLOW)
        counter_add(counter_get("purser_websockets_slow_total", NULL, "WebSockets closed with 4408: their clients read too slowly"), 1);
    size_t size = ws_close_frame(code, reason, false, frame);
    if (tcp_write(socket->tcp, (struct text){(char *)frame, size}, (struct text){0}) == -ENOMEM)
        tcp_close(socket->tcp);
    tcp_set_due(socket->tcp, clock_mono_ms() + CLOSE_MS);
}

/* False: it closes, or does now. */
static bool has_room(struct websocket *socket, size_t size)
{
    if (socket->closing || socket->tcp->closing)
        return false;
    if (tcp_queued(socket->tcp) + size <= WEBSOCKET_QUEUE_MAX)
        return true;
    websocket_close(socket, WS_CLOSE_SLOW, "too slow");
    return false;
}

int websocket_send(struct websocket *socket, struct text message)
{
    if (!has_room(socket, message.size))
        return -EPIPE;
    send_frame(socket, WS_TEXT, message);
    return 0;
}

static void add_frame(struct buffer *out, struct text payload)
{
    unsigned char header[10];
    size_t size = ws_frame_header(WS_TEXT, payload.size, header);
    buffer_add(out, header, size);
    buffer_add(out, payload.at, payload.size);
}

int websocket_send_both(struct websocket *socket, struct text first, struct text second)
{
    struct buffer frames = {0};
    if (!has_room(socket, first.size + second.size))
        return -EPIPE;
    add_frame(&frames, first);
    add_frame(&frames, second);
    if (frames.failed || tcp_write(socket->tcp, (struct text){frames.at, frames.size}, (struct text){0}) == -ENOMEM)
        tcp_close(socket->tcp);
    buffer_fini(&frames);
    return 0;
}

size_t websocket_queued(const struct websocket *socket)
{
    return tcp_queued(socket->tcp);
}

/* ---- wslay ---- */

static ssize_t on_wslay_recv(wslay_event_context_ptr wslay, uint8_t *room, size_t size, int flags, void *arg)
{
    struct websocket *socket = arg;
    (void)flags;
    if (!socket->feed.size) {
        wslay_event_set_error(wslay, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    if (size > socket->feed.size)
        size = socket->feed.size;
    memcpy(room, socket->feed.at, size);
    socket->feed.at += size;
    socket->feed.size -= size;
    return (ssize_t)size;
}

/* Pongs, and the close frames that wslay answers with. */
static ssize_t on_wslay_send(wslay_event_context_ptr wslay, const uint8_t *bytes, size_t size, int flags, void *arg)
{
    struct websocket *socket = arg;
    (void)flags;
    if (tcp_write(socket->tcp, (struct text){(const char *)bytes, size}, (struct text){0})) {
        wslay_event_set_error(wslay, WSLAY_ERR_CALLBACK_FAILURE);
        return -1;
    }
    return (ssize_t)size;
}

static void on_wslay_message(wslay_event_context_ptr wslay, const struct wslay_event_on_msg_recv_arg *message, void *arg)
{
    struct websocket *socket = arg;
    (void)wslay;
    if (message->opcode == WSLAY_CONNECTION_CLOSE) {
        if (!socket->closing)
            socket->code = message->status_code ? message->status_code : NO_CODE;
    } else if (message->opcode == WSLAY_TEXT_FRAME && !socket->closing && socket->events->message) {
        socket->events->message(socket->context, socket, (struct text){(const char *)message->msg, message->msg_length});
    }
}

static int need_wslay(struct websocket *socket)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = on_wslay_recv, .send_callback = on_wslay_send, .on_msg_recv_callback = on_wslay_message};
    if (socket->wslay)
        return 0;
    if (wslay_event_context_server_init(&socket->wslay, &callbacks, socket))
        return -ENOMEM;
    wslay_event_config_set_max_recv_msg_length(socket->wslay, WEBSOCKET_MESSAGE_MAX);
    return 0;
}

static void drop_wslay(struct websocket *socket)
{
    if (socket->wslay)
        wslay_event_context_free(socket->wslay);
    socket->wslay = NULL;
}

/* ---- receiving ---- */

/* Both sides have said close: the tcp ends, and the other side closes it. */
static void part(struct websocket *socket)
{
    socket->closing = true;
    tcp_end(socket->tcp);
    tcp_set_due(socket->tcp, clock_mono_ms() + CLOSE_MS);
}

/* Pongs count too: who pings and never reads is slow. */
static void send_replies(struct websocket *socket)
{
    if (tcp_queued(socket->tcp) > WEBSOCKET_QUEUE_MAX)
        websocket_close(socket, WS_CLOSE_SLOW, "too slow");
    else if (wslay_event_send(socket->wslay))
        tcp_close(socket->tcp);
}

/* Gives bytes to wslay and sends what it wants to say. */
static void read_frames(struct websocket *socket, struct text bytes)
{
    bool was_closing = socket->closing;
    if (need_wslay(socket)) {
        tcp_close(socket->tcp);
        return;
    }
    socket->feed = bytes;
    int error = wslay_event_recv(socket->wslay);
    if (error == WSLAY_ERR_NOMEM) {
        tcp_close(socket->tcp);
        return;
    }
    if (error) { /* a frame that breaks the protocol; nothing can be read behind it */
        websocket_close(socket, WS_CLOSE_PROTOCOL, "malformed frame");
        part(socket);
        return;
    }
    if (!was_closing && !socket->closing && wslay_event_want_write(socket->wslay))
        send_replies(socket);
    if (wslay_event_get_read_enabled(socket->wslay))
        return;
    if (!wslay_event_get_close_received(socket->wslay)) /* wslay found an error and said so */
        socket->code = socket->closing ? socket->code : wslay_event_get_status_code_sent(socket->wslay);
    part(socket);
}

/* The limits on a frame whose header has just been read: 0 or a code to close with. */
static int judge_frame(struct websocket *socket)
{
    const struct ws_frames *frame = &socket->frames;
    if (!frame->masked || (frame->opcode == WS_CLOSE && frame->length == 1)) /* half a code */
        return WS_CLOSE_PROTOCOL;
    if (frame->opcode == WS_BINARY)
        return WS_CLOSE_POLICY;
    if (frame->opcode > WS_BINARY)
        return 0;
    if (frame->opcode == WS_TEXT) {
        socket->fragments = 0;
        socket->message_size = 0;
    }
    socket->message_size += frame->length;
    if (++socket->fragments > WEBSOCKET_FRAGMENTS_MAX)
        return WS_CLOSE_POLICY;
    if (frame->length > WEBSOCKET_MESSAGE_MAX || socket->message_size > WEBSOCKET_MESSAGE_MAX)
        return WS_CLOSE_TOO_LARGE;
    socket->in_message = true;
    return 0;
}

static const char *reason_of(int code)
{
    return code == WS_CLOSE_POLICY ? "bad message" : code == WS_CLOSE_TOO_LARGE ? "message too large" : "malformed frame";
}

static void on_read(void *context, struct text bytes)
{
    struct websocket *socket = context;
    size_t at = 0, given = 0;
    socket->heard = true;
    while (given < bytes.size && !socket->tcp->ending && !socket->tcp->closing) {
        int event = ws_frames_next(&socket->frames, bytes, &at);
        int code = event == WS_FRAMES_BEGIN ? judge_frame(socket) : 0;
        if (code) {
            /* The tcp of frames ends here; the close handshake can't be read any more. */
            websocket_close(socket, code, reason_of(code));
            part(socket);
            return;
        }
        if (event == WS_FRAMES_END && socket->frames.opcode <= WS_BINARY && socket->frames.fin)
            socket->in_message = false;
        read_frames(socket, (struct text){bytes.at + given, at - given});
        given = at;
    }
    if (!socket->in_message && ws_frames_at_boundary(&socket->frames))
        drop_wslay(socket);
}

/* ---- the tcp's other events ---- */

static void on_ended(void *context, int error)
{
    struct websocket *socket = context;
    (void)error;
    if (!socket->closing)
        socket->code = BROKEN;
    tcp_close(socket->tcp);
}

static void on_written(void *context)
{
    (void)context;
}

static void on_due(void *context)
{
    struct websocket *socket = context;
    if (socket->closing || !socket->heard) {
        socket->code = socket->closing ? socket->code : BROKEN;
        tcp_close(socket->tcp);
        return;
    }
    socket->heard = false;
    send_frame(socket, WS_PING, (struct text){"", 0});
    tcp_set_due(socket->tcp, clock_mono_ms() + settings_duration_ms("ping_interval"));
}

static void on_drain(void *context)
{
    struct websocket *socket = context;
    if (!socket->events->drain || !socket->events->drain(socket->context, socket))
        websocket_close(socket, WS_CLOSE_RESTART, "restart");
}

static void on_closed(void *context)
{
    struct websocket *socket = context;
    const struct websocket_events *events = socket->events;
    void *owner = socket->context;
    int code = socket->code;
    drop_wslay(socket);
    free(socket);
    if (events->closed)
        events->closed(owner, code);
}

static const struct http_upgrade_events upgrade_events = {
    .read = on_read, .ended = on_ended, .written = on_written, .due = on_due, .drain = on_drain, .closed = on_closed};

/* ---- beginning ---- */

int websocket_accept(struct http_request *request, struct http_response *response, const char *protocol,
                     const struct websocket_events *events, void *context, struct websocket **ret_socket)
{
    if (websocket_check(request, response) || websocket_choose(request, protocol, response))
        return -EPROTO;
    struct websocket *socket = memory_get_zeroed(sizeof *socket);
    if (!socket)
        memory_short();
    *socket = (struct websocket){
        .tcp = request->upgrade->tcp, .events = events, .context = context, .heard = true, .code = BROKEN};
    websocket_switch(request, protocol);
    http_upgrade_take(request->upgrade, &upgrade_events, socket);
    tcp_set_due(socket->tcp, clock_mono_ms() + settings_duration_ms("ping_interval"));
    response->upgraded = true;
    response->status = 101;
    *ret_socket = socket;
    return 0;
}
