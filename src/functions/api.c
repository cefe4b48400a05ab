/*
 * The registry over HTTP. A source is tried in a process of its own before it is stored: what does not parse, or has no handler, is refused
 * with its line, and what was tried becomes the first warm process of the version.
 */
#include "functions/api.h"

#include "base/clock.h"
#include "base/uuid.h"
#include "functions/call.h"
#include "functions/hooks.h"
#include "functions/logs.h"
#include "functions/registry.h"
#include "functions/service_context.h"
#include "functions/store.h"
#include "messaging/idempotency.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct database *database_of(void *context)
{
    return ((struct functions_context *)context)->engines->database;
}

static bool is_admin(const struct http_request *request)
{
    return request->identity.role && !strcmp(request->identity.role, "admin");
}

const char *functions_api_name(struct http_request *request, struct http_response *response)
{
    const char *name = arena_copy(request->arena, request->parameters[0].at, request->parameters[0].size);
    if (function_rules_name_is_valid(name))
        return name;
    problem_not_found(response);
    return NULL;
}

static json_t *tree_of(struct arena *arena, const char *text)
{
    json_t *tree;
    return text && json_parse(arena, text_of(text), &tree, NULL) == 0 ? tree : json_null();
}

static json_t *time_of(struct arena *arena, int64_t wall_ms)
{
    char text[TIME_TEXT_SIZE];
    time_print(wall_ms, text);
    return json_keep(arena, json_string(text));
}

static json_t *show_function(struct arena *arena, const struct stored_version *version, bool admin)
{
    json_t *object = json_make(arena, "{s:s, s:I, s:I, s:I, s:I, s:O, s:s, s:b, s:b, s:O, s:O}", "name", version->name, "version",
                               (json_int_t)version->number, "timeout_ms", (json_int_t)version->timeout_ms, "memory_mb",
                               (json_int_t)version->memory_mb, "concurrency", (json_int_t)version->concurrency, "triggers",
                               tree_of(arena, version->triggers), "access", version->access, "reuse", version->reuse, "builtin",
                               version->builtin, "created_at", time_of(arena, version->function_created_ms), "updated_at",
                               time_of(arena, version->function_updated_ms));
    if (admin) {
        json_put(object, "settings", tree_of(arena, version->settings));
        if (version->source)
            json_put_new(object, "source", json_string(version->source));
    }
    return object;
}

static bool may_see(const struct http_request *request, const struct stored_version *version)
{
    return is_admin(request) || strcmp(version->access, "admin") != 0;
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
    int error = functions_store_list(database_of(context), page.cursor, page.limit + 1, &list);
    if (error) {
        problem_from_error(response, error, "list functions");
        return;
    }
    json_t *data = json_keep(request->arena, json_array());
    unsigned shown = list.count > (unsigned)page.limit ? (unsigned)page.limit : list.count;
    for (unsigned i = 0; i < shown; i++)
        if (may_see(request, &list.at[i]))
            json_add(data, show_function(request->arena, &list.at[i], is_admin(request)));
    const char *next = list.count > shown ? list.at[shown - 1].name : NULL;
    respond_json(response, 200, json_make(request->arena, "{s:O, s:s?}", "data", data, "next_cursor", next));
}

FIBER_FN void functions_api_get(void *context, struct http_request *request, struct http_response *response)
{
    struct stored_version version;
    const char *name = functions_api_name(request, response);
    if (!name)
        return;
    int error = functions_store_get(database_of(context), name, &version);
    if (error == -ENOENT || (!error && !may_see(request, &version)))
        problem_not_found(response);
    else if (error)
        problem_from_error(response, error, "read a function");
    else
        respond_json(response, 200, show_function(request->arena, &version, is_admin(request)));
}

/* A change on its way into the database. */
struct change {
    struct stored_version stored;
    struct idempotency key;
    bool creates, replay;
    int64_t rollback_to; /* 0: none */
    const char *name;
    struct text answer;
};

static int change_body(struct transaction *tx, void *arg)
{
    struct change *change = arg;
    int error = idempotency_begin(tx, &change->key);
    change->replay = error == 1;
    if (error)
        return error < 0 ? error : 0;
    error = change->creates       ? functions_store_create_tx(tx, &change->stored)
            : change->rollback_to ? functions_store_rollback_tx(tx, change->name, change->rollback_to, &change->stored)
                                  : functions_store_update_tx(tx, &change->stored);
    if (error)
        return error;
    struct arena *arena = transaction_arena(tx);
    size_t size;
    char *text = json_print(arena, show_function(arena, &change->stored, true), &size);
    change->answer = (struct text){text, size};
    const char *location = change->creates ? arena_printf(arena, "/api/v1/functions/%s", change->name) : NULL;
    return idempotency_finish(tx, &change->key, change->creates ? 201 : 200, change->answer, "application/json", location);
}

static void answer_change(struct change *change, struct http_request *request, struct http_response *response)
{
    if (change->creates)
        http_header_set(request->arena, &response->headers, "Location", arena_printf(request->arena, "/api/v1/functions/%s", change->name));
    respond_bytes(response, change->creates ? 201 : 200, "application/json", change->answer);
}

static void refuse_source(struct http_request *request, struct http_response *response, const struct call_outcome *outcome, unsigned line)
{
    if (outcome->kind == OUTCOME_UNAVAILABLE) {
        problem_unavailable(response, 5, outcome->message);
        return;
    }
    struct problem_errors errors = {.arena = request->arena};
    if (line)
        problem_errors_add(&errors, "/source", "line %u: %s", line, outcome->message);
    else
        problem_errors_add(&errors, "/source", "%s", outcome->message);
    problem_errors_answer(&errors, response);
    if (line)
        problem_member(response, "line", json_integer(line));
}

static void fini_link(void *arg)
{
    struct link **link = arg;
    link_free(*link);
    *link = NULL;
}

static void unref_version(void *version)
{
    version_unref(version);
}

/* Takes over: the version that was tried is the one that is stored, and so is its process. */
static void take_over(struct database *database, struct change *change, struct version *version, struct link **link)
{
    memcpy(version->id, change->stored.id, strnlen(change->stored.id, sizeof(version->id) - 1));
    version->number = change->stored.number;
    registry_note(change->name, version_ref(version), change->stored.revision);
    struct pool_entry *entry = pool_entry_find(change->name);
    if (entry) {
        pool_add(entry, *link, version);
        *link = NULL;
    }
    hooks_reload(database);
}

/* The change that a definition asks for: tries the source, stores it, puts it in place. */
static FIBER_FN void deploy(struct database *database, struct change *change, struct http_request *request, struct http_response *response)
{
    struct version *version = registry_version_of(&change->stored);
    struct link **link = arena_alloc(request->arena, sizeof(*link));
    struct call_outcome outcome;
    unsigned line;
    if (!version)
        memory_short();
    fiber_defer(unref_version, version);
    fiber_defer(fini_link, link);
    if (call_try_source(change->name, change->stored.source, version, link, &outcome, &line)) {
        refuse_source(request, response, &outcome, line);
        return;
    }
    int error = database_transact(database, change_body, change);
    if (!error && idempotency_answer(&change->key, response))
        return;
    if (error == -EEXIST) {
        problem(response, 409, "conflict", "There is a function named %s already; PUT makes a new version of it.", change->name);
    } else if (error == -ENOENT) {
        problem_not_found(response);
    } else if (error) {
        problem_from_error(response, error, "store a function");
    } else {
        take_over(database, change, version, link);
        answer_change(change, request, response);
    }
}

/* Reads the body over the defaults; false after an answer. */
static bool read_change(struct http_request *request, struct http_response *response, const char *path_name, struct definition *definition,
                        struct change *change)
{
    json_t *object;
    struct problem_errors errors = {.arena = request->arena};
    if (!request_json(request, response, false, &object))
        return false;
    function_rules_read_definition(object, path_name, &errors, definition);
    if (problem_errors_answer(&errors, response))
        return false;
    change->name = definition->name;
    change->stored = (struct stored_version){
        .name = definition->name,
        .id = "",
        .source = definition->source,
        .access = definition->access,
        .timeout_ms = definition->timeout_ms,
        .memory_mb = definition->memory_mb,
        .concurrency = definition->concurrency,
        .reuse = definition->reuse,
        .triggers = json_print(request->arena, definition->triggers, NULL),
        .settings = json_print(request->arena, definition->settings, NULL),
        .created_by = request->identity.user_id,
    };
    return true;
}

static FIBER_FN void create(void *context, const char *path_name, struct http_request *request, struct http_response *response)
{
    struct change *change = arena_alloc(request->arena, sizeof(*change));
    struct definition definition = {
        .access = "user",
        .timeout_ms = 1000,
        .memory_mb = 64,
        .concurrency = 4,
        .triggers = json_keep(request->arena, json_array()),
        .settings = json_keep(request->arena, json_object()),
    };
    change->creates = true;
    if (!idempotency_of(request, response, &change->key) || !read_change(request, response, path_name, &definition, change))
        return;
    deploy(database_of(context), change, request, response);
}

FIBER_FN void functions_api_create(void *context, struct http_request *request, struct http_response *response)
{
    create(context, NULL, request, response);
}

FIBER_FN void functions_api_update(void *context, struct http_request *request, struct http_response *response)
{
    struct change *change = arena_alloc(request->arena, sizeof(*change));
    struct stored_version current;
    const char *name = functions_api_name(request, response);
    if (!name)
        return;
    int error = functions_store_get(database_of(context), name, &current);
    if (error == -ENOENT) {
        problem_not_found(response);
        return;
    }
    if (error) {
        problem_from_error(response, error, "read a function");
        return;
    }
    struct definition definition = {
        .access = current.access,
        .timeout_ms = current.timeout_ms,
        .memory_mb = current.memory_mb,
        .concurrency = current.concurrency,
        .reuse = current.reuse,
        .triggers = tree_of(request->arena, current.triggers),
        .settings = tree_of(request->arena, current.settings),
    };
    if (read_change(request, response, name, &definition, change))
        deploy(database_of(context), change, request, response);
}

FIBER_FN void functions_api_deploy_internal(void *context, struct http_request *request, struct http_response *response)
{
    struct stored_version current;
    const char *name = functions_api_name(request, response);
    if (!name)
        return;
    if (functions_store_get(database_of(context), name, &current) == -ENOENT)
        create(context, name, request, response);
    else
        functions_api_update(context, request, response);
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
    int error = database_transact(database_of(context), delete_body, removal);
    if (error == -ENOENT) {
        problem_not_found(response);
    } else if (error == -EPERM) {
        problem(response, 409, "conflict", "%s is built in: it can be overridden, but not deleted.", removal->name);
    } else if (error) {
        problem_from_error(response, error, "delete a function");
    } else {
        registry_note_row(removal->name, &removal->left);
        hooks_reload(database_of(context));
        respond_empty(response, 204);
    }
}

/* `before_current`: a version that is not named is the one before the current. */
static FIBER_FN void roll_back(void *context, bool before_current, struct http_request *request, struct http_response *response)
{
    struct stored_version current = {0};
    bool named = false;
    struct change *change = arena_alloc(request->arena, sizeof(*change));
    struct problem_errors errors = {.arena = request->arena};
    json_t *object;
    change->name = functions_api_name(request, response);
    if (!change->name || !idempotency_of(request, response, &change->key) || !request_json(request, response, false, &object))
        return;
    struct fields fields = fields_of(object, "", &errors);
    change->rollback_to = field_integer(&fields, "version", !before_current, 1, INT32_MAX, &named);
    fields_done(&fields);
    if (problem_errors_answer(&errors, response))
        return;
    int error = named ? 0 : functions_store_get(database_of(context), change->name, &current);
    if (!named)
        change->rollback_to = current.number > 1 ? current.number - 1 : INT32_MAX;
    if (!error)
        error = database_transact(database_of(context), change_body, change);
    if (!error && idempotency_answer(&change->key, response))
        return;
    if (error == -ENOENT) {
        problem_not_found(response);
    } else if (error == -ESRCH) {
        problem_errors_add(&errors, "/version", "There is no such version.");
        problem_errors_answer(&errors, response);
    } else if (error) {
        problem_from_error(response, error, "roll a function back");
    } else {
        registry_note_row(change->name, &change->stored);
        hooks_reload(database_of(context));
        answer_change(change, request, response);
    }
}

FIBER_FN void functions_api_rollback(void *context, struct http_request *request, struct http_response *response)
{
    roll_back(context, false, request, response);
}

FIBER_FN void functions_api_rollback_internal(void *context, struct http_request *request, struct http_response *response)
{
    roll_back(context, true, request, response);
}

static json_t *show_version(struct arena *arena, const struct stored_version *version)
{
    return json_make(arena, "{s:I, s:s, s:b, s:s, s:I, s:I, s:O, s:O}", "version", (json_int_t)version->number, "source", version->source,
                     "current", version->is_current, "access", version->access, "timeout_ms", (json_int_t)version->timeout_ms, "memory_mb",
                     (json_int_t)version->memory_mb, "triggers", tree_of(arena, version->triggers), "created_at",
                     time_of(arena, version->created_ms));
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
    int error = functions_store_versions(database_of(context), name, before, page.limit + 1, &list);
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
    return json_make(arena, "{s:s, s:O, s:I, s:s, s:s, s:f, s:O, s:O}", "id", log->id, "at", time_of(arena, log->created_ms), "version",
                     (json_int_t)log->version, "trigger", log->cause, "status", log->status, "duration_ms",
                     (double)log->duration_us / 1000, "logs", tree_of(arena, log->logs), "error", tree_of(arena, log->error));
}

FIBER_FN void functions_api_logs(void *context, struct http_request *request, struct http_response *response)
{
    struct page page;
    struct stored_log *list;
    struct stored_version version;
    unsigned count;
    const char *name = functions_api_name(request, response);
    if (!name || !request_page(request, response, &page))
        return;
    if (*page.cursor && !uuid_is_valid(page.cursor)) {
        struct problem_errors errors = {.arena = request->arena};
        problem_errors_add(&errors, "/cursor", "It is none of ours.");
        problem_errors_answer(&errors, response);
        return;
    }
    logs_flush(database_of(context));
    int error = functions_store_get(database_of(context), name, &version);
    if (!error)
        error = functions_store_logs(database_of(context), name, page.cursor, page.limit + 1, &list, &count);
    if (error == -ENOENT) {
        problem_not_found(response);
        return;
    }
    if (error) {
        problem_from_error(response, error, "list logs");
        return;
    }
    json_t *data = json_keep(request->arena, json_array());
    unsigned shown = count > (unsigned)page.limit ? (unsigned)page.limit : count;
    for (unsigned i = 0; i < shown; i++)
        json_add(data, show_log(request->arena, &list[i]));
    respond_json(response, 200,
                 json_make(request->arena, "{s:O, s:s?}", "data", data, "next_cursor", count > shown ? list[shown - 1].id : NULL));
}
