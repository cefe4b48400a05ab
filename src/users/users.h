/* Accounts, sessions and keys: the service as the process skeleton sees it. */
#ifndef PURSER_USERS_USERS_H
#define PURSER_USERS_USERS_H

#include "service/service.h"

extern const struct service users_service;

#endif
