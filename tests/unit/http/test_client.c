/* The client against our own server, and against servers that misbehave as scripts say. */
#include "base/log.h"
#include "http/client.h"
#include "http/connection.h"
#include "http/problem.h"
#include "loopback.h"

static _Atomic int connections;
static struct loopback *now; /* the test that runs */

/* ---- against our own server ---- */

static void answer(void *context, struct http_request *request, struct http_response *response)
{
    if (text_equal(request->path, text_of("/close"))) {
        response->close = true;
    } else if (text_equal(request->path, text_of("/slow"))) {
        fiber_sleep(20000);
    } else if (text_equal(request->path, text_of("/large"))) {
        size_t size = 3 * 1024 * 1024;
        char *bytes = arena_alloc(response->arena, size);
        memset(bytes, 'x', size);
        respond_bytes(response, 200, "text/plain", (struct text){bytes, size});
        return;
    }
    http_header_add(response->arena, &response->headers, "X-Seen", arena_copy(request->arena, request->target.at, request->target.size));
    respond_bytes(response, 200, "text/plain", request->body.size ? request->body : text_of("hello"));
}

static int get(const char *address, const char *target, struct http_response *response, enum http_call_progress *progress)
{
    struct http_call call = {.address = address, .method = "GET", .target = target};
    return http_client_call(&call, response, progress);
}

static void own_body(const char *address)
{
    struct http_response response;
    enum http_call_progress progress;
    LOOPBACK_CHECK(now, get(address, "/a?b", &response, &progress) == 0 && response.status == 200);
    LOOPBACK_CHECK(now, text_equal(response.body, text_of("hello")) && text_equal(http_header(&response.headers, "x-seen"), text_of("/a?b")));
    LOOPBACK_CHECK(now, get(address, "/b", &response, &progress) == 0 && now->server->listeners->connection_count == 1);
    LOOPBACK_CHECK(now, get(address, "/close", &response, &progress) == 0);
    LOOPBACK_CHECK(now, get(address, "/large", &response, &progress) == 0 && response.body.size == 3 * 1024 * 1024);
    struct http_call call = {.address = address, .method = "HEAD", .target = "/h"};
    LOOPBACK_CHECK(now, http_client_call(&call, &response, NULL) == 0 && response.status == 200 && response.body.size == 0);
    char *body = arena_alloc(fiber_arena(), 1000000);
    memset(body, 'y', 1000000);
    call = (struct http_call){.address = address, .method = "POST", .target = "/p", .body = {body, 1000000}};
    http_header_add(fiber_arena(), &call.headers, "X-Bad", "a\r\nHost: evil");
    LOOPBACK_CHECK(now, http_client_call(&call, &response, NULL) == 0 && response.body.size == 1000000);
    int64_t former = fiber_narrow_deadline(100);
    LOOPBACK_CHECK(now, get(address, "/slow", &response, &progress) == -ETIMEDOUT && progress == HTTP_CALL_SENT);
    fiber_set_deadline(former);
    LOOPBACK_CHECK(now, get(address, "/after", &response, &progress) == 0);
    LOOPBACK_CHECK(now, get("127.0.0.1:1", "/", &response, &progress) == -ECONNREFUSED && progress == HTTP_CALL_NOT_CONNECTED);
    LOOPBACK_CHECK(now, get("nonsense", "/", &response, &progress) < 0 && progress == HTTP_CALL_NOT_CONNECTED);
}

static void own_main(void *arg)
{
    struct err err;
    LOOPBACK_CHECK(now, http_server_start(&now->options, &now->server, &err) == 0);
    own_body(http_server_address(now->server));
    workers_stop();
}

static void run(void (*body)(void *arg))
{
    struct err err;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(workers_start(1, &err), 0);
    assert_int_equal(fiber_start("test", body, NULL), 0);
    worker_run();
    if (now->failed[0])
        fail_msg("%s", now->failed);
}

static void test_own_server(void **state)
{
    struct loopback l = {.options = {.name = "test", .listen = "127.0.0.1:0", .handler = {.handle = answer}}};
    now = &l;
    run(own_main);
}

/* ---- against scripts ---- */

struct scripted {
    const char *says[4]; /* to one request each; NULL: closes instead */
    int result, status;
    enum http_call_progress progress;
    const char *body;
};

static int listening;
static _Atomic int serving; /* the connection of the thread below */
static const struct scripted *scripted;

/* A server that reads a head and says its line, on one connection after the other. */
static void *scripted_thread(void *arg)
{
    char byte, last[4] = {0};
    int fd;
    for (unsigned said = 0; (fd = accept(listening, NULL, NULL)) >= 0;) {
        connections++;
        serving = fd;
        while (recv(fd, &byte, 1, 0) == 1) {
            memmove(last, last + 1, 3);
            last[3] = byte;
            if (memcmp(last, "\r\n\r\n", 4) != 0)
                continue;
            const char *says = said < 4 ? scripted->says[said++] : NULL;
            if (!says)
                break;
            send(fd, says, strlen(says), MSG_NOSIGNAL);
            if (strncmp(says, "HTTP/1.1 200 OK\r\nX-End:", 23) == 0)
                break;
        }
        close(fd);
    }
    return NULL;
}

static void scripted_main(void *arg)
{
    struct http_response response = {0};
    enum http_call_progress progress;
    const char *address = arg;
    int result = 0;
    for (int i = 0; i < 4 && !result && (i == 0 || scripted->says[i] || scripted->result); i++)
        result = get(address, "/", &response, &progress);
    LOOPBACK_CHECK(now, result == scripted->result);
    LOOPBACK_CHECK(now, result || response.status == scripted->status);
    LOOPBACK_CHECK(now, !result || progress == scripted->progress);
    LOOPBACK_CHECK(now, !scripted->body || text_equal(response.body, text_of(scripted->body)));
    workers_stop();
}

static void run_scripted(const struct scripted *script)
{
    struct loopback l = {0};
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof where;
    char address[32];
    pthread_t thread;
    now = &l;
    scripted = script;
    listening = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&where, size) | listen(listening, 8) | getsockname(listening, (struct sockaddr *)&where, &size), 0);
    snprintf(address, sizeof address, "127.0.0.1:%d", ntohs(where.sin_port));
    pthread_create(&thread, NULL, scripted_thread, NULL);
    struct err err;
    assert_int_equal(workers_start(1, &err), 0);
    assert_int_equal(fiber_start("test", scripted_main, address), 0);
    worker_run();
    shutdown(listening, SHUT_RDWR);
    shutdown(serving, SHUT_RDWR); /* one that waits in the pool */
    pthread_join(thread, NULL);
    close(listening);
    if (l.failed[0])
        fail_msg("%s", l.failed);
}

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static void test_misbehaving_servers(void **state)
{
    static const struct scripted scripts[] = {
        {{OK}, 0, 200, 0, "ok"},
        {{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK}, 0, 200, 0, "ok"},
        {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n", OK}, 0, 200, 0, "ok"},
        {{"HTTP/1.1 200 OK\r\nX-End: 1\r\n\r\nuntil the end"}, 0, 200, 0, "until the end"},
        {{"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", OK}, 0, 200, 0, "ok"},
        {{OK "more", OK}, 0, 200, 0, "ok"},                        /* the connection is not used again */
        {{NULL}, -ECONNRESET, 0, HTTP_CALL_SENT, NULL},            /* closes a fresh connection */
        {{OK, NULL}, -ECONNRESET, 0, HTTP_CALL_REUSED_CLOSED, NULL}, /* closes a used one */
        {{OK, "HTTP/1.1 200 OK\r\nX-End: 1\r\nContent-Length: 9\r\n\r\nhalf"}, 0, 200, 0, NULL},
        {{"nonsense\r\n\r\n"}, -EPROTO, 0, HTTP_CALL_SENT, NULL},
        {{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"}, -EPROTO, 0, HTTP_CALL_SENT, NULL},
        {{"HTTP/1.1 200 OK\r\nContent-Length: 17000000\r\n\r\nx"}, -EMSGSIZE, 0, HTTP_CALL_SENT, NULL},
        {{"HTTP/1.1 101 Switching Protocols\r\n\r\n"}, -EPROTO, 0, HTTP_CALL_SENT, NULL},
        {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n"}, -EPROTO, 0, HTTP_CALL_SENT, NULL},
    };
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        struct scripted script = scripts[i];
        if (i == 8) { /* an answer cut off, on a used connection: it may have had an effect */
            script.result = -ECONNRESET;
            script.progress = HTTP_CALL_SENT;
        }
        run_scripted(&script);
    }
}

static void resolve_main(void *arg)
{
    const char *addresses[4];
    int count = http_resolve("127.0.0.1", 80, addresses, 4);
    LOOPBACK_CHECK(now, count == 1 && strcmp(addresses[0], "127.0.0.1:80") == 0);
    LOOPBACK_CHECK(now, http_resolve("name.invalid", 80, addresses, 4) < 0);
    workers_stop();
}

static void test_resolve(void **state)
{
    struct loopback l = {0};
    now = &l;
    run(resolve_main);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_own_server), cmocka_unit_test(test_misbehaving_servers), cmocka_unit_test(test_resolve)};
    log_set_level(LOG_WARN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
