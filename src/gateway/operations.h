/* What operators see, put together from all services: status, dead letters, the ledger. Handlers of the gateway's own routes. */
#ifndef PURSER_GATEWAY_OPERATIONS_H
#define PURSER_GATEWAY_OPERATIONS_H

#include "http/router.h"

FIBER_FN void operations_status(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void operations_ledger(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void operations_dead_letters(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void operations_dead_letter_retry(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void operations_dead_letter_drop(void *context, struct http_request *request, struct http_response *response);

/* ---- what its parts share ---- */

#define OPERATIONS_SERVICES 5
#define OPERATIONS_ASK_MS 1500
extern const char *const operations_services[OPERATIONS_SERVICES];
/* Whether that service belongs to this system: functions may be off. */
bool operations_has(const char *service);
/* What a service (any instance of it) answers to GET with 200, or NULL. */
FIBER_FN json_t *operations_ask(const char *service, const char *target);

/* The gateway tells of itself: requests at work and open sockets. */
struct operations_own {
    unsigned in_flight, websockets;
    const char *address;
};
void operations_set_source(struct operations_own (*source)(void));

#endif
