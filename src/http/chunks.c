/*
 * Chunked bodies (RFC 9112 section 7.1), a byte at a time through the framing and in whole pieces through the data. Sizes have at most fifteen
 * digits, so that they cannot overflow; extensions and trailers have limits, since nobody reads them.
 */
#include "http/parser.h"

#include "http/bytes.h"

#include <errno.h>

#define CHUNK_LINE_MAX 256
#define TRAILERS_MAX (8 * 1024)

enum { SIZE, EXTENSION_NAME, EXTENSION_VALUE, EXTENSION_TOKEN, EXTENSION_QUOTED, EXTENSION_ESCAPED, EXTENSION_END, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILER_START,
       TRAILER_NAME, TRAILER_VALUE, TRAILER_LF, END_LF, DONE };

static int hex_digit(char c)
{
    return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

/* Between chunk lines and data: what an end of the size line leads to. */
static int after_extension(char c)
{
    return c == ';' ? EXTENSION_NAME : c == '\r' ? SIZE_LF : -EBADMSG;
}

static int trailer_name(struct http_chunks *chunks, char c)
{
    if (chunks->name_size < sizeof chunks->name)
        chunks->name[chunks->name_size++] = c;
    return http_byte_is(c, HTTP_BYTE_TOKEN) ? TRAILER_NAME : -EBADMSG;
}

/* RFC 9110 section 6.5.1: what says where a message ends can't come behind it. */
static int after_trailer_name(const struct http_chunks *chunks)
{
    struct text name = {chunks->name, chunks->name_size};
    bool framing = text_equal_nocase(name, text_of("Content-Length")) || text_equal_nocase(name, text_of("Transfer-Encoding"));
    return framing ? -EBADMSG : TRAILER_VALUE;
}

/* One byte of anything but data. The new state, or -EBADMSG. */
static int step(struct http_chunks *chunks, char c)
{
    switch (chunks->state) {
    case SIZE:
        if (http_byte_is(c, HTTP_BYTE_HEX)) {
            if (++chunks->digits > 15)
                return -EBADMSG;
            chunks->left = chunks->left * 16 + (uint64_t)hex_digit(c);
            return SIZE;
        }
        chunks->name_seen = false;
        return chunks->digits ? after_extension(c) : -EBADMSG;
    case EXTENSION_NAME:
        if (http_byte_is(c, HTTP_BYTE_TOKEN)) {
            chunks->name_seen = true;
            return EXTENSION_NAME;
        }
        if (!chunks->name_seen)
            return -EBADMSG;
        chunks->name_seen = false;
        return c == '=' ? EXTENSION_VALUE : after_extension(c);
    case EXTENSION_VALUE:
        return c == '"' ? EXTENSION_QUOTED : http_byte_is(c, HTTP_BYTE_TOKEN) ? EXTENSION_TOKEN : -EBADMSG;
    case EXTENSION_TOKEN:
        return http_byte_is(c, HTTP_BYTE_TOKEN) ? EXTENSION_TOKEN : after_extension(c);
    case EXTENSION_QUOTED:
        if (c == '"' || c == '\\')
            return c == '"' ? EXTENSION_END : EXTENSION_ESCAPED;
        return http_byte_is(c, HTTP_BYTE_FIELD) ? EXTENSION_QUOTED : -EBADMSG;
    case EXTENSION_ESCAPED:
        return http_byte_is(c, HTTP_BYTE_FIELD) ? EXTENSION_QUOTED : -EBADMSG;
    case EXTENSION_END:
        return after_extension(c);
    case SIZE_LF:
        chunks->line = 0;
        return c != '\n' ? -EBADMSG : chunks->left ? DATA : TRAILER_START;
    case DATA_CR:
        return c == '\r' ? DATA_LF : -EBADMSG;
    case DATA_LF:
        chunks->digits = 0;
        return c == '\n' ? SIZE : -EBADMSG;
    case TRAILER_START:
        chunks->name_size = 0;
        return c == '\r' ? END_LF : trailer_name(chunks, c);
    case TRAILER_NAME:
        return c == ':' ? after_trailer_name(chunks) : trailer_name(chunks, c);
    case TRAILER_VALUE:
        return c == '\r' ? TRAILER_LF : http_byte_is(c, HTTP_BYTE_FIELD) ? TRAILER_VALUE : -EBADMSG;
    case TRAILER_LF:
        return c == '\n' ? TRAILER_START : -EBADMSG;
    case END_LF:
        return c == '\n' ? DONE : -EBADMSG;
    default:
        return -EBADMSG;
    }
}

int http_chunks_feed(struct http_chunks *chunks, struct text bytes, struct buffer *out, size_t size_max, size_t *ret_used)
{
    size_t i = 0;
    int result = 0;
    while (i < bytes.size && chunks->state != DONE && !result) {
        if (chunks->state == DATA) {
            size_t size = bytes.size - i < chunks->left ? bytes.size - i : (size_t)chunks->left;
            buffer_add(out, bytes.at + i, size);
            i += size;
            chunks->left -= size;
            if (!chunks->left)
                chunks->state = DATA_CR;
            continue;
        }
        int next = step(chunks, bytes.at[i++]);
        if (next < 0 || ++chunks->line > (chunks->state >= TRAILER_START ? TRAILERS_MAX : CHUNK_LINE_MAX))
            result = -EBADMSG;
        else if (next == DATA && (out->size > size_max || chunks->left > size_max - out->size)) /* the limit may have been lowered meanwhile */
            result = -EMSGSIZE;
        if (next >= 0) {
            if (next == SIZE && chunks->state != SIZE)
                chunks->line = 0;
            chunks->state = next;
        }
    }
    *ret_used = i;
    return result ? result : out->failed ? -ENOMEM : chunks->state == DONE;
}
