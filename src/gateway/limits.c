/* The limits: by address, by user, for sign-ins by address and by address and email, and for what payment providers send by address. */
#include "gateway/limits.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "base/settings.h"
#include "http/problem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct rate by_address, by_user, by_login, by_callback;
static struct counter *refused;

static struct rate read_rate(const char *name)
{
    struct settings_rate set;
    return settings_rate(name, &set) ? (struct rate){set.count, set.period_ms} : (struct rate){0};
}

void limits_load(void)
{
    by_address = read_rate("rate_limit_ip");
    by_user = read_rate("rate_limit_user");
    by_login = read_rate("rate_limit_login");
    by_callback = read_rate("rate_limit_callback");
    refused = counter_get("purser_rate_limited_total", NULL, "Requests refused by a rate limit");
}

static struct rate_answer of_address(const char *address)
{
    char key[64];
    rate_limit_address_key(address, key);
    return rate_limit("ip", key, by_address, clock_mono_ms(), false);
}

bool limits_address_has_room(const char *address)
{
    return of_address(address).allowed;
}

void limits_peek(const char *address, struct limits_verdict *ret_verdict)
{
    *ret_verdict = (struct limits_verdict){0};
    if (by_address.count)
        *ret_verdict = (struct limits_verdict){"ip", by_address, of_address(address)};
}

bool limits_is_login(const struct http_request *request)
{
    return request->method == HTTP_POST && text_equal(request->path, text_of("/api/v1/auth/login"));
}

/* A provider speaks for all of its buyers from one address. */
static bool is_callback(const struct http_request *request)
{
    return request->method == HTTP_POST && text_starts(request->path, text_of("/api/v1/payments/callbacks/"));
}

/* The email that a sign-in names, in lower case; "" if the body is none. The service says what is wrong with it. */
static const char *email_of(struct http_request *request)
{
    json_t *body;
    if (request->body.size > 4096 || json_parse(request->arena, request->body, &body, NULL))
        return "";
    const char *said = json_get_string(body, "email");
    if (!said || strlen(said) > 254)
        return "";
    char *email = arena_strdup(request->arena, said);
    for (char *at = email; *at; at++)
        if (*at >= 'A' && *at <= 'Z')
            *at = (char)(*at + 32);
    return email;
}

/* Keeps the limit that has least left: that is what the client has to know. */
static bool count(const char *policy, const char *key, struct rate rate, struct limits_verdict *verdict)
{
    if (!rate.count)
        return true;
    struct rate_answer answer = rate_limit(policy, key, rate, clock_mono_ms(), true);
    if (!verdict->policy || !answer.allowed || answer.remaining < verdict->answer.remaining)
        *verdict = (struct limits_verdict){policy, rate, answer};
    return answer.allowed;
}

bool limits_take(struct http_request *request, struct limits_verdict *ret_verdict)
{
    char address[64];
    *ret_verdict = (struct limits_verdict){0};
    bool allowed;
    rate_limit_address_key(request->client_address, address);
    if (is_callback(request))
        allowed = count("callback", address, by_callback, ret_verdict);
    else if (request->identity.user_id)
        allowed = count("user", request->identity.user_id, by_user, ret_verdict);
    else
        allowed = count("ip", address, by_address, ret_verdict);
    if (allowed && limits_is_login(request)) {
        const char *both = arena_printf(request->arena, "%s %s", address, email_of(request));
        allowed = count("login", address, by_login, ret_verdict) && count("login", both, by_login, ret_verdict);
    }
    if (!allowed)
        counter_add(refused, 1);
    return allowed;
}

void limits_decorate(const struct limits_verdict *verdict, struct http_response *response)
{
    struct arena *arena = response->arena;
    if (!verdict->policy)
        return;
    http_header_set(arena, &response->headers, "RateLimit",
                    arena_printf(arena, "\"%s\";r=%" PRId64 ";t=%" PRId64, verdict->policy, verdict->answer.remaining,
                                 (verdict->answer.reset_ms + 999) / 1000));
    http_header_set(arena, &response->headers, "RateLimit-Policy",
                    arena_printf(arena, "\"%s\";q=%" PRId64 ";w=%" PRId64, verdict->policy, verdict->rate.count,
                                 (verdict->rate.period_ms + 999) / 1000));
}

void limits_refuse(const struct limits_verdict *verdict, struct http_response *response)
{
    problem(response, 429, "too-many-requests", "There were too many requests; try again later.");
    http_header_set(response->arena, &response->headers, "Retry-After",
                    arena_printf(response->arena, "%" PRId64, (verdict->answer.retry_after_ms + 999) / 1000));
}
