/* A client, a gateway that passes WebSockets through, and a service behind it: three ends of real sockets. */
#include "base/log.h"
#include "http/problem.h"
#include "http/websocket.h"
#include "http/ws_tunnel.h"
#include "ws_client.h"

#include <poll.h>
#include <semaphore.h>

static struct http_server *service;
static _Atomic int tunnels_closed, sockets_closed, socket_code;
static _Atomic(struct ws_tunnel *) last_tunnel;
static int tunnel_worker;
static char brief_address[32];

/* ---- the service: says what it hears ---- */

static void on_message(void *context, struct websocket *socket, struct text message)
{
    if (text_equal(message, text_of("bye")))
        websocket_close(socket, WS_CLOSE_UNAUTHORIZED, "bye");
    else if (text_equal(message, text_of("flood")))
        while (websocket_queued(socket) < 200 * 1024 && websocket_send(socket, (struct text){"0123456789", 10}) == 0)
            ;
    else
        websocket_send(socket, message);
}

static void on_closed(void *context, int code)
{
    socket_code = code;
    sockets_closed++;
}

static const struct websocket_events events = {.message = on_message, .closed = on_closed};

static void serve(void *context, struct http_request *request, struct http_response *response)
{
    struct websocket *socket;
    if (!text_equal(http_header(&request->headers, "X-Who"), text_of("ada")))
        problem_forbidden(response, "Not you.");
    else if (websocket_accept(request, response, "purser.v1", &events, NULL, &socket) == 0)
        websocket_send(socket, text_of("hello"));
}

/* ---- the gateway ---- */

static void tunnel_closed(void *context)
{
    last_tunnel = NULL;
    tunnels_closed++;
}

static void pass(void *context, struct http_request *request, struct http_response *response)
{
    struct http_headers extra = {0};
    struct ws_tunnel *tunnel;
    const char *address = text_equal(request->path, text_of("/nowhere")) ? "127.0.0.1:1" : text_equal(request->path, text_of("/brief"))
        ? brief_address : http_server_address(service);
    http_header_add(request->arena, &extra, "X-Who", text_equal(request->path, text_of("/refused")) ? "eve" : "ada");
    if (ws_tunnel_open(request, response, address, &extra, tunnel_closed, NULL, &tunnel) == 0) {
        tunnel_worker = (int)worker_index(worker_self());
        last_tunnel = tunnel;
    }
}

static void close_tunnel(void *arg)
{
    if (last_tunnel)
        ws_tunnel_close(last_tunnel, *(int *)arg, "ordered");
}

static struct loopback *now;

static void both_main(void *arg)
{
    struct err err;
    struct http_server_options options = {.name = "service", .listen = "127.0.0.1:0", .handler = {.handle = serve}};
    LOOPBACK_CHECK(now, http_server_start(&options, &service, &err) == 0);
    loopback_main(arg);
}

static void run(void (*script)(struct loopback *l), unsigned workers)
{
    struct loopback l = {.options = {.name = "gateway", .listen = "127.0.0.1:0", .handler = {.handle = pass}}, .script = script};
    struct err err;
    now = &l;
    tunnels_closed = sockets_closed = socket_code = 0;
    last_tunnel = NULL;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(workers_start(workers, &err), 0);
    assert_int_equal(fiber_start("test", both_main, &l), 0);
    worker_run();
    pthread_join(l.thread, NULL);
    if (l.failed[0])
        fail_msg("%s", l.failed);
}

static int open_socket(struct loopback *l)
{
    char text[1024];
    int fd = loopback_connect(l);
    loopback_say(l, fd, WS_UPGRADE WS_KEY "Sec-WebSocket-Protocol: purser.v1, bearer.secret\r\n\r\n");
    LOOPBACK_CHECK(l, loopback_answer(l, fd, true, text, sizeof text) == 101);
    LOOPBACK_CHECK(l, strstr(text, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") && strstr(text, "Sec-WebSocket-Protocol: purser.v1\r\n"));
    LOOPBACK_CHECK(l, hears(l, fd, "hello"));
    return fd;
}

static void wait_gone(struct loopback *l, int count, int code)
{
    for (int i = 0; i < LOOPBACK_WAIT_S * 1000 && (tunnels_closed < count || sockets_closed < count); i++)
        usleep(1000);
    LOOPBACK_CHECK(l, tunnels_closed == count && sockets_closed == count);
    if (code && socket_code != code)
        printf("the service's socket closed with %d instead of %d\n", socket_code, code);
    LOOPBACK_CHECK(l, !code || socket_code == code);
}

/* ---- scripts ---- */

static void messages_script(struct loopback *l)
{
    static char large[60000], back[60001];
    char text[256];
    int fd = open_socket(l);
    say(l, fd, 0x81, "one", 3);
    LOOPBACK_CHECK(l, hears(l, fd, "one"));
    memset(large, 'x', sizeof large);
    say(l, fd, 0x81, large, sizeof large);
    LOOPBACK_CHECK(l, hear(l, fd, back, sizeof back) == 0x81 && memcmp(large, back, sizeof large) == 0);
    say(l, fd, 0x01, "frag", 4);
    say(l, fd, 0x89, "p", 1);
    say(l, fd, 0x80, "ments", 5);
    LOOPBACK_CHECK(l, hear(l, fd, text, sizeof text) == 0x8a && hears(l, fd, "fragments"));
    say(l, fd, 0x88, "\x03\xe8", 2);
    LOOPBACK_CHECK(l, hears_close(l, fd, 1000) && loopback_ended(fd));
    close(fd);
    wait_gone(l, 1, 1000);
    fd = open_socket(l);
    say(l, fd, 0x81, "bye", 3);
    LOOPBACK_CHECK(l, hears_close(l, fd, 4401));
    say(l, fd, 0x88, "\x11\x31", 2);
    LOOPBACK_CHECK(l, loopback_ended(fd));
    close(fd);
    wait_gone(l, 2, 4401);
    fd = open_socket(l);
    close(fd); /* without a word */
    wait_gone(l, 3, 1006);
}

static void test_messages(void **state)
{
    run(messages_script, 1);
}

static void refusals_script(struct loopback *l)
{
    char text[2048];
    int fd = loopback_connect(l);
    loopback_say(l, fd, "GET /refused HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" WS_KEY "\r\n");
    LOOPBACK_CHECK(l, loopback_answer(l, fd, false, text, sizeof text) == 403 && strstr(text, "/problems/forbidden"));
    loopback_say(l, fd, "GET /nowhere HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" WS_KEY "\r\n");
    LOOPBACK_CHECK(l, loopback_answer(l, fd, false, text, sizeof text) == 503 && strstr(text, "Retry-After"));
    loopback_say(l, fd, "GET /ws HTTP/1.1\r\nHost: x\r\n\r\n");
    LOOPBACK_CHECK(l, loopback_answer(l, fd, false, text, sizeof text) == 426);
    close(fd);
    LOOPBACK_CHECK(l, tunnels_closed == 0);
}

static void protocols_script(struct loopback *l)
{
    char text[2048];
    int fd = loopback_connect(l);
    loopback_say(l, fd, WS_UPGRADE WS_KEY "Sec-WebSocket-Protocol: purser.v2\r\n\r\n");
    LOOPBACK_CHECK(l, loopback_answer(l, fd, false, text, sizeof text) == 400 && strstr(text, "sub-protocol"));
    loopback_say(l, fd, WS_UPGRADE WS_KEY "Sec-WebSocket-Protocol: bearer.secret\r\n\r\n");
    LOOPBACK_CHECK(l, loopback_answer(l, fd, true, text, sizeof text) == 101 && !strstr(text, "Sec-WebSocket-Protocol"));
    LOOPBACK_CHECK(l, hears(l, fd, "hello"));
    close(fd);
    wait_gone(l, 1, 0);
}

static void test_protocols(void **state)
{
    run(protocols_script, 1);
}

static void test_refusals(void **state)
{
    run(refusals_script, 1);
}

static void order_close(struct loopback *l, int *code)
{
    for (int i = 0; i < LOOPBACK_WAIT_S * 1000 && !last_tunnel; i++)
        usleep(1000);
    LOOPBACK_CHECK(l, worker_post(worker_at((unsigned)tunnel_worker), close_tunnel, code) == 0);
}

static void own_close_script(struct loopback *l)
{
    static int code = 4401;
    unsigned char half[16];
    int fd = open_socket(l);
    order_close(l, &code);
    LOOPBACK_CHECK(l, hears_close(l, fd, 4401));
    say(l, fd, 0x88, "\x11\x31", 2);
    LOOPBACK_CHECK(l, loopback_ended(fd));
    close(fd);
    wait_gone(l, 1, 4401); /* the service is told the same */
    fd = open_socket(l);
    size_t size = frame(0x81, "whole", 5, half);
    loopback_send(l, fd, half, 8); /* in the middle of a frame: the service's close waits for its end */
    order_close(l, &code);
    LOOPBACK_CHECK(l, hears_close(l, fd, 4401));
    loopback_send(l, fd, half + 8, size - 8);
    say(l, fd, 0x88, "\x11\x31", 2);
    LOOPBACK_CHECK(l, loopback_ended(fd));
    close(fd);
    wait_gone(l, 2, 4401);
}

static void test_own_close(void **state)
{
    run(own_close_script, 2);
}

/* A service that ends tells its sockets to come back, and so the clients hear it. */
static void drain_script(struct loopback *l)
{
    int fd = open_socket(l);
    http_server_drain(service, 0, 0);
    LOOPBACK_CHECK(l, hears_close(l, fd, 1012));
    say(l, fd, 0x88, "\x03\xf4", 2);
    LOOPBACK_CHECK(l, loopback_ended(fd));
    close(fd);
    wait_gone(l, 1, 1012);
}

static void test_service_drains(void **state)
{
    run(drain_script, 1);
}

static void flood_script(struct loopback *l)
{
    int fd = open_socket(l);
    say(l, fd, 0x81, "flood", 5);
    for (int heard = 0; heard < 15000 && !l->failed[0]; heard++)
        LOOPBACK_CHECK(l, hears(l, fd, "0123456789"));
    say(l, fd, 0x81, "end", 3);
    char text[64] = "";
    while (!l->failed[0] && strcmp(text, "end") != 0)
        LOOPBACK_CHECK(l, hear(l, fd, text, sizeof text) == 0x81);
    close(fd);
    wait_gone(l, 1, 0);
}

static void test_flood(void **state)
{
    run(flood_script, 1);
}

/* ---- a service that ends right behind its 101 ---- */

static sem_t held, go_on;

/* The worker looks at nothing until all has happened. */
static void hold(void *unused)
{
    sem_post(&held);
    sem_wait(&go_on);
}

static int listen_briefly(struct loopback *l)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    LOOPBACK_CHECK(l, bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 1) == 0);
    LOOPBACK_CHECK(l, getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    snprintf(brief_address, sizeof brief_address, "127.0.0.1:%u", ntohs(address.sin_port));
    return fd;
}

/* The request is never read: closing resets the connection, and the gateway finds the 101 and the end at once. */
static void serve_briefly(struct loopback *l, int listener, const char *frames)
{
    int fd = accept(listener, NULL, NULL);
    LOOPBACK_CHECK(l, fd >= 0 && poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, LOOPBACK_WAIT_S * 1000) == 1);
    LOOPBACK_CHECK(l, worker_post(worker_at(0), hold, NULL) == 0);
    sem_wait(&held);
    loopback_say(l, fd, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    loopback_say(l, fd, frames);
    close(fd);
    sem_post(&go_on);
}

static void brief_script(struct loopback *l)
{
    static const struct { const char *frames; int code; } cases[] = {{"", 1012}, {"\x81\x05hello", 1012}, {"\x88\x02\x0f\xa1", 4001}};
    char text[1024];
    sem_init(&held, 0, 0);
    sem_init(&go_on, 0, 0);
    int listener = listen_briefly(l);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases && !l->failed[0]; i++) {
        int fd = loopback_connect(l);
        loopback_say(l, fd, "GET /brief HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" WS_KEY "\r\n");
        serve_briefly(l, listener, cases[i].frames);
        LOOPBACK_CHECK(l, loopback_answer(l, fd, true, text, sizeof text) == 101);
        if (cases[i].frames[0] == '\x81')
            LOOPBACK_CHECK(l, hears(l, fd, "hello"));
        LOOPBACK_CHECK(l, hears_close(l, fd, cases[i].code));
        say(l, fd, 0x88, "\x03\xf4", 2);
        LOOPBACK_CHECK(l, loopback_ended(fd));
        close(fd);
    }
    close(listener);
    for (int i = 0; i < LOOPBACK_WAIT_S * 1000 && tunnels_closed < 3; i++)
        usleep(1000);
    LOOPBACK_CHECK(l, tunnels_closed == 3);
}

static void test_brief_service(void **state)
{
    run(brief_script, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),      cmocka_unit_test(test_refusals),       cmocka_unit_test(test_protocols),
        cmocka_unit_test(test_own_close),     cmocka_unit_test(test_service_drains), cmocka_unit_test(test_flood),
        cmocka_unit_test(test_brief_service),
    };
    log_set_level(LOG_WARN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
