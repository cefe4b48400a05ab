/* What the rooms of this service share. */
#ifndef PURSER_FUNCTIONS_SERVICE_CONTEXT_H
#define PURSER_FUNCTIONS_SERVICE_CONTEXT_H

#include "runtime/worker.h"
#include "service/service.h"

#include <stdbool.h>

struct functions_context {
    struct service_engines *engines;
    bool stopping;
    struct timer clock; /* of worker 0 */
    bool beating;       /* a beat of it is at work */
};

#endif
