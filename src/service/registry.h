/* The services of this process, as the skeleton keeps them. Only src/service includes this. */
#ifndef PURSER_SERVICE_REGISTRY_H
#define PURSER_SERVICE_REGISTRY_H

#include "base/recent.h"
#include "http/server.h"
#include "messaging/consumer.h"
#include "messaging/outbox.h"
#include "service/service.h"

#define SERVICES_MAX 16

struct running_service {
    const struct service *service;
    struct service_engines engines;
    struct outbox_relay *relay;
    struct router *router;
    struct router *common; /* what the skeleton answers for it */
    struct recent *recent; /* its answers to the outside */
    int64_t started_mono_ms;
    struct http_server *server; /* NULL behind a front door in the same process */
    void *context;
    bool started; /* its start hook succeeded */
    bool open;    /* takes calls */
    unsigned calls; /* under way, of any worker */
};

/* At start, on worker 0. The entry lives for ever. */
struct running_service *registry_add(const struct service *service);
void registry_open(struct running_service *entry);
/* Takes no more calls, and waits for those under way: true if all had ended by then, so that what the service stands on may go. */
FIBER_FN bool registry_close(struct running_service *entry, int64_t until_mono_ms);
/* A request to this service; false, and no answer, if it is closed. */
FIBER_FN bool registry_call(struct running_service *entry, struct http_request *request, struct http_response *response);

/* Whoever holds the machine: the control socket and the command line. */
struct http_identity service_administrator(void);

/* A request made inside the process; strings are copied into the arena. */
void service_request_init(struct http_request *request, struct arena *arena, const char *method, const char *target, const json_t *body);

#endif
