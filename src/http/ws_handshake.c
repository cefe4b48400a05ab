/* The opening handshake (RFC 6455 section 4.2). */
#include "http/ws_handshake.h"

#include "http/problem.h"
#include "http/upgrade.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>

#define KEY_SIZE 24

static bool key_is_good(struct text key)
{
    unsigned char bytes[KEY_SIZE];
    return key.size == KEY_SIZE && key.at[22] == '=' && key.at[23] == '=' &&
           EVP_DecodeBlock(bytes, (const unsigned char *)key.at, KEY_SIZE) >= 0;
}

static void accept_key(struct text key, char ret_accept[32])
{
    unsigned char joined[KEY_SIZE + 36], digest[EVP_MAX_MD_SIZE];
    memcpy(joined, key.at, KEY_SIZE);
    memcpy(joined + KEY_SIZE, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
    EVP_Digest(joined, sizeof joined, digest, NULL, EVP_sha1(), NULL);
    EVP_EncodeBlock((unsigned char *)ret_accept, digest, 20);
}

static int refuse(struct http_response *response, int status, const char *detail)
{
    if (status == 426) {
        problem(response, 426, "upgrade-required", "%s", detail);
        http_header_set(response->arena, &response->headers, "Upgrade", "websocket");
        http_header_set(response->arena, &response->headers, "Sec-WebSocket-Version", "13");
    } else {
        problem(response, status, "malformed", "%s", detail);
    }
    return -EPROTO;
}

int websocket_check(struct http_request *request, struct http_response *response)
{
    struct text upgrade = http_header(&request->headers, "Upgrade"), part;
    bool websocket = false;
    while (text_split(&upgrade, ',', &part))
        websocket |= text_equal_nocase(text_trim(part), text_of("websocket"));
    if (!request->upgrade || request->method != HTTP_GET || !websocket)
        return refuse(response, 426, "This is for WebSockets.");
    if (!text_equal(http_header(&request->headers, "Sec-WebSocket-Version"), text_of("13")))
        return refuse(response, 426, "The version of the WebSocket protocol is 13.");
    if (!key_is_good(http_header(&request->headers, "Sec-WebSocket-Key")))
        return refuse(response, 400, "Sec-WebSocket-Key is malformed.");
    return 0;
}

/* ---- sub-protocols ---- */

struct offers {
    unsigned next_header;
    struct text rest;
};

/* One after the other, without those that carry a token. */
static bool next_offer(const struct http_request *request, struct offers *offers, struct text *ret_protocol)
{
    for (;;) {
        while (text_split(&offers->rest, ',', ret_protocol)) {
            *ret_protocol = text_trim(*ret_protocol);
            if (ret_protocol->size && !text_starts(*ret_protocol, text_of("bearer.")))
                return true;
        }
        if (offers->next_header == request->headers.count)
            return false;
        const struct http_header *header = &request->headers.list[offers->next_header++];
        if (text_equal_nocase(header->name, text_of("Sec-WebSocket-Protocol")))
            offers->rest = header->value;
    }
}

static bool is_offered(const struct http_request *request, const char *protocol)
{
    struct offers offers = {0};
    struct text offer;
    while (next_offer(request, &offers, &offer))
        if (text_equal(offer, text_of(protocol)))
            return true;
    return false;
}

const char *websocket_offered(const struct http_request *request)
{
    const char *all = NULL;
    struct offers offers = {0};
    struct text offer;
    while (next_offer(request, &offers, &offer))
        all = arena_printf(request->arena, "%s%s%.*s", all ? all : "", all ? ", " : "", (int)offer.size, offer.at);
    return all;
}

int websocket_choose(const struct http_request *request, const char *protocol, struct http_response *response)
{
    struct text any;
    if (!protocol || !next_offer(request, &(struct offers){0}, &any) || is_offered(request, protocol))
        return 0;
    problem(response, 400, "malformed", "The sub-protocol here is %s, which is not among those that were offered.", protocol);
    return -EPROTO;
}

/* ---- the answer ---- */

void websocket_switch(struct http_request *request, const char *protocol)
{
    char accept[32], head[512];
    if (protocol && !is_offered(request, protocol))
        protocol = NULL;
    accept_key(http_header(&request->headers, "Sec-WebSocket-Key"), accept);
    int size = snprintf(head, sizeof head,
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
                        "X-Request-Id: %s\r\n%s%.64s%s\r\n",
                        accept, request->trace ? request->trace->request_id : "", protocol ? "Sec-WebSocket-Protocol: " : "",
                        protocol ? protocol : "", protocol ? "\r\n" : "");
    tcp_write(request->upgrade->tcp, (struct text){head, (size_t)size}, (struct text){0});
}
