/* Frames as a client writes and reads them, over loopback.h. */
#ifndef PURSER_TESTS_WS_CLIENT_H
#define PURSER_TESTS_WS_CLIENT_H

#include "loopback.h"

#define WS_KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define WS_UPGRADE "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"

/* A masked frame. */
static inline size_t frame(unsigned char first, const char *payload, size_t size, unsigned char *out)
{
    static const unsigned char key[4] = {1, 2, 3, 4};
    size_t at = 2;
    out[0] = first;
    out[1] = (unsigned char)(0x80 | (size < 126 ? size : size < 65536 ? 126 : 127));
    for (int shift = size < 126 ? -1 : size < 65536 ? 8 : 56; shift >= 0; shift -= 8)
        out[at++] = (unsigned char)((uint64_t)size >> shift);
    memcpy(out + at, key, 4);
    at += 4;
    for (size_t i = 0; i < size; i++)
        out[at++] = (unsigned char)payload[i] ^ key[i % 4];
    return at;
}

static inline void say(struct loopback *l, int fd, unsigned char first, const char *payload, size_t size)
{
    unsigned char *bytes = malloc(size + 14);
    loopback_send(l, fd, bytes, frame(first, payload, size, bytes));
    free(bytes);
}

/* The first byte of the next frame, whose payload goes to `text`; 0 when there is none. */
static inline int hear(struct loopback *l, int fd, char *text, size_t room)
{
    unsigned char head[8];
    size_t size;
    if (!loopback_recv(l, fd, head, 2))
        return 0;
    size = head[1] & 0x7f;
    LOOPBACK_CHECK(l, !(head[1] & 0x80));
    if (size >= 126) {
        unsigned char length[8];
        size_t bytes = size == 126 ? 2 : 8;
        loopback_recv(l, fd, length, bytes);
        size = 0;
        for (size_t i = 0; i < bytes; i++)
            size = size << 8 | length[i];
    }
    LOOPBACK_CHECK(l, size < room);
    if (size >= room || (size && !loopback_recv(l, fd, text, size)))
        return 0;
    text[size] = '\0';
    return head[0];
}

static inline bool hears(struct loopback *l, int fd, const char *wanted)
{
    char text[1024];
    return hear(l, fd, text, sizeof text) == 0x81 && strcmp(text, wanted) == 0;
}

static inline bool hears_close(struct loopback *l, int fd, int code)
{
    char text[256];
    int first = hear(l, fd, text, sizeof text);
    if (first == 0x88 && ((unsigned char)text[0] << 8 | (unsigned char)text[1]) == code)
        return true;
    printf("close: frame %x, code %d instead of %d\n", first, (unsigned char)text[0] << 8 | (unsigned char)text[1], code);
    return false;
}

#endif
