/* Messages: an event that is accepted prints as an event that is accepted; the decoders of contracts take any data. */
#include "contracts/payments.h"
#include "contracts/sessions.h"
#include "messaging/event.h"

#include <stdlib.h>

static void decode_all(const json_t *data)
{
    struct payment_request request;
    struct payment_processed processed;
    struct notification_request notification;
    struct session_ended ended;
    payment_request_decode(data, &request);
    payment_processed_decode(data, &processed);
    notification_request_decode(data, &notification);
    session_ended_decode(data, &ended);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct event event, again;
    struct err err;
    if (!arena)
        return 0;
    if (event_parse(arena, (struct text){(const char *)data, size}, &event, &err) == 0) {
        decode_all(event.data);
        if (event_parse(arena, event_print(arena, &event), &again, &err))
            abort();
    }
    arena_free(arena);
    return 0;
}
