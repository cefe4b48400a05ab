/*
 * Strict HTTP/1.1 messages (RFC 9112): heads found and parsed, chunked bodies decoded. What could be read in two ways is refused: both
 * Content-Length and Transfer-Encoding, repeated or signed lengths, folded lines, bare LF, space before a colon, NUL.
 */
#ifndef PURSER_HTTP_PARSER_H
#define PURSER_HTTP_PARSER_H

#include "base/text.h"
#include "http/message.h"

enum http_body { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED, HTTP_BODY_UNTIL_CLOSE };

/* All slices point into the bytes that were parsed. */
struct http_head {
    enum http_method method;                /* requests */
    struct text method_name, target, path, query;
    int status;                             /* responses */
    int minor_version;                      /* HTTP/1.x */
    struct http_header headers[HTTP_HEADERS_MAX];
    unsigned count;
    enum http_body body;
    uint64_t content_length;
    bool keep_alive, expect_continue, upgrade;
};

/* Looks for the end of a head in `bytes`, which begin with it. Call again with more bytes and the same *scanned (0 at first). The size of
 * the head with its empty line; 0: more is needed; negative: minus the status to refuse with (400, 414, 431). */
long http_head_find(struct text bytes, size_t *scanned);

/* 0, or the status to refuse with, and why. */
int http_request_parse(struct text head, struct http_head *ret_head, const char **ret_why);
/* `to_head`: the answer to a HEAD request, which has no body. 0 or -EPROTO. */
int http_response_parse(struct text head, bool to_head, struct http_head *ret_head);

/* Whether a field's value has no byte that could end its line: no controls but the tab. */
bool http_field_is_clean(struct text value);

/* A chunked body. Zero-initialise. */
struct http_chunks {
    int state;
    uint64_t left;
    unsigned line; /* bytes of the present chunk line or of all trailers */
    unsigned digits;
    bool name_seen;
    char name[20]; /* of the trailer, as far as it fits */
    unsigned char name_size;
};
/* Decodes what is there, appending to `out` up to `size_max` bytes in all. 1: the body is whole; 0: more
 * is needed; -EBADMSG; -EMSGSIZE. ret_used: bytes taken. */
int http_chunks_feed(struct http_chunks *chunks, struct text bytes, struct buffer *out, size_t size_max, size_t *ret_used);

#endif
