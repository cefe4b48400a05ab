/* Problem answers. Members are put together as text at once; problem_member adds to what is there. */
#include "http/problem.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

/* "payment-in-progress" is titled "Payment in progress". */
static char *title_of(struct arena *arena, const char *name)
{
    char *title = arena_strdup(arena, name);
    for (char *at = title; *at; at++)
        if (*at == '-')
            *at = ' ';
    if (*title >= 'a' && *title <= 'z')
        *title = (char)(*title - 32);
    return title;
}

static void answer(struct http_response *response, int status, const json_t *body)
{
    response->status = status;
    response->body.at = json_print(response->arena, body, &response->body.size);
    http_header_set(response->arena, &response->headers, "Content-Type", "application/problem+json");
    http_header_set(response->arena, &response->headers, "Cache-Control", "no-store");
}

static json_t *make(struct http_response *response, int status, const char *name, const char *detail)
{
    struct arena *arena = response->arena;
    json_t *body = json_make(arena, "{s:s, s:s, s:i, s:s}", "type", arena_printf(arena, "/problems/%s", name), "title",
                             title_of(arena, name), "status", status, "detail", detail);
    if (fiber_self() && fiber_trace())
        json_put_new(body, "request_id", json_string(fiber_trace()->request_id));
    return body;
}

void problem(struct http_response *response, int status, const char *name, const char *detail, ...)
{
    va_list arguments;
    va_start(arguments, detail);
    char *words = arena_vprintf(response->arena, detail, arguments);
    va_end(arguments);
    answer(response, status, make(response, status, name, words));
}

void problem_member(struct http_response *response, const char *key, json_t *value)
{
    json_t *body;
    int error = json_parse(response->arena, response->body, &body, NULL);
    assert(!error);
    (void)error;
    json_put_new(body, key, value);
    answer(response, response->status, body);
}

void problem_errors_add(struct problem_errors *errors, const char *pointer, const char *detail, ...)
{
    va_list arguments;
    if (!errors->list)
        errors->list = json_make(errors->arena, "[]");
    va_start(arguments, detail);
    char *words = arena_vprintf(errors->arena, detail, arguments);
    va_end(arguments);
    json_t *item = json_make(errors->arena, "{s:s, s:s}", "pointer", pointer, "detail", words);
    json_add(errors->list, item);
}

bool problem_errors_answer(struct problem_errors *errors, struct http_response *response)
{
    if (!errors->list)
        return false;
    json_t *body = make(response, 422, "invalid", "Some fields are not valid.");
    json_put(body, "errors", errors->list);
    answer(response, 422, body);
    return true;
}

void problem_not_found(struct http_response *response)
{
    problem(response, 404, "not-found", "There is nothing here.");
}

void problem_unauthorized(struct http_response *response, const char *error, const char *detail)
{
    problem(response, 401, "unauthorized", "%s", detail);
    http_header_set(response->arena, &response->headers, "WWW-Authenticate",
                    error ? arena_printf(response->arena, "Bearer realm=\"purser\", error=\"%s\"", error) : "Bearer realm=\"purser\"");
}

void problem_forbidden(struct http_response *response, const char *detail)
{
    problem(response, 403, "forbidden", "%s", detail);
}

void problem_unavailable(struct http_response *response, int retry_after_s, const char *detail)
{
    problem(response, 503, "unavailable", "%s", detail);
    http_header_set(response->arena, &response->headers, "Retry-After", arena_printf(response->arena, "%d", retry_after_s));
}

void problem_from_error(struct http_response *response, int code, const char *doing)
{
    switch (code) {
    case -ETIMEDOUT:
        problem(response, 504, "gateway-timeout", "It took too long.");
        return;
    case -EAGAIN: case -EBUSY: case -ENOTCONN: case -ECANCELED: case -ESHUTDOWN: case -ECONNREFUSED: case -ESTALE:
        problem_unavailable(response, 1, "A part of the system that this needs is away for the moment.");
        return;
    case -ENOSPC:
        problem_unavailable(response, 10, "There is no room left to keep it.");
        break;
    default:
        problem(response, 500, "internal-error", "Something went wrong on our side.");
        break;
    }
    log_error("request failed", "{s:s, s:i, s:s}", "doing", doing, "code", code, "why", strerror(-code));
}
