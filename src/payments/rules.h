/* The decisions of the payment service, without I/O. */
#ifndef PURSER_PAYMENTS_RULES_H
#define PURSER_PAYMENTS_RULES_H

#include <stdbool.h>
#include <stdint.h>

/* A payment that took money, whatever was given back since. */
bool payment_is_captured(const char *status);

/* How much a refund of `wanted_minor` (0: all that is left) gives back. 0 and the amount (which is 0 where nothing is left and nothing certain
 * was wanted); -EPERM when nothing was captured; -EDOM when it is more than is left. */
int refund_amount(const char *status, int64_t amount_minor, int64_t refunded_minor, int64_t wanted_minor, int64_t *ret_minor);

/* The status of a captured payment of which so much was given back. */
const char *payment_status_after(int64_t amount_minor, int64_t refunded_minor);

/* The pause before a call to the provider is made again after `attempts` of them. */
int64_t retry_pause_ms(int64_t attempts);

#endif
