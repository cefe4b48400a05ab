/* What the sandbox's handlers are given. */
#ifndef PURSER_SANDBOX_SERVICE_H
#define PURSER_SANDBOX_SERVICE_H

#include "sandbox/sender.h"
#include "service/service.h"

struct sandbox {
    struct database *database;
    struct sender *sender;
};

extern const struct route sandbox_routes[];

#endif
