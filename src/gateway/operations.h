/* What operators see, put together from all services: status, dead letters, the ledger. Handlers of the gateway's own routes. */
#ifndef PURSER_GATEWAY_OPERATIONS_H
#define PURSER_GATEWAY_OPERATIONS_H

#include "http/router.h"

FIBER_FN void operations_status(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void operations_ledger(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void operations_dead_letters(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void operations_dead_letter_retry(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void operations_dead_letter_drop(void *context, struct http_request *request, struct http_response *response);

/* The gateway tells of itself: requests and failures so far, and open sockets. */
struct operations_own {
    uint64_t requests, failures;
    unsigned in_flight, websockets;
    const char *address;
};
void operations_set_source(struct operations_own (*source)(void));

/* A service has answered through this gateway; for its rates. Unknown names count nowhere. Any thread. */
void operations_note(const char *service, int status);

#endif
