/* Functions over HTTP: the list, one of them, deleting it. What the handlers in the files beside share is here too. */
#include "functions/api_parts.h"

#include "base/clock.h"
#include "functions/hooks.h"
#include "functions/registry.h"
#include "functions/service_context.h"

#include <errno.h>
#include <string.h>

/* The access of functions that nobody else sees. */
#define ADMINS_ONLY "admin"

struct database *functions_database(void *context)
{
    return ((struct functions_context *)context)->engines->database;
}

const char *functions_api_name(struct http_request *request, struct http_response *response)
{
    const char *name = arena_copy(request->arena, request->parameters[0].at, request->parameters[0].size);
    if (function_rules_name_is_valid(name))
        return name;
    problem_not_found(response);
    return NULL;
}

json_t *functions_tree(struct arena *arena, const char *text)
{
    json_t *tree;
    return text && json_parse(arena, text_of(text), &tree, NULL) == 0 ? tree : json_null();
}

json_t *functions_time(struct arena *arena, int64_t wall_ms)
{
    char text[TIME_TEXT_SIZE];
    time_print(wall_ms, text);
    return json_keep(arena, json_string(text));
}

json_t *functions_show(struct arena *arena, const struct stored_version *version, bool admin)
{
    json_t *object = json_make(arena, "{s:s, s:I, s:I, s:I, s:I, s:O, s:s, s:b, s:b, s:O, s:O}", "name", version->name, "version",
                               (json_int_t)version->number, "timeout_ms", (json_int_t)version->timeout_ms, "memory_mb",
                               (json_int_t)version->memory_mb, "concurrency", (json_int_t)version->concurrency, "triggers",
                               functions_tree(arena, version->triggers), "access", version->access, "reuse", version->reuse, "builtin",
                               version->builtin, "created_at", functions_time(arena, version->function_created_ms), "updated_at",
                               functions_time(arena, version->function_updated_ms));
    if (admin) {
        json_put(object, "settings", functions_tree(arena, version->settings));
        if (version->source)
            json_put_new(object, "source", json_string(version->source));
    }
    return object;
}

static bool may_see(const struct http_request *request, const struct stored_version *version)
{
    return request_is_admin(request) || strcmp(version->access, ADMINS_ONLY) != 0;
}

FIBER_FN void functions_api_list(void *context, struct http_request *request, struct http_response *response)
{
    struct page page;
    struct stored_list list;
    if (!request_page(request, response, &page))
        return;
    if (*page.cursor && !function_rules_name_is_valid(page.cursor)) {
        struct problem_errors errors = {.arena = request->arena};
        problem_errors_add(&errors, "/cursor", "It is none of ours.");
        problem_errors_answer(&errors, response);
        return;
    }
    /* Left out by the query: what nobody else may see is no page's cursor either. */
    bool admin = request_is_admin(request);
    int error = functions_store_list(functions_database(context), page.cursor, admin ? "" : ADMINS_ONLY, page.limit + 1, &list);
    if (error) {
        problem_from_error(response, error, "list functions");
        return;
    }
    json_t *data = json_keep(request->arena, json_array());
    unsigned shown = list.count > (unsigned)page.limit ? (unsigned)page.limit : list.count;
    for (unsigned i = 0; i < shown; i++)
        json_add(data, functions_show(request->arena, &list.at[i], admin));
    const char *next = list.count > shown ? list.at[shown - 1].name : NULL;
    respond_json(response, 200, json_make(request->arena, "{s:O, s:s?}", "data", data, "next_cursor", next));
}

FIBER_FN void functions_api_get(void *context, struct http_request *request, struct http_response *response)
{
    struct stored_version version;
    const char *name = functions_api_name(request, response);
    if (!name)
        return;
    int error = functions_store_get(functions_database(context), name, &version);
    if (error == -ENOENT || (!error && !may_see(request, &version)))
        problem_not_found(response);
    else if (error)
        problem_from_error(response, error, "read a function");
    else
        respond_json(response, 200, functions_show(request->arena, &version, request_is_admin(request)));
}

struct removal {
    const char *name;
    struct stored_version left;
};

static int delete_body(struct transaction *tx, void *arg)
{
    struct removal *removal = arg;
    return functions_store_delete_tx(tx, removal->name, &removal->left);
}

FIBER_FN void functions_api_delete(void *context, struct http_request *request, struct http_response *response)
{
    struct removal *removal = arena_alloc(request->arena, sizeof(*removal));
    removal->name = functions_api_name(request, response);
    if (!removal->name)
        return;
    int error = database_transact(functions_database(context), delete_body, removal);
    if (error == -ENOENT) {
        problem_not_found(response);
    } else if (error == -EPERM) {
        problem(response, 409, "conflict", "%s is built in: it can be overridden, but not deleted.", removal->name);
    } else if (error) {
        problem_from_error(response, error, "delete a function");
    } else {
        registry_note_row(removal->name, &removal->left);
        hooks_reload(functions_database(context));
        respond_empty(response, 204);
    }
}
