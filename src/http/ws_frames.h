/* Where WebSocket frames begin and end (RFC 6455 section 5.2): headers only, payloads pass by. No memory, no input or output. */
#ifndef PURSER_HTTP_WS_FRAMES_H
#define PURSER_HTTP_WS_FRAMES_H

#include "base/text.h"

/* One direction of a connection. Zero-initialise. */
struct ws_frames {
    unsigned char header[14];
    unsigned char have, need; /* bytes of the header */
    uint64_t left;            /* of the payload */
    /* The frame that began last. */
    uint64_t length;
    unsigned char opcode;
    bool fin, masked;
};

enum { WS_FRAMES_MORE, WS_FRAMES_BEGIN, WS_FRAMES_END };

/* Goes on through bytes[*at…] to the next event: the header of a frame is whole (_BEGIN), its payload is (_END), or all bytes are
 * used (_MORE). *at moves to behind what was looked at. A length of 2^63 or more counts as 2^63 - 1. */
int ws_frames_next(struct ws_frames *frames, struct text bytes, size_t *at);
/* Whether no frame is under way. */
bool ws_frames_at_boundary(const struct ws_frames *frames);

/* Writes a header without mask; `ret_header` has room for 10. Returns its size. */
size_t ws_frame_header(unsigned char opcode, size_t payload, unsigned char *ret_header);

enum { WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

/* A whole close frame; `ret_frame` has room for 131. `mask`: as a client sends it. Returns its size. */
size_t ws_close_frame(int code, const char *reason, bool mask, unsigned char *ret_frame);

#endif
