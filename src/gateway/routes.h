/* Which service a path belongs to. */
#ifndef PURSER_GATEWAY_ROUTES_H
#define PURSER_GATEWAY_ROUTES_H

#include "base/text.h"

/* The service's name, or NULL. */
const char *routes_service_of(struct text path);

#endif
