/*
 * Calling. A process that is new is loaded first: its source comes from the database, so that idle functions cost no memory. A process that was
 * killed by somebody else, or went with its host, is replaced and the call made again, once: functions have no effects but their
 * result, so a call may be repeated.
 */
#include "functions/call.h"

#include "base/clock.h"
#include "base/json_members.h"
#include "base/json_text.h"
#include "functions/logs.h"
#include "functions/store.h"
#include "functions/telemetry.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define RESULT_BYTES_MAX (1024u * 1024)
#define LOG_BYTES_MAX (64u * 1024)
#define LOGS_A_TURN 64
#define LOAD_EXTRA_MS 1000
/* How long beyond the deadline the host's word is taken for a kill; then the host itself is. */
#define HOST_GRACE_MS 3000
#define HOST_WAIT_MS 10000
#define ATTEMPTS 5
/* Before a further attempt, doubling: a host that was killed takes a moment to be missed. */
#define ATTEMPT_PAUSE_MS 10

const char *call_kind_name(enum outcome_kind kind)
{
    static const char *const names[] = {"succeeded", "failed", "timeout", "memory", "output", "busy", "gone", "unavailable"};
    return names[kind];
}

json_t *call_error(struct arena *arena, const struct call_outcome *outcome)
{
    if (outcome->kind == OUTCOME_SUCCEEDED)
        return json_keep(arena, json_null());
    return json_make(arena, "{s:s, s:s?}", "message", outcome->message ? outcome->message : "it failed", "stack", outcome->stack);
}

static int fail(struct call_outcome *outcome, enum outcome_kind kind, const char *message)
{
    outcome->kind = kind;
    outcome->message = message;
    outcome->stack = NULL;
    return -EIO;
}

static void add_log(struct call_outcome *outcome, const struct link_message *message)
{
    json_t *line = json_stringn(message->fields[1].at, message->fields[1].size);
    if (line)
        json_add_new(outcome->logs, line);
}

/* What the function said of its failure. */
static int read_failure(const struct link_message *message, struct call_outcome *outcome, unsigned *ret_line)
{
    struct function_failure failure;
    if (message->count != 4 || message->fields[0].size != sizeof(failure))
        return fail(outcome, OUTCOME_FAILED, "its process spoke nonsense");
    memcpy(&failure, message->fields[0].at, sizeof(failure));
    *ret_line = failure.line;
    outcome->duration_us = (int64_t)(failure.run_ns / 1000);
    outcome->kind = failure.kind == FUNCTION_FAILURE_OUTPUT  ? OUTCOME_OUTPUT
                    : failure.kind == FUNCTION_FAILURE_MEMORY ? OUTCOME_MEMORY
                                                              : OUTCOME_FAILED;
    const char *name = message->fields[1].at, *text = message->fields[2].at;
    bool bare = !*name || !strcmp(name, "Error");
    outcome->message = bare ? text : arena_printf(fiber_arena(), "%s: %s", name, text);
    outcome->stack = message->fields[3].size ? message->fields[3].at : NULL;
    return -EIO;
}

/* The result must be JSON that others can read, whatever the process says. */
static int read_result(const struct link_message *message, struct call_outcome *outcome)
{
    struct function_timing timing;
    if (message->count != 2 || message->fields[0].size != sizeof(timing))
        return fail(outcome, OUTCOME_FAILED, "its process spoke nonsense");
    memcpy(&timing, message->fields[0].at, sizeof(timing));
    outcome->duration_us = (int64_t)(timing.run_ns / 1000);
    outcome->result = message->fields[1];
    if (outcome->result.size > RESULT_BYTES_MAX)
        return fail(outcome, OUTCOME_OUTPUT, "the result is larger than the function may answer");
    struct err err;
    if (json_check(fiber_arena(), outcome->result, &err))
        return fail(outcome, OUTCOME_FAILED, arena_printf(fiber_arena(), "the result is not JSON as others read it: %s", err.message));
    outcome->kind = OUTCOME_SUCCEEDED;
    return 0;
}

/* The process is gone: why? -EAGAIN: not by its own doing, so the call may be made again. */
static int read_exit(struct link *link, int64_t elapsed_ms, int64_t timeout_ms, struct call_outcome *outcome)
{
    uint32_t detail;
    struct arena *arena = fiber_arena();
    outcome->duration_us = elapsed_ms * 1000;
    switch (host_exit(link_process(link), &detail)) {
    case FUNCTION_EXIT_TIMEOUT:
        if (elapsed_ms < timeout_ms / 2) /* the watch saw the deadline of the call before */
            return -EAGAIN;
        return fail(outcome, OUTCOME_TIMEOUT, arena_printf(arena, "It did not end within %lld ms.", (long long)timeout_ms));
    case FUNCTION_EXIT_CPU:
        return fail(outcome, OUTCOME_TIMEOUT, arena_printf(arena, "It used more than %lld ms of processor time.", (long long)timeout_ms));
    case FUNCTION_EXIT_MEMORY:
        return fail(outcome, OUTCOME_MEMORY, "It took more memory than it may.");
    case FUNCTION_EXIT_FORBIDDEN:
        return fail(outcome, OUTCOME_FAILED, "its process made a forbidden system call and was killed");
    case FUNCTION_EXIT_CRASHED:
        if (detail == SIGKILL)
            return -EAGAIN;
        return fail(outcome, OUTCOME_FAILED, "it crashed the JavaScript engine");
    case FUNCTION_EXIT_QUIT:
    case FUNCTION_EXIT_NO_SPAWN:
    case FUNCTION_EXIT_NONE:
        return -EAGAIN;
    }
    return -EAGAIN;
}

/* Waits for the answer to what was sent. 0 after RESULT or LOADED, -EIO after a failure, -EAGAIN if it may be tried again, with the process gone
 * in the last two cases where *ret_alive is false. */
static FIBER_FN int await(struct link *link, int64_t begun_mono_ms, int64_t timeout_ms, struct call_outcome *outcome, bool *ret_alive,
                          unsigned *ret_line)
{
    int64_t until = begun_mono_ms + timeout_ms + HOST_GRACE_MS;
    for (;;) {
        struct link_message message;
        int error = link_receive(link, fiber_arena(), until, &message);
        if (error == -EPIPE)
            return read_exit(link, clock_mono_ms() - begun_mono_ms, timeout_ms, outcome);
        if (error == -ETIMEDOUT)
            host_restart();
        if (error)
            return fail(outcome, OUTCOME_FAILED, "its process did not answer");
        if (message.type == FUNCTION_PACKET_LOG && message.count == 2) {
            add_log(outcome, &message);
            if (json_array_size(outcome->logs) % LOGS_A_TURN == 0)
                (void)fiber_yield(); /* there may be thousands, and others on this thread */
            continue;
        }
        *ret_alive = !host_is_demoted(link_process(link));
        if (message.type == FUNCTION_PACKET_FAILED)
            return read_failure(&message, outcome, ret_line);
        if (message.type == FUNCTION_PACKET_RESULT)
            return read_result(&message, outcome);
        return message.type == FUNCTION_PACKET_LOADED ? 0 : fail(outcome, OUTCOME_FAILED, "its process spoke nonsense");
    }
}

/* Sends a message under a deadline and waits for what comes of it. */
static FIBER_FN int exchange(struct link *link, enum function_packet_type type, const struct text *fields, unsigned count,
                             int64_t timeout_ms, struct call_outcome *outcome, bool *ret_alive, unsigned *ret_line)
{
    int64_t begun = clock_mono_ms();
    *ret_alive = false;
    host_call_begin(link_process(link), timeout_ms);
    int error = link_send(link, type, fields, count, begun + timeout_ms + HOST_GRACE_MS);
    /* What it has to say, or how it ended, is there to be read even if it took nothing in. */
    (void)error;
    error = await(link, begun, timeout_ms, outcome, ret_alive, ret_line);
    host_call_end(link_process(link));
    return error;
}

/* No more than is left of the caller's time. */
static int64_t within_deadline(int64_t timeout_ms)
{
    int64_t until = fiber_deadline(), left = until ? until - clock_mono_ms() : timeout_ms;
    return left >= timeout_ms ? timeout_ms : left > 1 ? left : 1;
}

static FIBER_FN int load(struct link *link, const char *name, const char *source, const struct version *version,
                         struct call_outcome *outcome, bool *ret_alive, unsigned *ret_line)
{
    struct function_load head = {
        .flags = version->reuse ? FUNCTION_LOAD_REUSE : 0,
        .result_bytes_max = RESULT_BYTES_MAX,
        .log_bytes_max = LOG_BYTES_MAX,
        .version = (uint32_t)version->number,
    };
    struct text fields[] = {
        {(const char *)&head, sizeof(head)},
        text_of(name),
        text_of(source),
        text_of(version->settings),
    };
    return exchange(link, FUNCTION_PACKET_LOAD, fields, 4, within_deadline(version->timeout_ms + LOAD_EXTRA_MS), outcome, ret_alive,
                    ret_line);
}

static struct text print_context(const char *name, const struct version *version, const struct call_request *request)
{
    return json_text(fiber_arena(), "siissj", "function", name, "version", version->number, "timeout_ms", version->timeout_ms, "trigger",
                     request->cause, "request_id", request->request_id ? request->request_id : "", "event", &request->message);
}

/* On a process that is checked out: loads it if it is new, calls it. */
static FIBER_FN int run(struct database *database, struct pooled *process, const struct call_request *request,
                        struct call_outcome *outcome, bool *ret_alive)
{
    const struct version *version = process->version;
    const char *name = pool_name(process->entry);
    unsigned line;
    outcome->version = version->number;
    if (process->cold) {
        const char *source;
        *ret_alive = false;
        int error = functions_store_source(database, version->id, &source);
        if (error)
            return fail(outcome, error == -ENOENT ? OUTCOME_GONE : OUTCOME_UNAVAILABLE, "its source cannot be read at the moment");
        error = load(process->link, name, source, version, outcome, ret_alive, &line);
        if (error)
            return error;
        process->cold = false;
        telemetry_cold_start(process->entry);
    }
    struct text fields[] = {request->event, print_context(name, version, request)};
    int error = exchange(process->link, FUNCTION_PACKET_CALL, fields, 2, within_deadline(version->timeout_ms), outcome, ret_alive, &line);
    if (*ret_alive || error == -EIO)
        pool_note_run(process->entry, outcome->duration_us);
    return error;
}

/* Gives a process back even if the fiber is abandoned for want of memory. */
struct loan {
    struct pooled *process;
    bool alive;
};

static void end_loan(void *arg)
{
    struct loan *loan = arg;
    if (loan->process)
        pool_give(loan->process, loan->alive);
    loan->process = NULL;
}

static int take_failed(int error, struct call_outcome *outcome)
{
    if (error == -EBUSY)
        return fail(outcome, OUTCOME_BUSY, "Too many calls of this function wait already.");
    if (error == -ENOENT)
        return fail(outcome, OUTCOME_GONE, "There is no such function.");
    return fail(outcome, OUTCOME_UNAVAILABLE, "Functions cannot run at the moment.");
}

static FIBER_FN int attempt(struct database *database, struct pool_entry *entry, const struct call_request *request,
                            struct call_outcome *outcome)
{
    struct loan *loan = arena_alloc(fiber_arena(), sizeof(*loan));
    fiber_defer(end_loan, loan);
    int64_t begun_us = clock_mono_us();
    int error = pool_take(entry, &loan->process, &outcome->retry_after_s);
    if (error == -ENOTCONN && host_wait(HOST_WAIT_MS) == 0)
        error = pool_take(entry, &loan->process, &outcome->retry_after_s);
    if (error)
        return take_failed(error, outcome);
    telemetry_queued(entry, clock_mono_us() - begun_us);
    error = run(database, loan->process, request, outcome, &loan->alive);
    telemetry_memory(entry, host_resident_kb(link_process(loan->process->link)));
    end_loan(loan);
    return error;
}

FIBER_FN void call_function(struct database *database, struct pool_entry *entry, const struct call_request *request,
                            struct call_outcome *ret_outcome)
{
    *ret_outcome = (struct call_outcome){.logs = json_keep(fiber_arena(), json_array())};
    int error = -EAGAIN;
    for (unsigned i = 0; i < ATTEMPTS && error == -EAGAIN; i++) {
        json_array_clear(ret_outcome->logs);
        if (i) {
            fiber_sleep(ATTEMPT_PAUSE_MS << i);
            pool_discard_dead(entry);
        }
        error = attempt(database, entry, request, ret_outcome);
    }
    if (error == -EAGAIN)
        fail(ret_outcome, OUTCOME_UNAVAILABLE, "Its process was lost again and again.");
    telemetry_called(entry, ret_outcome->kind, ret_outcome->duration_us);
    if (ret_outcome->kind != OUTCOME_BUSY && ret_outcome->kind != OUTCOME_GONE && ret_outcome->kind != OUTCOME_UNAVAILABLE)
        logs_note(pool_name(entry), request->cause, ret_outcome);
}

FIBER_FN int call_try_source(const char *name, const char *source, const struct version *version, struct link **ret_link,
                             struct call_outcome *ret_outcome, unsigned *ret_line)
{
    *ret_outcome = (struct call_outcome){.logs = json_keep(fiber_arena(), json_array())};
    *ret_line = 0;
    int error = -EAGAIN;
    for (unsigned i = 0; i < ATTEMPTS && error == -EAGAIN; i++) {
        struct host_process process;
        bool alive = false;
        error = host_wait(HOST_WAIT_MS);
        if (!error)
            error = host_fork(name, version_memory_kb(version), &process);
        if (error)
            break;
        struct link *link = link_new(process);
        if (!link)
            break;
        error = load(link, name, source, version, ret_outcome, &alive, ret_line);
        if (error)
            link_free(link);
        else
            *ret_link = link;
    }
    if (error && error != -EIO)
        fail(ret_outcome, OUTCOME_UNAVAILABLE, "Functions cannot run at the moment.");
    return error ? -EIO : 0;
}
