/* Listening sockets that are about to close lose nobody: who was let in is there to be taken, who comes now is refused and not reset. */
#include "http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define WAIT_MS 60000

static struct sockaddr_in to(const char *address)
{
    int port = (int)strtol(strrchr(address, ':') + 1, NULL, 10);
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

/* Begins to connect. */
static int call(const char *address)
{
    struct sockaddr_in there = to(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int result = connect(fd, (struct sockaddr *)&there, sizeof there);
    assert_true(result == 0 || errno == EINPROGRESS);
    return fd;
}

/* How connecting has ended. */
static int outcome(int fd)
{
    int error = -1;
    socklen_t size = sizeof error;
    assert_int_equal(poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, WAIT_MS), 1);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
    return error;
}

static void test_refuse_new(void **state)
{
    struct err err;
    int listener;
    char address[64];
    assert_int_equal(listen_open("127.0.0.1:0", 1, &listener, address, sizeof address, &err), 0);
    int before = call(address);
    assert_int_equal(outcome(before), 0);
    listen_refuse_new(listener);
    int after = call(address);
    int taken = accept(listener, NULL, NULL);
    assert_true(taken >= 0);
    assert_true(accept(listener, NULL, NULL) < 0);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(write(before, "x", 1), 1);
    assert_int_equal(poll(&(struct pollfd){.fd = taken, .events = POLLIN}, 1, WAIT_MS), 1);
    close(listener);
    assert_int_equal(outcome(after), ECONNREFUSED);
    close(before), close(after), close(taken);
}

static void test_several(void **state)
{
    struct err err;
    int fds[3], other;
    char address[64], again[64];
    assert_int_equal(listen_open("127.0.0.1:0", 3, fds, address, sizeof address, &err), 0);
    assert_true(listen_open(address, 1, &other, again, sizeof again, &err) == -EADDRINUSE);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refuse_new), cmocka_unit_test(test_several)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
