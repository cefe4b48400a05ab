/* Users' functions: the service as the process skeleton sees it. */
#ifndef PURSER_FUNCTIONS_FUNCTIONS_H
#define PURSER_FUNCTIONS_FUNCTIONS_H

#include "service/service.h"

extern const struct service functions_service;

#endif
