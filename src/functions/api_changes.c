/*
 * Changes of functions over HTTP: a new one, a new version, going back to an old one. A source is tried in a process of its own before it is
 * stored: what does not parse, or has no handler, is refused with its line, and what was tried becomes the first warm process of the version.
 */
#include "functions/api_parts.h"

#include "functions/call.h"
#include "functions/hooks.h"
#include "functions/registry.h"
#include "messaging/idempotency.h"

#include <errno.h>
#include <string.h>

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
    char *text = json_print(arena, functions_show(arena, &change->stored, true), &size);
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
    deploy(functions_database(context), change, request, response);
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
    int error = functions_store_get(functions_database(context), name, &current);
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
        .triggers = functions_tree(request->arena, current.triggers),
        .settings = functions_tree(request->arena, current.settings),
    };
    if (read_change(request, response, name, &definition, change))
        deploy(functions_database(context), change, request, response);
}

FIBER_FN void functions_api_deploy_internal(void *context, struct http_request *request, struct http_response *response)
{
    struct stored_version current;
    const char *name = functions_api_name(request, response);
    if (!name)
        return;
    if (functions_store_get(functions_database(context), name, &current) == -ENOENT)
        create(context, name, request, response);
    else
        functions_api_update(context, request, response);
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
    int error = named ? 0 : functions_store_get(functions_database(context), change->name, &current);
    if (!named)
        change->rollback_to = current.number > 1 ? current.number - 1 : INT32_MAX;
    if (!error)
        error = database_transact(functions_database(context), change_body, change);
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
        hooks_reload(functions_database(context));
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
