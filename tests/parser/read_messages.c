/*
 * Reads messages from standard input, each as four bytes of length (big-endian) and its bytes, and prints one line of JSON for each: what
 * our parser makes of it. Bodies and values are hexadecimal, since they may hold any byte.
 */
#include "http/parser.h"

#include <stdio.h>
#include <stdlib.h>

static void print_hex(struct text bytes)
{
    putchar('"');
    for (size_t i = 0; i < bytes.size; i++)
        printf("%02x", (unsigned char)bytes.at[i]);
    putchar('"');
}

/* Bytes of the message in all, or 0 when its body is not whole or malformed. */
static size_t read_body(const struct http_head *head, struct text rest, struct buffer *body)
{
    struct http_chunks chunks = {0};
    size_t used = 0;
    if (head->body == HTTP_BODY_CHUNKED)
        return http_chunks_feed(&chunks, rest, body, 1 << 20, &used) == 1 ? used + 1 : 0;
    if (rest.size < head->content_length)
        return 0;
    buffer_add(body, rest.at, (size_t)head->content_length);
    return (size_t)head->content_length + 1;
}

static void judge(struct text bytes)
{
    static struct http_head head;
    const char *why;
    size_t scanned = 0;
    struct buffer body = {0};
    long size = http_head_find(bytes, &scanned);
    int status = size < 0 ? (int)-size : size == 0 ? 1 : http_request_parse((struct text){bytes.at, (size_t)size}, &head, &why);
    size_t rest = status ? 0 : read_body(&head, (struct text){bytes.at + size, bytes.size - (size_t)size}, &body);
    if (status || !rest) {
        printf("{\"accepted\":false,\"status\":%d}\n", status);
    } else {
        printf("{\"accepted\":true,\"used\":%zu,\"method\":", (size_t)size + rest - 1);
        print_hex(head.method_name);
        printf(",\"target\":");
        print_hex(head.target);
        printf(",\"fields\":[");
        for (unsigned i = 0; i < head.count; i++) {
            printf(i ? ",[" : "[");
            print_hex(head.headers[i].name);
            putchar(',');
            print_hex(head.headers[i].value);
            putchar(']');
        }
        printf("],\"body\":");
        print_hex((struct text){body.at, body.size});
        printf("}\n");
    }
    buffer_fini(&body);
}

int main(void)
{
    unsigned char length[4];
    while (fread(length, 1, 4, stdin) == 4) {
        size_t size = (size_t)length[0] << 24 | (size_t)length[1] << 16 | (size_t)length[2] << 8 | length[3];
        char *bytes = malloc(size + 1); /* exactly as large, so that a sanitizer sees a read behind it */
        if (!bytes || fread(bytes, 1, size, stdin) != size)
            return 1;
        judge((struct text){bytes, size});
        free(bytes);
    }
    return 0;
}
