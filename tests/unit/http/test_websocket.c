/* WebSockets over real sockets: the handshake, and the cases of RFC 6455 that a browser never shows. */
#include "base/log.h"
#include "http/problem.h"
#include "http/websocket.h"
#include "ws_client.h"

static _Atomic int closed_code, closed_count;
static bool owner_drains;

static void on_message(void *context, struct websocket *socket, struct text message)
{
    if (text_equal(message, text_of("bye")))
        websocket_close(socket, WS_CLOSE_UNAUTHORIZED, "bye");
    else if (text_equal(message, text_of("flood")))
        while (websocket_send(socket, (struct text){"0123456789012345678901234567890123456789", 40}) == 0)
            ;
    else if (text_equal(message, text_of("twice")))
        websocket_send_both(socket, message, text_of(""));
    else
        websocket_send(socket, message);
}

static void on_closed(void *context, int code)
{
    closed_code = code;
    closed_count++;
}

static bool on_drain(void *context, struct websocket *socket)
{
    if (owner_drains)
        websocket_close(socket, WS_CLOSE_GOING_AWAY, "");
    return owner_drains;
}

static const struct websocket_events events = {.message = on_message, .closed = on_closed, .drain = on_drain};

static void answer(void *context, struct http_request *request, struct http_response *response)
{
    struct websocket *socket;
    if (websocket_accept(request, response, "purser.v1", &events, NULL, &socket) == 0)
        websocket_send(socket, text_of("hello"));
}

static struct loopback with(void (*script)(struct loopback *loopback))
{
    closed_count = closed_code = 0;
    owner_drains = false;
    return (struct loopback){.options = {.handler = {.handle = answer}}, .script = script};
}

static int open_socket(struct loopback *l)
{
    char text[1024];
    int fd = loopback_connect(l);
    loopback_say(l, fd, WS_UPGRADE WS_KEY "Sec-WebSocket-Protocol: purser.v1\r\n\r\n");
    LOOPBACK_CHECK(l, loopback_answer(l, fd, true, text, sizeof text) == 101);
    LOOPBACK_CHECK(l, strstr(text, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    LOOPBACK_CHECK(l, strstr(text, "Sec-WebSocket-Protocol: purser.v1\r\n"));
    LOOPBACK_CHECK(l, hears(l, fd, "hello"));
    return fd;
}

static void wait_closed(struct loopback *l, int count, int code)
{
    for (int i = 0; i < LOOPBACK_WAIT_S * 1000 && closed_count < count; i++)
        usleep(1000);
    LOOPBACK_CHECK(l, closed_count == count);
    if (closed_code != code)
        printf("closed with %d instead of %d\n", closed_code, code);
    LOOPBACK_CHECK(l, closed_code == code);
}

static void handshake_script(struct loopback *l)
{
    static const struct {
        const char *request;
        int status;
    } cases[] = {
        {"GET /ws HTTP/1.1\r\nHost: x\r\n\r\n", 426},
        {"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" WS_KEY "\r\n", 426},
        {"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" WS_KEY "\r\n", 426},
        {"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\n" WS_KEY "\r\n", 426},
        {"POST /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" WS_KEY "\r\n", 426},
        {WS_UPGRADE "\r\n", 400},
        {WS_UPGRADE "Sec-WebSocket-Key: short\r\n\r\n", 400},
        {WS_UPGRADE "Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!==\r\n\r\n", 400},
        {WS_UPGRADE WS_KEY "Sec-WebSocket-Protocol: purser.v2\r\n\r\n", 400},
        {WS_UPGRADE WS_KEY "Sec-WebSocket-Protocol: purser.v, bearer.purser.v1, purser.v11\r\n\r\n", 400},
    };
    char text[2048];
    int fd = loopback_connect(l);
    for (size_t i = 0; i < sizeof cases / sizeof *cases && !l->failed[0]; i++) {
        loopback_say(l, fd, cases[i].request);
        int status = loopback_answer(l, fd, false, text, sizeof text);
        if (status != cases[i].status)
            snprintf(l->failed, sizeof l->failed, "case %zu: %d", i, status);
        LOOPBACK_CHECK(l, status != 426 || strstr(text, "Sec-WebSocket-Version: 13\r\n"));
        LOOPBACK_CHECK(l, status != 426 || (strstr(text, "Upgrade: websocket\r\n") && strstr(text, "Connection: Upgrade\r\n")));
    }
    close(fd);
}

static void test_handshake(void **state)
{
    struct loopback l = with(handshake_script);
    loopback_run(&l);
}

/* RFC 6455 section 4.2.2: a sub-protocol is named only where it was offered. */
static void protocols_script(struct loopback *l)
{
    static const struct {
        const char *offer;
        bool is_named;
    } cases[] = {
        {"", false},
        {"Sec-WebSocket-Protocol: bearer.secret\r\n", false},
        {"Sec-WebSocket-Protocol:\r\n", false},
        {"Sec-WebSocket-Protocol: purser.v1, bearer.secret\r\n", true},
        {"sec-websocket-protocol: purser.v2,purser.v1\r\n", true},
        {"Sec-WebSocket-Protocol: purser.v2\r\nSec-WebSocket-Protocol: purser.v1\r\n", true},
    };
    char text[1024], request[512];
    for (size_t i = 0; i < sizeof cases / sizeof *cases && !l->failed[0]; i++) {
        int fd = loopback_connect(l);
        snprintf(request, sizeof request, "%s%s\r\n", WS_UPGRADE WS_KEY, cases[i].offer);
        loopback_say(l, fd, request);
        int status = loopback_answer(l, fd, true, text, sizeof text);
        const char *named = strstr(text, "Sec-WebSocket-Protocol: ");
        if (status != 101 || (named != NULL) != cases[i].is_named || (named && !strstr(named, " purser.v1\r\n")))
            snprintf(l->failed, sizeof l->failed, "offer %zu: %d, %s", i, status, named ? "named" : "not named");
        LOOPBACK_CHECK(l, hears(l, fd, "hello"));
        close(fd);
    }
}

static void test_protocols(void **state)
{
    struct loopback l = with(protocols_script);
    loopback_run(&l);
}

static void messages_script(struct loopback *l)
{
    char text[1024];
    int fd = open_socket(l);
    say(l, fd, 0x81, "one", 3);
    LOOPBACK_CHECK(l, hears(l, fd, "one"));
    say(l, fd, 0x81, "", 0);
    LOOPBACK_CHECK(l, hears(l, fd, ""));
    say(l, fd, 0x81, "twice", 5);
    LOOPBACK_CHECK(l, hears(l, fd, "twice") && hears(l, fd, ""));
    say(l, fd, 0x01, "fra", 3);
    say(l, fd, 0x89, "ping", 4); /* between fragments */
    say(l, fd, 0x00, "gmen", 4);
    say(l, fd, 0x80, "ts", 2);
    LOOPBACK_CHECK(l, hear(l, fd, text, sizeof text) == 0x8a && strcmp(text, "ping") == 0);
    LOOPBACK_CHECK(l, hears(l, fd, "fragments"));
    say(l, fd, 0x8a, "unasked", 7);
    say(l, fd, 0x81, "gr\xc3\xbc\xc3\x9f", 6);
    LOOPBACK_CHECK(l, hears(l, fd, "gr\xc3\xbc\xc3\x9f"));
    say(l, fd, 0x01, "gr\xc3", 3); /* a character over two fragments */
    say(l, fd, 0x80, "\xbc", 1);
    LOOPBACK_CHECK(l, hears(l, fd, "gr\xc3\xbc"));
    say(l, fd, 0x88, "\x03\xe8", 2);
    LOOPBACK_CHECK(l, hears_close(l, fd, 1000) && loopback_ended(fd));
    close(fd);
    wait_closed(l, 1, 1000);
}

static void test_messages(void **state)
{
    struct loopback l = with(messages_script);
    loopback_run(&l);
}

static void byte_by_byte_script(struct loopback *l)
{
    unsigned char bytes[512];
    size_t size = 0;
    int fd = open_socket(l), on = 1;
    setsockopt(fd, 6, 1, &on, sizeof on);
    size += frame(0x01, "first ", 6, bytes + size);
    size += frame(0x80, "second", 6, bytes + size);
    size += frame(0x81, "third", 5, bytes + size);
    for (size_t i = 0; i < size; i++) {
        loopback_send(l, fd, bytes + i, 1);
        usleep(100);
    }
    LOOPBACK_CHECK(l, hears(l, fd, "first second"));
    LOOPBACK_CHECK(l, hears(l, fd, "third"));
    close(fd);
    wait_closed(l, 1, 1006);
}

static void test_byte_by_byte(void **state)
{
    struct loopback l = with(byte_by_byte_script);
    loopback_run(&l);
}

/* The upgrade and the first frames in one packet. */
static void early_script(struct loopback *l)
{
    char text[1024];
    unsigned char bytes[512];
    size_t size = strlen(WS_UPGRADE WS_KEY "\r\n");
    int fd = loopback_connect(l);
    memcpy(bytes, WS_UPGRADE WS_KEY "\r\n", size);
    size += frame(0x81, "early", 5, bytes + size);
    loopback_send(l, fd, bytes, size);
    LOOPBACK_CHECK(l, loopback_answer(l, fd, true, text, sizeof text) == 101);
    LOOPBACK_CHECK(l, hears(l, fd, "hello") && hears(l, fd, "early"));
    close(fd);
    wait_closed(l, 1, 1006);
}

static void test_early_frames(void **state)
{
    struct loopback l = with(early_script);
    loopback_run(&l);
}

static void violations_script(struct loopback *l)
{
    static const struct {
        unsigned char bytes[24];
        size_t size;
        int code;
    } cases[] = {
        {{0x81, 0x02, 'h', 'i'}, 4, 1002},                                       /* not masked */
        {{0x82, 0x82, 0, 0, 0, 0, 'h', 'i'}, 8, 1008},                           /* binary */
        {{0xc1, 0x82, 0, 0, 0, 0, 'h', 'i'}, 8, 1002},                           /* a reserved bit */
        {{0x83, 0x82, 0, 0, 0, 0, 'h', 'i'}, 8, 1002},                           /* a reserved opcode */
        {{0x8b, 0x80, 0, 0, 0, 0}, 6, 1002},                                     /* a reserved control opcode */
        {{0x09, 0x80, 0, 0, 0, 0}, 6, 1002},                                     /* a ping in fragments */
        {{0x89, 0xfe, 0, 126, 0, 0, 0, 0}, 8, 1002},                             /* a long ping */
        {{0x80, 0x82, 0, 0, 0, 0, 'h', 'i'}, 8, 1002},                           /* nothing to continue */
        {{0x01, 0x81, 0, 0, 0, 0, 'h', 0x81, 0x81, 0, 0, 0, 0, 'i'}, 14, 1002},  /* a message within a message */
        {{0x81, 0x81, 0, 0, 0, 0, 0xff}, 7, 1007},                               /* no UTF-8 */
        {{0x81, 0x83, 0, 0, 0, 0, 0xed, 0xa0, 0x80}, 9, 1007},                   /* a surrogate */
        {{0x81, 0x82, 0, 0, 0, 0, 0xc0, 0x80}, 8, 1007},                         /* an overlong form */
        {{0x81, 0x81, 0, 0, 0, 0, 0xc3}, 7, 1007},                               /* half a character */
        {{0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0}, 14, 1009},            /* 64 KB and a byte */
        {{0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, 14, 1009},
        {{0x88, 0x81, 0, 0, 0, 0, 3}, 7, 1002},                                  /* half a close code */
        {{0x88, 0x82, 0, 0, 0, 0, 3, 0xed}, 8, 1002},                            /* 1005 may not be sent */
        {{0x88, 0x83, 0, 0, 0, 0, 3, 0xe8, 0xff}, 9, 1007},                      /* a reason that is no UTF-8 */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases && !l->failed[0]; i++) {
        int fd = open_socket(l);
        loopback_send(l, fd, cases[i].bytes, cases[i].size);
        if (!hears_close(l, fd, cases[i].code) && !l->failed[0])
            snprintf(l->failed, sizeof l->failed, "case %zu", i);
        LOOPBACK_CHECK(l, loopback_ended(fd));
        close(fd);
        wait_closed(l, (int)i + 1, cases[i].code);
    }
}

static void test_violations(void **state)
{
    struct loopback l = with(violations_script);
    loopback_run(&l);
}

static void limits_script(struct loopback *l)
{
    static char large[WEBSOCKET_MESSAGE_MAX], back[WEBSOCKET_MESSAGE_MAX + 1];
    memset(large, 'x', sizeof large);
    int fd = open_socket(l);
    say(l, fd, 0x81, large, sizeof large);
    LOOPBACK_CHECK(l, hear(l, fd, back, sizeof back) == 0x81 && memcmp(back, large, sizeof large) == 0);
    say(l, fd, 0x01, large, sizeof large);
    say(l, fd, 0x80, "y", 1);
    LOOPBACK_CHECK(l, hears_close(l, fd, 1009));
    close(fd);
    wait_closed(l, 1, 1009);
    fd = open_socket(l);
    say(l, fd, 0x01, "", 0);
    for (int i = 0; i < WEBSOCKET_FRAGMENTS_MAX - 2; i++)
        say(l, fd, 0x00, "", 0);
    say(l, fd, 0x80, "all", 3); /* the last that is allowed */
    LOOPBACK_CHECK(l, hears(l, fd, "all"));
    say(l, fd, 0x01, "", 0);
    for (int i = 0; i < WEBSOCKET_FRAGMENTS_MAX; i++)
        say(l, fd, 0x00, "", 0);
    LOOPBACK_CHECK(l, hears_close(l, fd, 1008));
    close(fd);
    wait_closed(l, 2, 1008);
}

static void test_limits(void **state)
{
    struct loopback l = with(limits_script);
    loopback_run(&l);
}

static void own_close_script(struct loopback *l)
{
    int fd = open_socket(l);
    say(l, fd, 0x81, "bye", 3);
    LOOPBACK_CHECK(l, hears_close(l, fd, 4401));
    say(l, fd, 0x81, "too late", 8);
    say(l, fd, 0x88, "\x11\x31", 2);
    LOOPBACK_CHECK(l, loopback_ended(fd));
    close(fd);
    wait_closed(l, 1, 4401);
}

static void test_own_close(void **state)
{
    struct loopback l = with(own_close_script);
    loopback_run(&l);
}

static void slow_script(struct loopback *l)
{
    int fd = open_socket(l);
    say(l, fd, 0x81, "flood", 5); /* and nothing of it is read */
    wait_closed(l, 1, 4408);
    close(fd);
}

static void test_slow_reader(void **state)
{
    struct loopback l = with(slow_script);
    loopback_run(&l);
}

static void ping_script(struct loopback *l)
{
    char text[256];
    int fd = open_socket(l);
    for (int i = 0; i < 3; i++) {
        LOOPBACK_CHECK(l, hear(l, fd, text, sizeof text) == 0x89);
        say(l, fd, 0x8a, "", 0);
    }
    LOOPBACK_CHECK(l, closed_count == 0);
    LOOPBACK_CHECK(l, hear(l, fd, text, sizeof text) == 0x89);
    LOOPBACK_CHECK(l, loopback_ended(fd)); /* a ping that nobody answers */
    close(fd);
    wait_closed(l, 1, 1006);
}

static void test_pings(void **state)
{
    struct err err;
    assert_int_equal(settings_set("ping_interval", "1500ms", &err), 0);
    struct loopback l = with(ping_script);
    loopback_run(&l);
    settings_set("ping_interval", "25s", &err);
}

static void drain_script(struct loopback *l)
{
    int sockets[10];
    for (int i = 0; i < 10; i++)
        sockets[i] = open_socket(l);
    http_server_drain(l->server, 100, 300);
    for (int i = 0; i < 10; i++) {
        LOOPBACK_CHECK(l, hears_close(l, sockets[i], owner_drains ? 1001 : 1012));
        say(l, sockets[i], 0x88, "", 0);
        LOOPBACK_CHECK(l, loopback_ended(sockets[i]));
        close(sockets[i]);
    }
    for (int i = 0; i < LOOPBACK_WAIT_S * 100 && http_server_in_flight(l->server); i++)
        usleep(10000);
    LOOPBACK_CHECK(l, http_server_in_flight(l->server) == 0 && closed_count == 10);
}

static void test_drain(void **state)
{
    struct loopback l = with(drain_script);
    loopback_run(&l);
}

static void test_drain_by_owner(void **state)
{
    struct loopback l = with(drain_script);
    owner_drains = true;
    l.workers = 2;
    loopback_run(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshake),    cmocka_unit_test(test_protocols),    cmocka_unit_test(test_messages),
        cmocka_unit_test(test_byte_by_byte), cmocka_unit_test(test_early_frames), cmocka_unit_test(test_violations),
        cmocka_unit_test(test_limits),       cmocka_unit_test(test_own_close),    cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_pings),        cmocka_unit_test(test_drain),        cmocka_unit_test(test_drain_by_owner),
    };
    log_set_level(LOG_WARN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
