/* Events that a provider calls back with: stored once by its id of them, answered, then handled. */
#ifndef PURSER_PAYMENTS_CALLBACKS_H
#define PURSER_PAYMENTS_CALLBACKS_H

#include "http/message.h"
#include "engines/database.h"

/* POST /payments/callbacks/{provider}; context: struct payments. */
FIBER_FN void callbacks_receive(void *context, struct http_request *request, struct http_response *response);

/* Handles what is stored and not handled. On a fiber with an arena of its own. */
FIBER_FN void callbacks_handle(struct database *database);

/* The transaction that stores an event: texts of a body that was signed. */
struct callback_event {
    const char *provider, *id, *type;
    struct text body;
    const json_t *data;
    bool is_new, is_open; /* after it: first time; something is left to do */
};
int callback_store(struct transaction *tx, void *event);

#endif
