/* A worker: one function, loaded once, called again and again. It answers each LOAD with LOADED or FAILED and each CALL
 * with RESULT or FAILED, after the LOG lines of that call. Whatever it is sent that it does not understand ends it. */
#include "function_host/worker.h"
#include "function_host/call.h"
#include "function_host/natives.h"
#include "function_host/wire.h"

#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static int socket_to_service;
static size_t log_bytes_left;
static size_t log_bytes_max;
static bool keeps_context; /* from one call to the next */

static struct wire_field text_field(const char *text)
{
    return (struct wire_field){ .data = text, .length = text ? strlen(text) : 0 };
}

static void send_or_exit(enum function_packet_type type, const struct wire_field *fields, size_t count)
{
    if (wire_send(socket_to_service, type, fields, count))
        _exit(0);
}

static void send_log(const char *level, const char *text, size_t length)
{
    static const char cut[] = "(more output was cut off)";
    if (!log_bytes_left)
        return;
    size_t cost = length + 16; /* empty lines are not free */
    if (cost > log_bytes_left) {
        log_bytes_left = 0;
        level = "warn";
        text = cut;
        length = sizeof(cut) - 1;
    } else {
        log_bytes_left -= cost;
    }
    struct wire_field fields[] = { text_field(level), { .data = text, .length = length } };
    send_or_exit(FUNCTION_PACKET_LOG, fields, 2);
}

static void send_outcome(struct call_outcome *outcome)
{
    if (outcome->result) {
        struct function_timing timing = { .run_ns = outcome->failure.run_ns };
        struct wire_field fields[] = {
            { .data = &timing, .length = sizeof(timing) },
            { .data = outcome->result, .length = outcome->result_length },
        };
        send_or_exit(FUNCTION_PACKET_RESULT, fields, 2);
    } else if (outcome->failure.kind) {
        struct wire_field fields[] = {
            { .data = &outcome->failure, .length = sizeof(outcome->failure) },
            text_field(outcome->name),
            text_field(outcome->message),
            text_field(outcome->stack),
        };
        send_or_exit(FUNCTION_PACKET_FAILED, fields, 4);
    } else {
        send_or_exit(FUNCTION_PACKET_LOADED, NULL, 0);
    }
    call_outcome_fini(outcome);
}

static void handle_load(const struct wire_message *message)
{
    struct function_load load;
    if (message->field_count != 4 || message->field[0].length != sizeof(load))
        _exit(0);
    memcpy(&load, message->field[0].data, sizeof(load));
    log_bytes_left = log_bytes_max = load.log_bytes_max;
    keeps_context = load.flags & FUNCTION_LOAD_REUSE;
    struct call_outcome outcome;
    call_load(&load, message->field[1].data, message->field[2].data, message->field[3].data, &outcome);
    send_outcome(&outcome);
    call_prepare();
}

static void handle_call(const struct wire_message *message)
{
    if (message->field_count != 2)
        _exit(0);
    log_bytes_left = log_bytes_max;
    struct call_outcome outcome;
    call_run(message->field[0].data, message->field[1].data, &outcome);
    send_outcome(&outcome);
    if (keeps_context)
        return;
    sched_yield(); /* to who waits for the answer */
    call_prepare();
}

void worker_main(int socket_fd)
{
    socket_to_service = socket_fd;
    natives_set_log(send_log);
    call_prepare();
    struct wire_message message;
    bool loaded = false;
    while (!wire_receive(socket_fd, &message)) {
        if (message.type == FUNCTION_PACKET_LOAD && !loaded) {
            handle_load(&message);
            loaded = true;
        } else if (message.type == FUNCTION_PACKET_CALL && loaded) {
            handle_call(&message);
        } else if (message.type == FUNCTION_PACKET_TRIM) {
            call_trim();
        } else {
            break;
        }
    }
    _exit(0);
}
