/* One loop of poll() over pairs of sockets (see the header). */
#include "proxy.h"

#include "port_case.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAIRS_MAX 60
#define TICK_MS 5

static struct {
    int listener, port, to_port, count;
    int pairs[PAIRS_MAX][2];
    _Atomic bool silent;
} proxy;

static struct sockaddr_in address_of(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void accept_one(void)
{
    struct sockaddr_in to = address_of(proxy.to_port);
    int near = accept(proxy.listener, NULL, NULL), far = socket(AF_INET, SOCK_STREAM, 0);
    if (near < 0 || far < 0 || proxy.count == PAIRS_MAX || connect(far, (struct sockaddr *)&to, sizeof to) < 0) {
        close(near);
        close(far);
        return;
    }
    proxy.pairs[proxy.count][0] = near;
    proxy.pairs[proxy.count++][1] = far;
}

/* False: one of the two has closed. */
static bool carry(int from, int to)
{
    char bytes[16384];
    ssize_t size = read(from, bytes, sizeof bytes), sent = 0;
    while (size > 0 && sent < size) {
        ssize_t n = write(to, bytes + sent, (size_t)(size - sent));
        if (n <= 0)
            return false;
        sent += n;
    }
    return size > 0;
}

static void close_pair(int at)
{
    close(proxy.pairs[at][0]);
    close(proxy.pairs[at][1]);
    proxy.count--;
    memmove(proxy.pairs[at], proxy.pairs[proxy.count], sizeof proxy.pairs[at]);
}

static void *proxy_main(void *arg)
{
    for (;;) {
        struct pollfd fds[2 * PAIRS_MAX + 1];
        int count = proxy.count;
        for (int i = 0; i < 2 * count; i++)
            fds[i] = (struct pollfd){.fd = proxy.pairs[i / 2][i % 2], .events = POLLIN};
        fds[2 * count] = (struct pollfd){.fd = proxy.listener, .events = POLLIN};
        if (atomic_load(&proxy.silent)) {
            usleep(TICK_MS * 1000);
            continue;
        }
        poll(fds, (nfds_t)(2 * count + 1), TICK_MS);
        if (fds[2 * count].revents)
            accept_one();
        for (int i = count - 1; i >= 0; i--) {
            int *pair = proxy.pairs[i];
            if ((fds[2 * i].revents && !carry(pair[0], pair[1])) || (fds[2 * i + 1].revents && !carry(pair[1], pair[0])))
                close_pair(i);
        }
    }
    return NULL;
}

int proxy_start(int to_port)
{
    struct sockaddr_in own = address_of(0);
    socklen_t size = sizeof own;
    pthread_t thread;
    proxy_set_silent(false);
    if (proxy.port && proxy.to_port == to_port)
        return proxy.port;
    check(!proxy.port);
    proxy.to_port = to_port;
    proxy.listener = socket(AF_INET, SOCK_STREAM, 0);
    check(proxy.listener >= 0);
    check_equal(bind(proxy.listener, (struct sockaddr *)&own, sizeof own), 0);
    check_equal(listen(proxy.listener, 64), 0);
    check_equal(getsockname(proxy.listener, (struct sockaddr *)&own, &size), 0);
    check_equal(pthread_create(&thread, NULL, proxy_main, NULL), 0);
    return proxy.port = ntohs(own.sin_port);
}

void proxy_set_silent(bool silent)
{
    atomic_store(&proxy.silent, silent);
}
