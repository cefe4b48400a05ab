/*
 * The one path for every request that changes something under an Idempotency-Key: the key first, the effect, its answer beside it, one
 * commit. The effect may run more than once (a group that was rolled back), so each run starts from an empty answer; on PostgreSQL it also
 * runs for a key that was there, and is rolled back.
 */
#include "messaging/keyed.h"

#include "http/problem.h"
#include "messaging/idempotency.h"

#include <errno.h>

struct run {
    struct idempotency key;
    keyed_effect *effect;
    void *arg;
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

static int keyed_body(struct transaction *tx, void *arg)
{
    struct run *run = arg;
    run->answer = (struct http_response){.arena = transaction_arena(tx)};
    int code = idempotency_ask(tx, &run->key);
    if (code)
        return code < 0 ? code : 0;
    int effect = run->effect(tx, run->arg, &run->answer);
    /* What the effect of a repeat comes to means nothing. */
    code = idempotency_check(tx, &run->key);
    if (code < 0 || effect < 0)
        return code < 0 ? code : effect;
    if (!run->key.key || !is_stored(run->answer.status))
        return 0;
    return idempotency_finish(tx, &run->key, run->answer.status, run->answer.body, header_of(run, "Content-Type"),
                              header_of(run, "Location"));
}

static int look_for_key(struct transaction *tx, void *arg)
{
    struct run *run = arg;
    return idempotency_look(tx, &run->key);
}

/* A repeat is told by the key's row, which was there: its answer is read when what it did is rolled back. */
static FIBER_FN int transact(struct database *database, struct run *run)
{
    int code = database_transact(database, keyed_body, run);
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

bool keyed_transact(struct database *database, struct http_request *request, struct http_response *response, keyed_effect *effect,
                    void *arg, const char *doing)
{
    struct run run = {.effect = effect, .arg = arg};
    if (!idempotency_of(request, response, &run.key))
        return false;
    int code = transact(database, &run);
    if (code < 0) {
        problem_from_error(response, code, doing);
        return false;
    }
    bool repeated = idempotency_answer(&run.key, response);
    if (!repeated)
        hand_over(&run.answer, response);
    name_request(request, response);
    return !repeated && response->status < 400;
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
