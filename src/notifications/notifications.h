/* What users are told: the service as the process skeleton sees it. */
#ifndef PURSER_NOTIFICATIONS_NOTIFICATIONS_H
#define PURSER_NOTIFICATIONS_NOTIFICATIONS_H

#include "service/service.h"

extern const struct service notifications_service;

#endif
