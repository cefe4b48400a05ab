/*
 * A real server on a free port of the loopback, and a client in plain blocking calls on a thread of its own: what a test says and hears is
 * bytes. Every wait for bytes has a limit far above what any machine needs, and fails the test when it is reached.
 */
#ifndef PURSER_TESTS_LOOPBACK_H
#define PURSER_TESTS_LOOPBACK_H

#include "base/clock.h"
#include "base/settings.h"
#include "http/server.h"
#include "runtime/worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define LOOPBACK_WAIT_S 30

struct loopback {
    struct http_server_options options;
    struct http_server *server;
    void (*script)(struct loopback *loopback); /* on the client's thread */
    unsigned workers;
    int port;
    pthread_t thread;
    char failed[512]; /* what went wrong on the thread */
};

#define LOOPBACK_CHECK(loopback, condition)                                                                                            \
    do {                                                                                                                               \
        if (!(condition) && !(loopback)->failed[0])                                                                                    \
            snprintf((loopback)->failed, sizeof(loopback)->failed, "%s:%d: %s", __FILE__, __LINE__, #condition);                       \
    } while (0)

static inline int loopback_connect(struct loopback *loopback)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)loopback->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval limit = {.tv_sec = LOOPBACK_WAIT_S};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    LOOPBACK_CHECK(loopback, connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

static inline void loopback_send(struct loopback *loopback, int fd, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size) {
        ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
        LOOPBACK_CHECK(loopback, sent > 0);
        if (sent <= 0)
            return;
        at += sent;
        size -= (size_t)sent;
    }
}

static inline void loopback_say(struct loopback *loopback, int fd, const char *words)
{
    loopback_send(loopback, fd, words, strlen(words));
}

/* Exactly so many bytes. */
static inline bool loopback_recv(struct loopback *loopback, int fd, void *bytes, size_t size)
{
    size_t have = 0;
    while (have < size) {
        ssize_t got = recv(fd, (char *)bytes + have, size - have, 0);
        LOOPBACK_CHECK(loopback, got > 0);
        if (got <= 0)
            return false;
        have += (size_t)got;
    }
    return true;
}

/* One answer: its head and, by Content-Length, its body; the status. 0 when the connection ended instead. */
static inline int loopback_answer(struct loopback *loopback, int fd, bool to_head, char *text, size_t room)
{
    size_t have = 0;
    while (have + 1 < room && recv(fd, text + have, 1, 0) == 1) {
        text[++have] = '\0';
        if (have >= 4 && memcmp(text + have - 4, "\r\n\r\n", 4) == 0)
            break;
    }
    text[have] = '\0';
    if (!have)
        return 0;
    const char *length = strcasestr(text, "\r\nContent-Length: ");
    size_t body = length && !to_head ? strtoul(length + 18, NULL, 10) : 0;
    if (have + body >= room || !loopback_recv(loopback, fd, text + have, body))
        return -1;
    text[have + body] = '\0';
    return strncmp(text, "HTTP/1.1 ", 9) == 0 ? (int)strtol(text + 9, NULL, 10) : -1;
}

/* Whether the other side has ended the connection, with nothing more to read. */
static inline bool loopback_ended(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, 0);
    return got == 0 || (got < 0 && errno == ECONNRESET);
}

static inline void *loopback_thread(void *arg)
{
    struct loopback *loopback = arg;
    loopback->script(loopback);
    workers_stop();
    return NULL;
}

static inline void loopback_main(void *arg)
{
    struct loopback *loopback = arg;
    struct err err = {0};
    if (http_server_start(&loopback->options, &loopback->server, &err)) {
        snprintf(loopback->failed, sizeof loopback->failed, "%s", err.message);
        workers_stop();
        return;
    }
    loopback->port = (int)strtol(strrchr(http_server_address(loopback->server), ':') + 1, NULL, 10);
    pthread_create(&loopback->thread, NULL, loopback_thread, loopback);
}

/* Serves `handle` while `script` runs; fails the test where the script found something. */
static inline void loopback_run(struct loopback *loopback)
{
    struct err err;
    loopback->options.name = loopback->options.name ? loopback->options.name : "test";
    loopback->options.listen = "127.0.0.1:0";
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(workers_start(loopback->workers ? loopback->workers : 1, &err), 0);
    assert_int_equal(fiber_start("test", loopback_main, loopback), 0);
    worker_run();
    if (loopback->thread)
        pthread_join(loopback->thread, NULL);
    if (loopback->failed[0])
        fail_msg("%s", loopback->failed);
}

#endif
