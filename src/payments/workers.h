/* What the payment service is asked for by messages. */
#ifndef PURSER_PAYMENTS_WORKERS_H
#define PURSER_PAYMENTS_WORKERS_H

#include "messaging/consumer.h"
#include "payments/service.h"

/* Starts the consumer of payment.request. 0 or negative with one line. */
int payments_workers_begin(struct payments *payments, const struct service_engines *engines, struct err *err);

#endif
