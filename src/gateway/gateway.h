/* The front door as the process skeleton sees it. */
#ifndef PURSER_GATEWAY_GATEWAY_H
#define PURSER_GATEWAY_GATEWAY_H

#include "service/process.h"

extern const struct process_front gateway_front;

/* What the gateway answers itself or puts together from several services (health, operations, reference); ends with a pattern of
 * NULL. Everything else is a service's. For `purser help routes`. */
extern const struct route gateway_routes[];

#endif
