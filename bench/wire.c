/* Connections of the load generator. As little work as possible, so that what is measured is the server: no allocation a
 * request once the buffers have grown, answers are recognised by Content-Length alone. */
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int64_t wire_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

int wire_connect(struct wire *wire, const struct sockaddr_in *to, unsigned number)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(0x7f000000u | (1 + number % 0xfffff0));
    int one = 1;
    wire->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (wire->fd < 0)
        return -errno;
    setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(wire->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(wire->fd, (struct sockaddr *)&from, sizeof from) < 0 ||
        (connect(wire->fd, (const struct sockaddr *)to, sizeof *to) < 0 && errno != EINPROGRESS)) {
        int error = -errno;
        wire_close(wire);
        return error;
    }
    return 0;
}

void wire_close(struct wire *wire)
{
    if (wire->fd >= 0)
        close(wire->fd);
    wire->fd = -1;
    wire->in_len = wire->out_len = 0;
    wire->websocket = false;
}

static void grow(char **buffer, size_t *cap, size_t need)
{
    if (need <= *cap)
        return;
    *cap = need * 2 < 1024 ? 1024 : need * 2;
    *buffer = realloc(*buffer, *cap);
    if (!*buffer)
        abort();
}

int wire_send(struct wire *wire, const char *bytes, size_t len)
{
    grow(&wire->out, &wire->out_cap, wire->out_len + len);
    memcpy(wire->out + wire->out_len, bytes, len);
    wire->out_len += len;
    return wire_flush(wire);
}

int wire_flush(struct wire *wire)
{
    while (wire->out_len) {
        ssize_t n = send(wire->fd, wire->out, wire->out_len, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == ENOTCONN ? 0 : -errno;
        wire->out_len -= (size_t)n;
        memmove(wire->out, wire->out + n, wire->out_len);
    }
    return 0;
}

int wire_fill(struct wire *wire)
{
    for (;;) {
        grow(&wire->in, &wire->in_cap, wire->in_len + 2048);
        ssize_t n = recv(wire->fd, wire->in + wire->in_len, wire->in_cap - wire->in_len, 0);
        if (n < 0)
            return errno == EAGAIN ? 0 : -errno;
        if (n == 0)
            return -ECONNRESET;
        wire->in_len += (size_t)n;
        if (wire->in_len < wire->in_cap)
            return 0;
    }
}

static size_t content_length(const char *head, size_t len)
{
    static const char name[] = "\r\ncontent-length:";
    for (size_t i = 0; i + sizeof name < len; i++)
        if (head[i] == '\r' && !strncasecmp(head + i, name, sizeof name - 1))
            return strtoul(head + i + sizeof name - 1, NULL, 10);
    return 0;
}

bool wire_answer(const struct wire *wire, struct wire_answer *ret_answer)
{
    const char *end = wire->in_len ? memmem(wire->in, wire->in_len, "\r\n\r\n", 4) : NULL;
    if (!end || wire->in_len < 12)
        return false;
    size_t head_len = (size_t)(end - wire->in) + 4;
    int status = (int)strtol(wire->in + 9, NULL, 10);
    size_t body_len = status == 101 || status == 204 ? 0 : content_length(wire->in, head_len);
    if (wire->in_len < head_len + body_len)
        return false;
    *ret_answer = (struct wire_answer){
        .status = status, .body = wire->in + head_len, .body_len = body_len, .total_len = head_len + body_len};
    return true;
}

bool wire_frame(const struct wire *wire, struct wire_frame *ret_frame)
{
    const unsigned char *in = (const unsigned char *)wire->in;
    if (wire->in_len < 2)
        return false;
    size_t head_len = 2, len = in[1] & 127;
    if (len == 126) {
        if (wire->in_len < 4)
            return false;
        head_len = 4;
        len = (size_t)in[2] << 8 | in[3];
    } else if (len == 127) {
        if (wire->in_len < 10)
            return false;
        head_len = 10;
        len = 0;
        for (int i = 2; i < 10; i++)
            len = len << 8 | in[i];
    }
    if (wire->in_len < head_len + len)
        return false;
    *ret_frame = (struct wire_frame){
        .opcode = in[0] & 15, .payload = wire->in + head_len, .payload_len = len, .total_len = head_len + len};
    return true;
}

void wire_consume(struct wire *wire, size_t len)
{
    wire->in_len -= len;
    memmove(wire->in, wire->in + len, wire->in_len);
}

int wire_send_frame(struct wire *wire, unsigned opcode, const char *payload, size_t len)
{
    /* A mask of zeros leaves the payload as it is. */
    char frame[6 + 125] = {(char)(0x80 | opcode), (char)(0x80 | len)};
    if (len > 125)
        return -EMSGSIZE;
    memcpy(frame + 6, payload, len);
    return wire_send(wire, frame, 6 + len);
}
