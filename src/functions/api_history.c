/* What became of a function over HTTP: its versions, and the logs of its calls. */
#include "functions/api_parts.h"

#include "functions/logs.h"

#include <errno.h>

static json_t *show_version(struct arena *arena, const struct stored_version *version)
{
    return json_make(arena, "{s:I, s:s, s:b, s:s, s:I, s:I, s:O, s:O}", "version", (json_int_t)version->number, "source", version->source,
                     "current", version->is_current, "access", version->access, "timeout_ms", (json_int_t)version->timeout_ms, "memory_mb",
                     (json_int_t)version->memory_mb, "triggers", functions_tree(arena, version->triggers), "created_at",
                     functions_time(arena, version->created_ms));
}

/* A cursor that is a number; false after a 422. */
static bool number_cursor(const struct page *page, struct http_request *request, struct http_response *response, int64_t *ret_number)
{
    *ret_number = 0;
    if (!*page->cursor || text_to_int64(text_of(page->cursor), ret_number) == 0)
        return true;
    struct problem_errors errors = {.arena = request->arena};
    problem_errors_add(&errors, "/cursor", "It is none of ours.");
    problem_errors_answer(&errors, response);
    return false;
}

FIBER_FN void functions_api_versions(void *context, struct http_request *request, struct http_response *response)
{
    struct page page;
    struct stored_list list;
    int64_t before;
    const char *name = functions_api_name(request, response);
    if (!name || !request_page(request, response, &page) || !number_cursor(&page, request, response, &before))
        return;
    int error = functions_store_versions(functions_database(context), name, before, page.limit + 1, &list);
    if (error == -ENOENT) {
        problem_not_found(response);
        return;
    }
    if (error) {
        problem_from_error(response, error, "list versions");
        return;
    }
    json_t *data = json_keep(request->arena, json_array());
    unsigned shown = list.count > (unsigned)page.limit ? (unsigned)page.limit : list.count;
    for (unsigned i = 0; i < shown; i++)
        json_add(data, show_version(request->arena, &list.at[i]));
    const char *next =
        list.count > shown ? arena_printf(request->arena, "%lld", (long long)list.at[shown - 1].number) : NULL;
    respond_json(response, 200, json_make(request->arena, "{s:O, s:s?}", "data", data, "next_cursor", next));
}

static json_t *show_log(struct arena *arena, const struct stored_log *log)
{
    return json_make(arena, "{s:s, s:O, s:I, s:s, s:s, s:f, s:O, s:O}", "id", log->id, "at", functions_time(arena, log->created_ms), "version",
                     (json_int_t)log->version, "trigger", log->cause, "status", log->status, "duration_ms",
                     (double)log->duration_us / 1000, "logs", functions_tree(arena, log->logs), "error", functions_tree(arena, log->error));
}

FIBER_FN void functions_api_logs(void *context, struct http_request *request, struct http_response *response)
{
    struct page page;
    struct stored_log *list;
    struct stored_version version;
    unsigned count;
    const char *name = functions_api_name(request, response);
    if (!name || !request_id_page(request, response, &page))
        return;
    logs_flush(functions_database(context));
    int error = functions_store_get(functions_database(context), name, &version);
    if (!error)
        error = functions_store_logs(functions_database(context), name, page.cursor, page.limit + 1, &list, &count);
    if (error == -ENOENT) {
        problem_not_found(response);
        return;
    }
    if (error) {
        problem_from_error(response, error, "list logs");
        return;
    }
    json_t *data = json_keep(request->arena, json_array());
    for (unsigned i = 0; i < count; i++)
        json_add(data, show_log(request->arena, &list[i]));
    respond_page(response, data, page.limit);
}
