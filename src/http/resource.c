/* Rights, ids and pages of resources (see the header). */
#include "http/resource.h"

#include "base/uuid.h"

#include <string.h>

/* ---- one resource ---- */

bool request_is_admin(const struct http_request *request)
{
    return request->identity.role && strcmp(request->identity.role, "admin") == 0;
}

bool request_may_see(const struct http_request *request, const char *user_id)
{
    return request_is_admin(request) || strcmp(user_id, request->identity.user_id) == 0;
}

const char *request_whose(const struct http_request *request)
{
    return request_is_admin(request) ? NULL : request->identity.user_id;
}

const char *request_id(const struct http_request *request, struct http_response *response)
{
    const char *id = request->parameters[0].at;
    if (uuid_is_valid(id))
        return id;
    problem_not_found(response);
    return NULL;
}

/* ---- pages ---- */

/* Cursors are ids, or lists of them: what could end a request's target in a call to another service is none. */
static bool is_cursor(const char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++)
        if (text[i] <= ' ' || text[i] >= '\x7f' || strchr("&#%?", text[i]))
            return false;
    return size <= 200;
}

static void read_page(struct http_request *request, struct problem_errors *errors, bool (*is_valid)(const char *cursor), struct page *ret_page)
{
    const char *limit = http_query(request, "limit"), *cursor = http_query(request, "cursor");
    int64_t number = 20;
    if (limit && (text_to_int64(text_of(limit), &number) || number < 1 || number > 100))
        problem_errors_add(errors, "/limit", "This has to be a whole number from 1 to 100.");
    if (cursor && *cursor && !is_valid(cursor))
        problem_errors_add(errors, "/cursor", "This is no cursor of this list.");
    *ret_page = (struct page){(int)number, cursor ? cursor : ""};
}

void request_page_errors(struct http_request *request, struct problem_errors *errors, struct page *ret_page)
{
    read_page(request, errors, is_cursor, ret_page);
}

void request_id_page_errors(struct http_request *request, struct problem_errors *errors, struct page *ret_page)
{
    read_page(request, errors, uuid_is_valid, ret_page);
    if (!*ret_page->cursor)
        ret_page->cursor = UUID_LAST;
}

bool request_page(struct http_request *request, struct http_response *response, struct page *ret_page)
{
    struct problem_errors errors = {.arena = request->arena};
    request_page_errors(request, &errors, ret_page);
    return !problem_errors_answer(&errors, response);
}

bool request_id_page(struct http_request *request, struct http_response *response, struct page *ret_page)
{
    struct problem_errors errors = {.arena = request->arena};
    request_id_page_errors(request, &errors, ret_page);
    return !problem_errors_answer(&errors, response);
}

void respond_page(struct http_response *response, json_t *list, int limit)
{
    const char *next = NULL;
    if (json_array_size(list) > (size_t)limit) {
        json_array_remove(list, (size_t)limit);
        next = json_get_string(json_array_get(list, (size_t)limit - 1), "id");
    }
    respond_json(response, 200, json_make(response->arena, "{s:O, s:s?}", "data", list, "next_cursor", next));
}
