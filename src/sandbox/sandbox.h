/* A payment provider for trying things out: the service as the process skeleton sees it. */
#ifndef PURSER_SANDBOX_SANDBOX_H
#define PURSER_SANDBOX_SANDBOX_H

#include "service/service.h"

extern const struct service sandbox_service;

#endif
