/* Events that a provider calls back with: stored once by its id of them, and taken as a reason to ask it. */
#ifndef PURSER_PAYMENTS_CALLBACKS_H
#define PURSER_PAYMENTS_CALLBACKS_H

#include "engines/database.h"
#include "http/message.h"

/* POST /payments/callbacks/{provider}; context: struct payments. */
FIBER_FN void callbacks_receive(void *context, struct http_request *request, struct http_response *response);

/* What came, whose texts are those of a body that was signed. */
struct callback_event {
    const char *provider, *id, *type;
    struct text body;
    const json_t *data;
    bool is_news; /* after it: it came for the first time, and our side has no end yet for what it tells */
};
/* Stores some (struct callback_event *), in two waits whatever their number. */
int callbacks_store(struct transaction *tx, void *const *events, unsigned count);

#endif
