/*
 * The one path for every request that changes something under an Idempotency-Key: the key first, the effect, its answer beside it, one
 * commit. The effect may run more than once (a group that was rolled back), so each run starts from an empty answer; on PostgreSQL it also
 * runs for a key that was there, and is rolled back.
 *
 * In a group, keys and then whatever the effects lock are taken in one order by all processes. A repeat fails those of its commit, so that they
 * are done again without it.
 */
#include "messaging/keyed.h"

#include "http/problem.h"
#include "messaging/commit_group.h"
#include "messaging/idempotency.h"

#include <errno.h>
#include <stdlib.h>

struct keyed_group {
    struct database *database;
    struct commit_group *commits;
    keyed_prepare *prepare;
    keyed_effect *effect;
};

struct run {
    struct idempotency key;
    keyed_effect *effect;
    void *arg;
    struct keyed_group *group; /* or NULL */
    struct arena *arena;       /* of the answer */
    struct http_response answer;
};

/* A problem is stored without the id of its request, since a repeat of the answer is of another one. */
static void name_request(const struct http_request *request, struct http_response *response)
{
    if (response->status >= 400 && request->trace)
        problem_member(response, "request_id", json_string(request->trace->request_id));
}

static const char *header_of(struct run *run, const char *name)
{
    struct text value = http_header(&run->answer.headers, name);
    return value.at ? arena_copy(run->answer.arena, value.at, value.size) : NULL;
}

static bool is_stored(int status)
{
    return status < 500 && status != 401 && status != 429;
}

static void begin(struct run *run)
{
    run->answer = (struct http_response){.arena = run->arena};
}

static int finish(struct transaction *tx, struct run *run)
{
    if (!run->key.key || !is_stored(run->answer.status))
        return 0;
    return idempotency_finish(tx, &run->key, run->answer.status, run->answer.body, header_of(run, "Content-Type"),
                              header_of(run, "Location"));
}

static int keyed_body(struct transaction *tx, void *arg)
{
    struct run *run = arg;
    struct idempotency *key = &run->key;
    begin(run);
    int code = idempotency_ask(tx, &key, 1);
    if (code)
        return code < 0 ? code : 0;
    int effect = run->effect(tx, run->arg, &run->answer);
    /* What the effect of a repeat comes to means nothing. */
    code = idempotency_check(tx, &key, 1);
    if (code < 0 || effect < 0)
        return code < 0 ? code : effect;
    return finish(tx, run);
}

static int look_for_key(struct transaction *tx, void *arg)
{
    struct run *run = arg;
    return idempotency_look(tx, &run->key);
}

/* A repeat is told by the key's row, which was there: its answer is read when what it did is rolled back. */
static FIBER_FN int transact(struct database *database, struct run *run)
{
    int code = run->group ? commit_group_run(run->group->commits, run) : database_transact(database, keyed_body, run);
    return code == -EALREADY ? database_read_one(database, look_for_key, run) : code;
}

static void hand_over(const struct http_response *answer, struct http_response *response)
{
    response->status = answer->status;
    response->body = answer->body;
    for (unsigned i = 0; i < answer->headers.count; i++) {
        const struct http_header *header = &answer->headers.list[i];
        http_header_set(response->arena, &response->headers, arena_copy(response->arena, header->name.at, header->name.size),
                        arena_copy(response->arena, header->value.at, header->value.size));
    }
}

static FIBER_FN bool answer(struct database *database, struct run *run, struct http_request *request, struct http_response *response,
                            const char *doing)
{
    run->arena = request->arena;
    if (!idempotency_of(request, response, &run->key))
        return false;
    int code = transact(database, run);
    if (code < 0) {
        problem_from_error(response, code, doing);
        return false;
    }
    bool repeated = idempotency_answer(&run->key, response);
    if (!repeated)
        hand_over(&run->answer, response);
    name_request(request, response);
    return !repeated && response->status < 400;
}

bool keyed_transact(struct database *database, struct http_request *request, struct http_response *response, keyed_effect *effect,
                    void *arg, const char *doing)
{
    struct run run = {.effect = effect, .arg = arg};
    return answer(database, &run, request, response, doing);
}

/* ---- groups ---- */

static int compare_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) : (a != NULL) - (b != NULL);
}

static int compare_keys(const void *a, const void *b)
{
    const struct run *x = *(struct run *const *)a, *y = *(struct run *const *)b;
    int order = compare_text(x->key.scope, y->key.scope);
    return order ? order : compare_text(x->key.key, y->key.key);
}

/* A repeat's answer is read by its own fiber, since what is read here goes with the commit. */
static int group_body(struct transaction *tx, void *const *items, unsigned count)
{
    struct arena *arena = transaction_arena(tx);
    struct run **list = arena_alloc(arena, sizeof *list * count);
    struct idempotency **keys = arena_alloc(arena, sizeof *keys * count);
    void **args = arena_alloc(arena, sizeof *args * count);
    memcpy(list, items, sizeof *list * count);
    qsort(list, count, sizeof *list, compare_keys);
    for (unsigned i = 0; i < count; i++) {
        begin(list[i]);
        keys[i] = &list[i]->key;
        args[i] = list[i]->arg;
    }
    const struct keyed_group *group = list[0]->group;
    int code = idempotency_ask(tx, keys, count);
    if (code)
        return code > 0 ? -EALREADY : code;
    group->prepare(tx, args, count);
    code = idempotency_check(tx, keys, count);
    for (unsigned i = 0; i < count && code == 0; i++) {
        code = group->effect(tx, list[i]->arg, &list[i]->answer);
        if (code == 0)
            code = finish(tx, list[i]);
    }
    return code;
}

struct keyed_group *keyed_group_new(struct database *database, keyed_prepare *prepare, keyed_effect *effect)
{
    struct keyed_group *group = calloc(1, sizeof *group);
    if (!group)
        return NULL;
    *group = (struct keyed_group){database, commit_group_new(database, group_body), prepare, effect};
    if (group->commits)
        return group;
    free(group);
    return NULL;
}

void keyed_group_free(struct keyed_group *group)
{
    if (group)
        commit_group_free(group->commits);
    free(group);
}

bool keyed_group_transact(struct keyed_group *group, struct http_request *request, struct http_response *response, void *arg,
                          const char *doing)
{
    struct run run = {.group = group, .arg = arg};
    return answer(group->database, &run, request, response, doing);
}

struct look {
    struct idempotency key;
    bool is_answered;
};

static int look_for_answer(struct transaction *tx, void *arg)
{
    struct look *look = arg;
    int code = idempotency_is_answered(tx, &look->key);
    look->is_answered = code == 1;
    return code < 0 ? code : 0;
}

bool keyed_is_answered(struct database *database, struct http_request *request)
{
    struct look look = {0};
    struct http_response unused = {.arena = request->arena};
    return idempotency_of(request, &unused, &look.key) && database_read_one(database, look_for_answer, &look) == 0 && look.is_answered;
}
