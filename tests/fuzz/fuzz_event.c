/* Messages: an event that is accepted prints as an event that is accepted; the decoders of contracts take any data. */
#include "base/json.h"
#include "contracts/payments.h"
#include "contracts/sessions.h"
#include "messaging/event.h"

#include <stdlib.h>

static void decode_all(struct arena *arena, struct text data)
{
    json_t *tree;
    struct payment_request request;
    struct payment_processed processed;
    struct notification_request notification;
    struct session_ended ended;
    payment_request_decode(arena, data, &request);
    payment_processed_decode(arena, data, &processed);
    notification_request_decode(arena, data, &notification);
    if (json_parse(arena, data, &tree, NULL) == 0)
        session_ended_decode(tree, &ended);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct event event, again;
    struct err err;
    if (!arena)
        return 0;
    if (event_parse(arena, (struct text){(const char *)data, size}, &event, &err) == 0) {
        decode_all(arena, event.data);
        if (event_parse(arena, event_print(arena, &event), &again, &err))
            abort();
    }
    arena_free(arena);
    return 0;
}
