/* Payments, refunds and the ledger: the service as the process skeleton sees it. */
#ifndef PURSER_PAYMENTS_PAYMENTS_H
#define PURSER_PAYMENTS_PAYMENTS_H

#include "service/service.h"

extern const struct service payments_service;

#endif
