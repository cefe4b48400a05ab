/* Signed headers between processes of one system. The signature covers who is said to ask and for what, so that a header alone is worth nothing. */
#include "service/internal.h"

#include "base/clock.h"
#include "base/settings.h"
#include "http/problem.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define SIGNATURE_LIFE_MS 60000

static const char *text_or_empty(const char *string)
{
    return string ? string : "";
}

/*
 * A keyed BLAKE2b (RFC 7693) over the lines of what is said and the body, as hex. The secret may be of any length; its own hash is the key. Of the
 * `headers` that travel beside, the idempotency key is covered, since without it a request that was seen could be done again as another.
 */
static char *signature_of(const struct http_request *request, const struct http_headers *headers, const char *secret, int64_t time_ms)
{
    struct arena *arena = request->arena;
    const struct http_identity *identity = &request->identity;
    struct text repeat = http_header(headers, "Idempotency-Key"), method = request->method_name, target = request->target;
    char *said = arena_printf(arena, "%" PRId64 "\n%.*s\n%.*s\n%s\n%s\n%s\n%" PRId64 "\n%s\n%.*s\n", time_ms, (int)method.size, method.at,
                              (int)target.size, target.at, text_or_empty(identity->user_id), text_or_empty(identity->role),
                              text_or_empty(identity->session_id), identity->expires_wall_ms, text_or_empty(request->client_address),
                              (int)repeat.size, text_or_empty(repeat.at));
    crypto_generichash_state state;
    unsigned char key[crypto_generichash_KEYBYTES], mac[crypto_generichash_BYTES];
    crypto_generichash(key, sizeof key, (const unsigned char *)secret, strlen(secret), NULL, 0);
    crypto_generichash_init(&state, key, sizeof key, sizeof mac);
    crypto_generichash_update(&state, (const unsigned char *)said, strlen(said));
    crypto_generichash_update(&state, (const unsigned char *)request->body.at, request->body.size);
    crypto_generichash_final(&state, mac, sizeof mac);
    char *hex = arena_alloc(arena, 2 * sizeof mac + 1);
    hex_encode(mac, sizeof mac, hex);
    return hex;
}

void internal_sign(const struct http_request *request, struct http_headers *headers)
{
    struct arena *arena = request->arena;
    const struct http_identity *identity = &request->identity;
    if (identity->user_id)
        http_header_set(arena, headers, "X-User-Id", identity->user_id);
    if (identity->role)
        http_header_set(arena, headers, "X-User-Role", identity->role);
    if (identity->session_id)
        http_header_set(arena, headers, "X-Session-Id", identity->session_id);
    http_header_set(arena, headers, "X-Purser-Expires", arena_printf(arena, "%" PRId64, identity->expires_wall_ms));
    if (request->client_address)
        http_header_set(arena, headers, "X-Purser-Client", request->client_address);
    struct text host = http_header(&request->headers, "Host");
    if (host.size)
        http_header_set(arena, headers, "X-Purser-Host", arena_copy(arena, host.at, host.size));
    if (fiber_deadline())
        http_header_set(arena, headers, "X-Purser-Timeout", arena_printf(arena, "%" PRId64, fiber_deadline() - clock_mono_ms()));
    if (request->trace) {
        http_header_set(arena, headers, "traceparent", request->trace->traceparent);
        http_header_set(arena, headers, "X-Request-Id", request->trace->request_id);
    }
    int64_t now = clock_wall_ms();
    char *mac = signature_of(request, headers, settings_text("internal_secret"), now);
    http_header_set(arena, headers, "X-Purser-Internal", arena_printf(arena, "%" PRId64 ":%s", now, mac));
}

static const char *taken(struct http_request *request, const char *name)
{
    struct text value = http_header(&request->headers, name);
    return value.at ? arena_copy(request->arena, value.at, value.size) : NULL;
}

static int64_t taken_number(struct http_request *request, const char *name)
{
    int64_t number = 0;
    struct text value = http_header(&request->headers, name);
    return value.at && text_to_int64(value, &number) == 0 ? number : 0;
}

static bool signature_holds(struct http_request *request)
{
    struct text header = http_header(&request->headers, "X-Purser-Internal"), time_text;
    int64_t time_ms;
    if (!header.at || !text_split(&header, ':', &time_text) || text_to_int64(time_text, &time_ms))
        return false;
    int64_t age = clock_wall_ms() - time_ms;
    if (age > SIGNATURE_LIFE_MS || age < -SIGNATURE_LIFE_MS)
        return false;
    char *mac = signature_of(request, &request->headers, settings_text("internal_secret"), time_ms);
    return header.size == strlen(mac) && sodium_memcmp(header.at, mac, header.size) == 0;
}

static bool is_loopback(const char *address)
{
    return address && (strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0);
}

bool internal_accept(struct http_request *request, struct http_response *response)
{
    request->identity = (struct http_identity){
        .user_id = taken(request, "X-User-Id"),
        .role = taken(request, "X-User-Role"),
        .session_id = taken(request, "X-Session-Id"),
        .expires_wall_ms = taken_number(request, "X-Purser-Expires"),
    };
    bool secret = settings_text("internal_secret")[0] != '\0';
    const char *caller = request->client_address;
    request->client_address = taken(request, "X-Purser-Client");
    bool believed = secret ? signature_holds(request) : is_loopback(caller);
    if (!believed || !request->client_address)
        request->client_address = caller;
    if (!believed) {
        request->identity = (struct http_identity){0};
        problem_forbidden(response, "Only other parts of this system may call here.");
        return false;
    }
    const char *host = taken(request, "X-Purser-Host");
    if (host) /* what the client asked, not what the caller reached us by: pages are judged by it */
        http_header_set(request->arena, &request->headers, "Host", host);
    int64_t timeout_ms = taken_number(request, "X-Purser-Timeout");
    if (timeout_ms > 0)
        fiber_narrow_deadline(timeout_ms);
    internal_strip(&request->headers);
    return true;
}

void internal_strip(struct http_headers *headers)
{
    static const char *const names[] = {"X-User-Id", "X-User-Role", "X-Session-Id", "X-Purser-Internal",
                                        "X-Purser-Client", "X-Purser-Expires", "X-Purser-Timeout", "X-Purser-Host"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        http_header_remove(headers, names[i]);
}
