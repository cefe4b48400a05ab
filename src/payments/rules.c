/* What may be refunded, what a payment is called then, and how long to leave a provider alone that could not be reached. */
#include "payments/rules.h"

#include <errno.h>
#include <string.h>

#define PAUSE_FIRST_MS 250
#define PAUSE_MAX_MS 5000

bool payment_is_captured(const char *status)
{
    return strcmp(status, "succeeded") == 0 || strcmp(status, "partially_refunded") == 0 || strcmp(status, "refunded") == 0;
}

int refund_amount(const char *status, int64_t amount_minor, int64_t refunded_minor, int64_t wanted_minor, int64_t *ret_minor)
{
    int64_t left = amount_minor - refunded_minor;
    if (!payment_is_captured(status))
        return -EPERM;
    if (wanted_minor < 0 || wanted_minor > left)
        return -EDOM;
    *ret_minor = wanted_minor ? wanted_minor : left;
    return 0;
}

const char *payment_status_after(int64_t amount_minor, int64_t refunded_minor)
{
    return refunded_minor == 0 ? "succeeded" : refunded_minor < amount_minor ? "partially_refunded" : "refunded";
}

int64_t retry_pause_ms(int64_t attempts)
{
    int64_t pause = PAUSE_FIRST_MS;
    while (attempts-- > 0 && pause < PAUSE_MAX_MS)
        pause *= 2;
    return pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS;
}
