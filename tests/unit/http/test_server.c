/* The server over real sockets: what a client says and hears. */
#include "http/problem.h"
#include "loopback.h"

#include "base/log.h"

#include <semaphore.h>

#define PAUSE_MS 100

static _Atomic int cancelled, begun;

static void answer(void *context, struct http_request *request, struct http_response *response)
{
    (void)context;
    if (text_equal(request->path, text_of("/slow"))) {
        begun++;
        if (fiber_sleep(60000) == -ECANCELED)
            cancelled++;
        problem_unavailable(response, 1, "Given up.");
    } else if (text_equal(request->path, text_of("/wait"))) {
        fiber_sleep(30);
        respond_bytes(response, 200, "text/plain", text_of("waited"));
    } else if (text_equal(request->path, text_of("/big"))) {
        size_t size = 8 * 1024 * 1024;
        char *bytes = arena_alloc(response->arena, size);
        memset(bytes, 'x', size);
        respond_bytes(response, 200, "text/plain", (struct text){bytes, size});
    } else if (text_equal(request->path, text_of("/often"))) {
        response->pause_ms = PAUSE_MS;
        respond_empty(response, 429);
    } else if (text_equal(request->path, text_of("/nothing"))) {
        return;
    } else if (text_equal(request->path, text_of("/bad-header"))) {
        http_header_add(response->arena, &response->headers, "X-Bad", "a\r\nX-Injected: b");
        respond_empty(response, 204);
    } else {
        char *words = arena_printf(request->arena, "%.*s %.*s?%.*s %.*s", (int)request->method_name.size, request->method_name.at,
                                   (int)request->path.size, request->path.at, (int)request->query.size, request->query.at,
                                   (int)request->body.size, request->body.at);
        respond_bytes(response, 200, "text/plain", text_of(words));
    }
}

static struct loopback with(void (*script)(struct loopback *loopback))
{
    return (struct loopback){.options = {.handler = {.handle = answer}}, .script = script};
}

static int ask(struct loopback *l, int fd, const char *request, char *text, size_t room)
{
    loopback_say(l, fd, request);
    return loopback_answer(l, fd, strncmp(request, "HEAD", 4) == 0, text, room);
}

static void keep_alive_script(struct loopback *l)
{
    char text[4096];
    int fd = loopback_connect(l);
    LOOPBACK_CHECK(l, ask(l, fd, "GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof text) == 200);
    LOOPBACK_CHECK(l, strstr(text, "\r\n\r\nGET /a?b=c "));
    LOOPBACK_CHECK(l, strstr(text, "X-Request-Id: "));
    LOOPBACK_CHECK(l, strstr(text, "Date: "));
    LOOPBACK_CHECK(l, ask(l, fd, "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nX-Request-Id: mine\r\n\r\nhello", text, sizeof text) == 200);
    LOOPBACK_CHECK(l, strstr(text, "POST /b? hello") && strstr(text, "X-Request-Id: mine\r\n"));
    LOOPBACK_CHECK(l, ask(l, fd, "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nA: b\r\n\r\n", text, sizeof text) == 200);
    LOOPBACK_CHECK(l, strstr(text, "POST /c? abcde"));
    LOOPBACK_CHECK(l, ask(l, fd, "HEAD /d HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof text) == 200);
    LOOPBACK_CHECK(l, strstr(text, "Content-Length: 9\r\n") && strcmp(strstr(text, "\r\n\r\n"), "\r\n\r\n") == 0);
    LOOPBACK_CHECK(l, ask(l, fd, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof text) == 500);
    LOOPBACK_CHECK(l, ask(l, fd, "GET /bad-header HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof text) == 204);
    LOOPBACK_CHECK(l, !strstr(text, "X-Injected"));
    LOOPBACK_CHECK(l, ask(l, fd, "GET /e HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", text, sizeof text) == 200);
    LOOPBACK_CHECK(l, strstr(text, "Connection: close\r\n") && loopback_ended(fd));
    close(fd);
}

static void test_keep_alive(void **state)
{
    struct loopback l = with(keep_alive_script);
    loopback_run(&l);
}

static void old_version_script(struct loopback *l)
{
    char text[4096];
    int fd = loopback_connect(l);
    LOOPBACK_CHECK(l, ask(l, fd, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", text, sizeof text) == 200);
    LOOPBACK_CHECK(l, strstr(text, "Connection: keep-alive\r\n"));
    LOOPBACK_CHECK(l, ask(l, fd, "GET /a HTTP/1.0\r\n\r\n", text, sizeof text) == 200);
    LOOPBACK_CHECK(l, loopback_ended(fd));
    close(fd);
}

static void test_http_1_0(void **state)
{
    struct loopback l = with(old_version_script);
    loopback_run(&l);
}

static void pipeline_script(struct loopback *l)
{
    char text[4096];
    int fd = loopback_connect(l);
    loopback_say(l, fd, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /wait HTTP/1.1\r\nHost: x\r\n\r\nPOST /3 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
                        "GET /4 HTTP/1.1\r\nHost: x\r\n\r\nGET /5 HT");
    LOOPBACK_CHECK(l, loopback_answer(l, fd, false, text, sizeof text) == 200 && strstr(text, "GET /1?"));
    LOOPBACK_CHECK(l, loopback_answer(l, fd, false, text, sizeof text) == 200 && strstr(text, "waited"));
    LOOPBACK_CHECK(l, loopback_answer(l, fd, false, text, sizeof text) == 200 && strstr(text, "POST /3? hi"));
    LOOPBACK_CHECK(l, loopback_answer(l, fd, false, text, sizeof text) == 200 && strstr(text, "GET /4?"));
    LOOPBACK_CHECK(l, ask(l, fd, "TP/1.1\r\nHost: x\r\n\r\n", text, sizeof text) == 200 && strstr(text, "GET /5?"));
    close(fd);
}

static void test_pipelining(void **state)
{
    struct loopback l = with(pipeline_script);
    loopback_run(&l);
}

/* What was sent behind the answer that asked for a pause, or during it, waits; nobody else does. */
static void pause_script(struct loopback *l)
{
    char text[4096];
    int fd = loopback_connect(l), other = loopback_connect(l);
    int64_t began_ms = clock_mono_ms();
    loopback_say(l, fd, "GET /often HTTP/1.1\r\nHost: x\r\n\r\nGET /often HTTP/1.1\r\nHost: x\r\n\r\nGET /3 HT");
    LOOPBACK_CHECK(l, loopback_answer(l, fd, false, text, sizeof text) == 429);
    LOOPBACK_CHECK(l, ask(l, other, "GET /other HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof text) == 200);
    LOOPBACK_CHECK(l, loopback_answer(l, fd, false, text, sizeof text) == 429);
    LOOPBACK_CHECK(l, clock_mono_ms() - began_ms >= PAUSE_MS);
    LOOPBACK_CHECK(l, ask(l, fd, "TP/1.1\r\nHost: x\r\n\r\n", text, sizeof text) == 200 && strstr(text, "GET /3?"));
    LOOPBACK_CHECK(l, clock_mono_ms() - began_ms >= 2 * PAUSE_MS);
    LOOPBACK_CHECK(l, ask(l, fd, "GET /4 HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof text) == 200);
    /* Whoever goes away meanwhile, and whoever is not kept anyway. */
    LOOPBACK_CHECK(l, ask(l, other, "GET /often HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof text) == 429);
    close(other);
    LOOPBACK_CHECK(l, ask(l, fd, "GET /often HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", text, sizeof text) == 429);
    LOOPBACK_CHECK(l, loopback_ended(fd));
    close(fd);
}

static void test_pause(void **state)
{
    struct loopback l = with(pause_script);
    loopback_run(&l);
}

/* More than fits into any buffer on the way, sent before the first answer is read. */
static void deep_pipeline_script(struct loopback *l)
{
    char text[4096], request[128];
    int fd = loopback_connect(l);
    for (int i = 0; i < 2000; i++) {
        snprintf(request, sizeof request, "GET /%d HTTP/1.1\r\nHost: x\r\nX-Filler: %060d\r\n\r\n", i, i);
        loopback_say(l, fd, request);
    }
    for (int i = 0; i < 2000 && !l->failed[0]; i++) {
        snprintf(request, sizeof request, "GET /%d? ", i);
        LOOPBACK_CHECK(l, loopback_answer(l, fd, false, text, sizeof text) == 200 && strstr(text, request));
    }
    close(fd);
}

static void test_deep_pipelining(void **state)
{
    struct loopback l = with(deep_pipeline_script);
    loopback_run(&l);
}

static void split_script(struct loopback *l)
{
    static const char request[] = "POST /s?q=1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwhol\r\n1\r\ne\r\n0\r\n\r\n";
    char text[4096];
    int fd = loopback_connect(l), on = 1;
    setsockopt(fd, 6, 1, &on, sizeof on); /* TCP_NODELAY: each send is a packet */
    for (size_t at = 1; at < sizeof request - 1 && !l->failed[0]; at++) {
        loopback_send(l, fd, request, at);
        usleep(200);
        loopback_send(l, fd, request + at, sizeof request - 1 - at);
        LOOPBACK_CHECK(l, loopback_answer(l, fd, false, text, sizeof text) == 200 && strstr(text, "POST /s?q=1 whole"));
    }
    close(fd);
}

static void test_every_split(void **state)
{
    struct loopback l = with(split_script);
    loopback_run(&l);
}

static void refusals_script(struct loopback *l)
{
    static const struct {
        const char *request;
        int status;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\nHost: x\n\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400},
        {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello", 400},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n", 413},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\n\r\n", 417},
    };
    char text[4096];
    for (size_t i = 0; i < sizeof cases / sizeof *cases && !l->failed[0]; i++) {
        int fd = loopback_connect(l), status = ask(l, fd, cases[i].request, text, sizeof text);
        if (status != cases[i].status)
            snprintf(l->failed, sizeof l->failed, "case %zu: %d", i, status);
        LOOPBACK_CHECK(l, strstr(text, "application/problem+json") && strstr(text, "\"request_id\":") && strstr(text, "Connection: close"));
        LOOPBACK_CHECK(l, loopback_ended(fd));
        close(fd);
    }
    int fd = loopback_connect(l);
    char *line = malloc(10000);
    memset(line, 'a', 10000);
    memcpy(line, "GET /", 5);
    loopback_send(l, fd, line, 10000);
    LOOPBACK_CHECK(l, loopback_answer(l, fd, false, text, sizeof text) == 414);
    free(line);
    close(fd);
}

static void test_refusals(void **state)
{
    struct loopback l = with(refusals_script);
    loopback_run(&l);
}

static void continue_script(struct loopback *l)
{
    char text[4096];
    int fd = loopback_connect(l);
    LOOPBACK_CHECK(l, ask(l, fd, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n", text, sizeof text) == 100);
    LOOPBACK_CHECK(l, ask(l, fd, "abc", text, sizeof text) == 200 && strstr(text, "POST /x? abc"));
    close(fd);
}

static void test_100_continue(void **state)
{
    struct loopback l = with(continue_script);
    loopback_run(&l);
}

static void hang_up_script(struct loopback *l)
{
    struct linger reset = {1, 0};
    int fd = loopback_connect(l);
    loopback_say(l, fd, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    while (!begun)
        usleep(1000);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    for (int i = 0; i < LOOPBACK_WAIT_S * 1000 && !cancelled; i++)
        usleep(1000);
    LOOPBACK_CHECK(l, cancelled == 1);
    fd = loopback_connect(l);
    loopback_say(l, fd, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    shutdown(fd, SHUT_WR);
    char text[4096];
    LOOPBACK_CHECK(l, loopback_answer(l, fd, false, text, sizeof text) == 503); /* half closed: cancelled, and answered */
    LOOPBACK_CHECK(l, cancelled == 2 && loopback_ended(fd));
    close(fd);
}

static void test_hang_up_cancels(void **state)
{
    cancelled = begun = 0;
    struct loopback l = with(hang_up_script);
    loopback_run(&l);
}

static void half_close_script(struct loopback *l)
{
    char text[4096];
    int fd = loopback_connect(l);
    loopback_say(l, fd, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
    shutdown(fd, SHUT_WR);
    LOOPBACK_CHECK(l, loopback_answer(l, fd, false, text, sizeof text) == 200 && strstr(text, "waited"));
    LOOPBACK_CHECK(l, loopback_answer(l, fd, false, text, sizeof text) == 200 && strstr(text, "GET /2?"));
    LOOPBACK_CHECK(l, loopback_ended(fd));
    close(fd);
}

static void test_half_close_is_answered(void **state)
{
    struct loopback l = with(half_close_script);
    loopback_run(&l);
}

/* Also what waits behind answers that asked for a pause. */
static void half_close_in_pause_script(struct loopback *l)
{
    char text[4096];
    int fd = loopback_connect(l);
    loopback_say(l, fd,
                 "GET /wait HTTP/1.1\r\nHost: x\r\n\r\nGET /often HTTP/1.1\r\nHost: x\r\n\r\nGET /often HTTP/1.1\r\nHost: x\r\n\r\n"
                 "GET /4 HTTP/1.1\r\nHost: x\r\n\r\nGET /often HTTP/1.1\r\nHost: x\r\n\r\n");
    shutdown(fd, SHUT_WR);
    LOOPBACK_CHECK(l, loopback_answer(l, fd, false, text, sizeof text) == 200 && strstr(text, "waited"));
    LOOPBACK_CHECK(l, loopback_answer(l, fd, false, text, sizeof text) == 429);
    LOOPBACK_CHECK(l, loopback_answer(l, fd, false, text, sizeof text) == 429);
    LOOPBACK_CHECK(l, loopback_answer(l, fd, false, text, sizeof text) == 200 && strstr(text, "GET /4?"));
    LOOPBACK_CHECK(l, loopback_answer(l, fd, false, text, sizeof text) == 429);
    LOOPBACK_CHECK(l, loopback_ended(fd));
    close(fd);
}

static void test_half_close_in_pause_is_answered(void **state)
{
    struct loopback l = with(half_close_in_pause_script);
    loopback_run(&l);
}

static void slow_script(struct loopback *l)
{
    char text[4096];
    int drip = loopback_connect(l), body = loopback_connect(l), big = loopback_connect(l), good = loopback_connect(l);
    loopback_say(l, drip, "GET / HT");
    loopback_say(l, body, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf");
    loopback_say(l, big, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    LOOPBACK_CHECK(l, ask(l, good, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof text) == 200);
    LOOPBACK_CHECK(l, loopback_answer(l, drip, false, text, sizeof text) == 408 && loopback_ended(drip));
    LOOPBACK_CHECK(l, loopback_answer(l, body, false, text, sizeof text) == 408 && loopback_ended(body));
    char *bytes = malloc(9 * 1024 * 1024);
    LOOPBACK_CHECK(l, loopback_answer(l, big, false, bytes, 9 * 1024 * 1024) == 200); /* slowly read, and whole */
    free(bytes);
    LOOPBACK_CHECK(l, ask(l, big, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof text) == 200);
    close(drip), close(body), close(big), close(good);
}

static void test_slow_clients(void **state)
{
    struct err err;
    assert_int_equal(settings_set("head_timeout", "300ms", &err), 0);
    struct loopback l = with(slow_script);
    loopback_run(&l);
    settings_set("head_timeout", "10s", &err);
}

static void full_script(struct loopback *l)
{
    char text[4096];
    int slow = loopback_connect(l), fd = loopback_connect(l);
    loopback_say(l, slow, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    while (!begun)
        usleep(1000);
    LOOPBACK_CHECK(l, ask(l, fd, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof text) == 503);
    LOOPBACK_CHECK(l, strstr(text, "Retry-After: 1\r\n") && strstr(text, "/problems/unavailable") && strstr(text, "X-Decorated: yes"));
    shutdown(slow, SHUT_RDWR);
    close(slow);
    int status = 503;
    for (int i = 0; i < 3000 && status == 503; i++) {
        usleep(10000);
        status = ask(l, fd, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof text);
    }
    LOOPBACK_CHECK(l, status == 200); /* the same connection, once there is room */
    close(fd);
}

static void decorate(void *context, const struct http_request *request, struct http_response *response)
{
    (void)context;
    http_header_add(response->arena, &response->headers, "X-Decorated", request && request->path.size ? "yes" : "no");
}

static void test_too_many_at_work(void **state)
{
    struct err err;
    begun = cancelled = 0;
    assert_int_equal(settings_set("max_in_flight", "1", &err), 0);
    struct loopback l = with(full_script);
    l.options.decorate = decorate;
    loopback_run(&l);
    settings_set("max_in_flight", "512", &err);
}

static void drain_script(struct loopback *l)
{
    char text[4096];
    int before = loopback_connect(l), idle = loopback_connect(l), pausing = loopback_connect(l);
    LOOPBACK_CHECK(l, ask(l, idle, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof text) == 200);
    loopback_say(l, before, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    LOOPBACK_CHECK(l, ask(l, pausing, "GET /often HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof text) == 429);
    loopback_say(l, pausing, "GET /p HTTP/1.1\r\nHost: x\r\n\r\n");
    http_server_drain(l->server, 3000, 0);
    LOOPBACK_CHECK(l, loopback_answer(l, pausing, false, text, sizeof text) == 200 && strstr(text, "Connection: close\r\n"));
    LOOPBACK_CHECK(l, loopback_answer(l, before, false, text, sizeof text) == 200);
    int during = loopback_connect(l);
    LOOPBACK_CHECK(l, ask(l, during, "GET /y HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof text) == 200);
    LOOPBACK_CHECK(l, ask(l, idle, "GET /z HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof text) == 200);
    LOOPBACK_CHECK(l, strstr(text, "Connection: close\r\n") && loopback_ended(idle));
    close(before), close(idle), close(pausing), close(during);
    for (int i = 0; i < LOOPBACK_WAIT_S * 100 && http_server_in_flight(l->server); i++)
        usleep(10000);
    LOOPBACK_CHECK(l, http_server_in_flight(l->server) == 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)l->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    LOOPBACK_CHECK(l, connect(fd, (struct sockaddr *)&address, sizeof address) != 0 && errno == ECONNREFUSED);
    close(fd);
}

static void test_drain(void **state)
{
    struct loopback l = with(drain_script);
    l.workers = 2;
    loopback_run(&l);
}

static void taken_script(struct loopback *l)
{
    struct http_server *second;
    struct err err = {0};
    struct http_server_options options = {.name = "second", .listen = http_server_address(l->server), .handler = {.handle = answer}};
    LOOPBACK_CHECK(l, http_server_start(&options, &second, &err) == -EADDRINUSE && strstr(err.message, "another process"));
    options.listen = "nonsense";
    LOOPBACK_CHECK(l, http_server_start(&options, &second, &err) == -EINVAL);
}

static void test_taken_address(void **state)
{
    struct loopback l = with(taken_script);
    loopback_run(&l);
}

/* ---- many clients at once ---- */

#define CROWD 700
#define TURN_MAX 512
#define TURNS_MAX 1024

static sem_t stand_still, all_sent;
static unsigned served_in_turn[TURNS_MAX];

static void count_turns(void *context, struct http_request *request, struct http_response *response)
{
    (void)context;
    if (text_equal(request->path, text_of("/hold"))) {
        sem_post(&stand_still);
        sem_wait(&all_sent); /* the worker itself */
    } else if (text_equal(request->path, text_of("/counted"))) {
        served_in_turn[worker_turn() % TURNS_MAX]++;
    }
    respond_empty(response, 204);
}

/* While the worker stands still a crowd asks, and a part of it hangs up. */
static void crowd_script(struct loopback *l)
{
    char text[4096];
    int fds[CROWD], holder = loopback_connect(l);
    for (int i = 0; i < CROWD; i++) {
        fds[i] = loopback_connect(l);
        LOOPBACK_CHECK(l, ask(l, fds[i], "GET /x HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof text) == 204);
    }
    loopback_say(l, holder, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    sem_wait(&stand_still);
    for (int i = 0; i < CROWD; i++) {
        loopback_say(l, fds[i], "GET /counted HTTP/1.1\r\nHost: x\r\n\r\n");
        struct linger reset = {.l_onoff = 1};
        if (i % 8 == 7) {
            setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
            close(fds[i]);
        }
    }
    sem_post(&all_sent);
    for (int i = 0; i < CROWD; i++)
        if (i % 8 != 7) {
            LOOPBACK_CHECK(l, loopback_answer(l, fds[i], false, text, sizeof text) == 204);
            close(fds[i]);
        }
    close(holder);
}

static void test_crowd_leaves_turns_to_others(void **state)
{
    struct loopback l = {.options = {.handler = {.handle = count_turns}}, .script = crowd_script};
    sem_init(&stand_still, 0, 0);
    sem_init(&all_sent, 0, 0);
    loopback_run(&l);
    unsigned served = 0;
    for (unsigned turn = 0; turn < TURNS_MAX; turn++) {
        assert_in_range(served_in_turn[turn], 0, TURN_MAX);
        served += served_in_turn[turn];
    }
    assert_in_range(served, CROWD - CROWD / 8, CROWD);
    sem_destroy(&stand_still);
    sem_destroy(&all_sent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_http_1_0),
        cmocka_unit_test(test_pipelining),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_deep_pipelining),
        cmocka_unit_test(test_every_split),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_100_continue),
        cmocka_unit_test(test_hang_up_cancels),
        cmocka_unit_test(test_half_close_is_answered),
        cmocka_unit_test(test_half_close_in_pause_is_answered),
        cmocka_unit_test(test_slow_clients),
        cmocka_unit_test(test_too_many_at_work),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_taken_address),
        cmocka_unit_test(test_crowd_leaves_turns_to_others),
    };
    log_set_level(LOG_WARN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
