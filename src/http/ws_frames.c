/* Frame headers, read and written. Reading copes with any split of the bytes. */
#include "http/ws_frames.h"

#include "base/uuid.h"

static unsigned header_size(const unsigned char *header)
{
    unsigned length = header[1] & 0x7f, mask = header[1] & 0x80 ? 4 : 0;
    return 2 + (length == 126 ? 2 : length == 127 ? 8 : 0) + mask;
}

static uint64_t payload_length(const unsigned char *header)
{
    unsigned length = header[1] & 0x7f, bytes = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (!bytes)
        return length;
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | header[2 + i];
    return value > INT64_MAX ? INT64_MAX : value;
}

static void begin(struct ws_frames *frames)
{
    frames->fin = frames->header[0] & 0x80;
    frames->opcode = frames->header[0] & 0x0f;
    frames->masked = frames->header[1] & 0x80;
    frames->length = frames->left = payload_length(frames->header);
}

bool ws_frames_at_boundary(const struct ws_frames *frames)
{
    return frames->have == 0;
}

int ws_frames_next(struct ws_frames *frames, struct text bytes, size_t *at)
{
    while (!frames->need || frames->have < frames->need) {
        if (*at == bytes.size)
            return WS_FRAMES_MORE;
        frames->header[frames->have++] = (unsigned char)bytes.at[(*at)++];
        if (frames->have == 2)
            frames->need = (unsigned char)header_size(frames->header);
        if (frames->have == frames->need) {
            begin(frames);
            return WS_FRAMES_BEGIN;
        }
    }
    size_t there = bytes.size - *at;
    if (there < frames->left) {
        frames->left -= there;
        *at = bytes.size;
        return WS_FRAMES_MORE;
    }
    *at += (size_t)frames->left;
    frames->left = 0;
    frames->have = frames->need = 0;
    return WS_FRAMES_END;
}

size_t ws_frame_header(unsigned char opcode, size_t payload, unsigned char *ret_header)
{
    unsigned bytes = payload < 126 ? 0 : payload < 65536 ? 2 : 8;
    ret_header[0] = 0x80 | opcode;
    ret_header[1] = (unsigned char)(bytes == 0 ? payload : bytes == 2 ? 126 : 127);
    for (unsigned i = 0; i < bytes; i++)
        ret_header[2 + i] = (unsigned char)((uint64_t)payload >> 8 * (bytes - 1 - i));
    return 2 + bytes;
}

size_t ws_close_frame(int code, const char *reason, bool mask, unsigned char *ret_frame)
{
    size_t reason_size = reason ? strlen(reason) : 0;
    if (reason_size > 123)
        reason_size = 123;
    size_t size = ws_frame_header(WS_CLOSE, 2 + reason_size, ret_frame);
    unsigned char key[4] = {0};
    if (mask) {
        ret_frame[1] |= 0x80;
        random_bytes(key, sizeof key);
        memcpy(ret_frame + size, key, sizeof key);
        size += sizeof key;
    }
    ret_frame[size++] = (unsigned char)(code >> 8) ^ key[0];
    ret_frame[size++] = (unsigned char)(code & 0xff) ^ key[1];
    for (size_t i = 0; i < reason_size; i++)
        ret_frame[size++] = (unsigned char)reason[i] ^ key[(i + 2) % 4];
    return size;
}
