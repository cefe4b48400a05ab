/* Pairs of tokens, the cookie that may carry one of them, and the news of sessions that are over. */
#include "users/sessions.h"

#include "base/clock.h"
#include "base/settings.h"
#include "users/rules.h"

#include <inttypes.h>

#define COOKIE "__Secure-purser"
#define COOKIE_ATTRIBUTES "Path=/api/v1/auth; HttpOnly; Secure; SameSite=Strict"
#define USER_AGENT_MAX 256

bool session_mode(struct http_request *request, struct http_response *response, bool *ret_cookie)
{
    struct text origin = http_header(&request->headers, "Origin"), host = http_header(&request->headers, "Host");
    *ret_cookie = text_equal_nocase(http_header(&request->headers, "X-Session-Mode"), text_of("cookie"));
    if (!*ret_cookie || origin_is_trusted(origin, host, settings_text("cors_origins")))
        return true;
    problem_forbidden(response, "A page of this origin may not use cookies here.");
    return false;
}

struct text session_cookie(const struct http_request *request)
{
    return cookie_value(http_header(&request->headers, "Cookie"), COOKIE);
}

void session_forget_cookie(struct http_response *response)
{
    http_header_add(response->arena, &response->headers, "Set-Cookie", COOKIE "=; Max-Age=0; " COOKIE_ATTRIBUTES);
}

/* The field cut at a character's end, or NULL without one that can be kept. */
static const char *user_agent(const struct http_request *request)
{
    struct text value = http_header(&request->headers, "User-Agent");
    while (value.size > USER_AGENT_MAX || (value.size && value.size == USER_AGENT_MAX && ((unsigned char)value.at[value.size - 1] & 0x80)))
        value.size--;
    return value.size && text_is_utf8(value) ? arena_copy(request->arena, value.at, value.size) : NULL;
}

struct session_place session_place_of(const struct http_request *request)
{
    return (struct session_place){.user_agent = user_agent(request), .ip_address = request->client_address};
}

void session_prepare(struct http_request *request, struct session_start *ret_start)
{
    uuid_make(ret_start->id);
    ret_start->place = session_place_of(request);
    ret_start->life_ms = settings_duration_ms("session_ttl");
}

static char *access_token(struct users *users, struct arena *arena, const struct user *user, const char *session_id, int64_t life_ms)
{
    char id[UUID_SIZE];
    int64_t now = clock_wall_ms();
    uuid_make(id);
    struct token_claims claims = {
        .user_id = user->id,
        .session_id = session_id,
        .role = user->role,
        .token_id = id,
        .issued_wall_ms = now,
        .expires_wall_ms = now + life_ms,
    };
    return key_ring_sign(users->keys, arena, &claims);
}

/* A look at live sessions for those without this service's database; nothing depends on it. */
static FIBER_FN void mirror(struct users *users, struct arena *arena, const char *user_id, const char *session_id, int64_t life_ms)
{
    struct text value;
    value.at = json_print(arena, json_make(arena, "{s:s}", "user_id", user_id), &value.size);
    cache_set(users->cache, arena_printf(arena, "session:%s", session_id), value, life_ms);
}

FIBER_FN void session_answer(struct users *users, struct http_response *response, int status, const struct user *user, const char *session_id,
                             int64_t generation, bool cookie)
{
    struct arena *arena = response->arena;
    int64_t life_ms = settings_duration_ms("access_token_ttl"), session_ms = settings_duration_ms("session_ttl");
    const char *refresh_token = refresh_token_print(arena, users->secret, session_id, generation);
    json_t *body = json_make(arena, "{s:O, s:s, s:s, s:I, s:s*}", "user", user_json(arena, user), "access_token",
                             access_token(users, arena, user, session_id, life_ms), "token_type", "Bearer", "expires_in",
                             (json_int_t)(life_ms / 1000), "refresh_token", cookie ? NULL : refresh_token);
    mirror(users, arena, user->id, session_id, session_ms);
    respond_json(response, status, body);
    http_header_set(arena, &response->headers, "Cache-Control", "no-store");
    if (cookie)
        http_header_add(arena, &response->headers, "Set-Cookie",
                        arena_printf(arena, COOKIE "=%s; Max-Age=%" PRId64 "; " COOKIE_ATTRIBUTES, refresh_token, session_ms / 1000));
}

FIBER_FN void sessions_ended(struct users *users, const struct endings *endings)
{
    struct arena *arena = fiber_arena();
    for (unsigned i = 0; i < endings->count; i++) {
        struct text message;
        message.at = json_print(arena, session_ended_encode(arena, &endings->list[i]), &message.size);
        cache_publish(users->cache, CHANNEL_SESSIONS, message);
        cache_delete(users->cache, arena_printf(arena, "session:%s", endings->list[i].session_id));
    }
}
