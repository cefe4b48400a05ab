/*
 * The sockets of an address, one for each worker (SO_REUSEPORT); the kernel spreads connections over them. The address is probed without that
 * option first, since a second process of the same user would otherwise share it in silence.
 *
 * Each socket has a queue of its own, and closing it resets what the kernel has taken and nobody else: who wants to lose nothing lets no
 * new connection begin, waits until those that have begun are whole, and takes them.
 */
#include "http/listen.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

/* What the kernel may hold for a client that does not read (it doubles the number); by itself it would go up to megabytes. */
#define SEND_BUFFER_SIZE (256 * 1024)

static int split_address(const char *listen, char *host, size_t room, const char **ret_port)
{
    const char *colon = strrchr(listen, ':');
    int64_t port;
    if (!colon || colon == listen || text_to_int64(text_of(colon + 1), &port) || port > 65535)
        return -EINVAL;
    size_t size = (size_t)(colon - listen);
    if (listen[0] == '[') {
        if (listen[size - 1] != ']')
            return -EINVAL;
        listen++;
        size -= 2;
    }
    if (size >= room)
        return -EINVAL;
    memcpy(host, listen, size);
    host[size] = '\0';
    *ret_port = colon + 1;
    return 0;
}

static int resolve(const char *listen, struct sockaddr_storage *ret_address, socklen_t *ret_size, struct err *err)
{
    char host[256];
    const char *port;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    if (split_address(listen, host, sizeof host, &port))
        return err_set(err, -EINVAL, "\"%s\" is no address to listen on; write host:port, such as 127.0.0.1:3000", listen);
    int failed = getaddrinfo(host, port, &hints, &found);
    if (failed)
        return err_set(err, -EADDRNOTAVAIL, "cannot listen on %s: %s", listen, gai_strerror(failed));
    memcpy(ret_address, found->ai_addr, found->ai_addrlen);
    *ret_size = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

static int open_socket(const struct sockaddr_storage *address, socklen_t size, bool shared)
{
    int on = 1, room = SEND_BUFFER_SIZE, fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) || setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room) ||
        (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on)) || bind(fd, (const struct sockaddr *)address, size) ||
        listen(fd, LISTEN_BACKLOG)) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

static int say_busy(const char *listen, int error, struct err *err)
{
    if (error == -EADDRINUSE)
        return err_set(err, error, "cannot listen on %s: another process does; stop it or choose another address", listen);
    return err_set(err, error, "cannot listen on %s: %s", listen, strerror(-error));
}

static int probe(const struct sockaddr_storage *address, socklen_t size)
{
    int fd = open_socket(address, size, false);
    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

static void print_address(const struct sockaddr_storage *address, char *ret_text, size_t room)
{
    char host[INET6_ADDRSTRLEN];
    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        uv_ip6_name(v6, host, sizeof host);
        snprintf(ret_text, room, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        uv_ip4_name(v4, host, sizeof host);
        snprintf(ret_text, room, "%s:%u", host, ntohs(v4->sin_port));
    }
}

int listen_open(const char *listen, unsigned count, int *ret_fds, char *ret_address, size_t room, struct err *err)
{
    struct sockaddr_storage address;
    socklen_t size;
    unsigned opened = 0;
    int error = resolve(listen, &address, &size, err);
    if (error)
        return error;
    error = probe(&address, size);
    while (opened < count && !error) {
        int fd = open_socket(&address, size, true);
        if (fd < 0)
            error = fd;
        else if ((ret_fds[opened++] = fd) && opened == 1 && getsockname(fd, (struct sockaddr *)&address, &size))
            error = -errno;
    }
    if (!error) {
        print_address(&address, ret_address, room);
        return 0;
    }
    while (opened)
        close(ret_fds[--opened]);
    return say_busy(listen, error, err);
}

int listen_check(const char *listen, struct err *err)
{
    struct sockaddr_storage address;
    socklen_t size;
    int error = resolve(listen, &address, &size, err);
    if (error)
        return error;
    error = probe(&address, size);
    return error ? say_busy(listen, error, err) : 0;
}

void listen_refuse_new(int fd)
{
    /* The flags of the segment: a SYN without an ACK is dropped, all else goes on. */
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
    };
    struct sock_fprog program = {.len = sizeof steps / sizeof *steps, .filter = steps};
    setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}
