/* Which service and which group of routes a path belongs to. */
#ifndef PURSER_GATEWAY_ROUTES_H
#define PURSER_GATEWAY_ROUTES_H

#include "base/text.h"

/* The service's name, or NULL. */
const char *routes_service_of(struct text path);
/* The group that a path is counted in, by its first segment ("orders"), or NULL. */
const char *routes_group_of(struct text path);

#endif
