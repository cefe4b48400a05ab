/*
 * Operators' pages: the ledger and the dead letters of all services. Each service is asked in turn with a short deadline: one that is away
 * leaves a gap, never an error. The status is in operations_status.c.
 */
#include "gateway/operations.h"

#include "base/settings.h"
#include "http/problem.h"
#include "service/service.h"

#include <string.h>

#define LETTERS_PREFIX "/api/v1/operations/dead-letters"

const char *const operations_services[OPERATIONS_SERVICES] = {"users", "orders", "payments", "notifications", "functions"};

bool operations_has(const char *service)
{
    return strcmp(service, "functions") != 0 || settings_flag("functions");
}

FIBER_FN json_t *operations_ask(const char *service, const char *target)
{
    int status = 0;
    json_t *answer = NULL;
    int64_t before = fiber_narrow_deadline(OPERATIONS_ASK_MS);
    int error = service_ask(service, "GET", target, NULL, &status, &answer);
    fiber_set_deadline(before);
    return !error && status == 200 ? answer : NULL;
}

FIBER_FN void operations_ledger(void *context, struct http_request *request, struct http_response *response)
{
    (void)context;
    struct http_request inner = *request;
    inner.target = inner.path = text_of("/internal/ledger");
    inner.query = (struct text){"", 0};
    service_call("payments", &inner, response);
}

/* ---- dead letters ---- */

static int newest_first(const void *a, const void *b)
{
    const char *first = json_get_string(*(json_t *const *)a, "created_at"), *second = json_get_string(*(json_t *const *)b, "created_at");
    return strcmp(second ? second : "", first ? first : "");
}

/* The cursor holds each service's own, joined: "users=…,orders=…"; a service without one is done. */
static const char *cursor_of(struct arena *arena, const char *joined, const char *service, bool *ret_done)
{
    struct text rest = text_of(joined), part, name;
    *ret_done = *joined != '\0';
    while (text_split(&rest, ',', &part)) {
        text_split(&part, '=', &name);
        if (!text_equal(name, text_of(service)))
            continue;
        *ret_done = false;
        return arena_copy(arena, part.at ? part.at : "", part.at ? part.size : 0);
    }
    return "";
}

struct letter_page {
    json_t *items[OPERATIONS_SERVICES]; /* each service's page */
    unsigned taken[OPERATIONS_SERVICES];
    const char *before[OPERATIONS_SERVICES];
    bool more[OPERATIONS_SERVICES];
};

/* Where each service goes on: after the last of its letters that was shown. */
static const char *next_cursor(struct arena *arena, const struct letter_page *page)
{
    struct buffer out = {0};
    for (unsigned i = 0; i < OPERATIONS_SERVICES; i++) {
        size_t size = json_array_size(page->items[i]);
        if (!page->more[i] && page->taken[i] == size)
            continue;
        const char *last = page->before[i];
        if (page->taken[i])
            last = json_get_string(json_array_get(page->items[i], page->taken[i] - 1), "id") + strlen(operations_services[i]) + 1;
        buffer_printf(&out, "%s%s=%s", out.size ? "," : "", operations_services[i], last);
    }
    char *joined = out.size ? arena_copy(arena, out.at, out.size) : NULL;
    buffer_fini(&out);
    return joined;
}

static FIBER_FN void read_letters(struct arena *arena, const struct page *asked, struct letter_page *page)
{
    for (unsigned i = 0; i < OPERATIONS_SERVICES; i++) {
        bool done;
        page->before[i] = cursor_of(arena, asked->cursor, operations_services[i], &done);
        if (done || !operations_has(operations_services[i]))
            continue;
        json_t *answer = operations_ask(operations_services[i], arena_printf(arena, "/internal/dead-letters?limit=%d%s%s", asked->limit,
                                                       *page->before[i] ? "&cursor=" : "", page->before[i]));
        page->items[i] = json_object_get(answer, "data");
        page->more[i] = json_is_string(json_object_get(answer, "next_cursor"));
    }
}

FIBER_FN void operations_dead_letters(void *context, struct http_request *request, struct http_response *response)
{
    (void)context;
    struct arena *arena = request->arena;
    struct page asked;
    struct letter_page page = {0};
    if (!request_page(request, response, &asked))
        return;
    read_letters(arena, &asked, &page);
    json_t *data = json_make(arena, "[]");
    for (int n = 0; n < asked.limit; n++) {
        int best = -1;
        json_t *newest = NULL;
        for (unsigned i = 0; i < OPERATIONS_SERVICES; i++) {
            json_t *item = json_array_get(page.items[i], page.taken[i]);
            if (item && (!newest || newest_first(&item, &newest) < 0)) {
                newest = item;
                best = (int)i;
            }
        }
        if (best < 0)
            break;
        json_add(data, newest);
        page.taken[best]++;
    }
    respond_json(response, 200, json_make(arena, "{s:O, s:s?}", "data", data, "next_cursor", next_cursor(arena, &page)));
}

/* To the service that the id begins with. */
static FIBER_FN void to_owner(struct http_request *request, struct http_response *response)
{
    struct text id = request->parameters[0];
    for (unsigned i = 0; i < OPERATIONS_SERVICES; i++) {
        struct text name = text_of(operations_services[i]);
        if (!text_starts(id, name) || id.size <= name.size || (id.at[name.size] != '.' && id.at[name.size] != '-'))
            continue;
        struct text tail = {request->path.at + strlen(LETTERS_PREFIX), request->path.size - strlen(LETTERS_PREFIX)};
        struct http_request inner = *request;
        inner.path = text_of(arena_printf(request->arena, "/internal/dead-letters%.*s", (int)tail.size, tail.at));
        inner.target = inner.path;
        inner.query = (struct text){"", 0};
        service_call(operations_services[i], &inner, response);
        return;
    }
    problem_not_found(response);
}

FIBER_FN void operations_dead_letter_retry(void *context, struct http_request *request, struct http_response *response)
{
    (void)context;
    to_owner(request, response);
}

FIBER_FN void operations_dead_letter_drop(void *context, struct http_request *request, struct http_response *response)
{
    (void)context;
    to_owner(request, response);
}
