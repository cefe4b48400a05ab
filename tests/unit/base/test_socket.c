/* A guarded connection is probed, and given up when nobody acknowledges its bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int option_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    assert_int_equal(getsockopt(fd, level, name, &value, &size), 0);
    return value;
}

static void a_connection_is_probed(void **state)
{
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    socket_guard(fd);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    int idle_s = option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), every_s = option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL);
    assert_true(idle_s + every_s * option_of(fd, IPPROTO_TCP, TCP_KEEPCNT) <= 15);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 15000);
    close(fd);
}

static void what_is_no_connection_is_left(void **state)
{
    (void)state;
    int pair[2];
    char byte;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    socket_guard(pair[0]);
    socket_guard(-1);
    assert_int_equal(write(pair[0], "x", 1), 1);
    assert_int_equal(read(pair[1], &byte, 1), 1);
    close(pair[0]);
    close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_is_probed),
        cmocka_unit_test(what_is_no_connection_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
