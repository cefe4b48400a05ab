/* The order service's decisions, as tables and small functions of their arguments. */
#include "orders/rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const status_names[] = {
    [ORDER_PENDING_PAYMENT] = "pending_payment",
    [ORDER_PAID] = "paid",
    [ORDER_PAYMENT_FAILED] = "payment_failed",
    [ORDER_CANCELLED] = "cancelled",
    [ORDER_SHIPPED] = "shipped",
    [ORDER_DELIVERED] = "delivered",
};
#define STATUS_COUNT (sizeof status_names / sizeof *status_names)

const char *order_status_name(enum order_status status)
{
    return status_names[status];
}

int order_status_parse(const char *name, enum order_status *ret_status)
{
    for (unsigned i = 0; i < STATUS_COUNT; i++)
        if (strcmp(status_names[i], name) == 0) {
            *ret_status = (enum order_status)i;
            return 0;
        }
    return -EINVAL;
}

#define TO(status) (1u << (status))

bool order_may_become(enum order_status from, enum order_status to)
{
    static const unsigned next[STATUS_COUNT] = {
        [ORDER_PENDING_PAYMENT] = TO(ORDER_PAID) | TO(ORDER_PAYMENT_FAILED) | TO(ORDER_CANCELLED),
        [ORDER_PAYMENT_FAILED] = TO(ORDER_PENDING_PAYMENT) | TO(ORDER_CANCELLED),
        [ORDER_PAID] = TO(ORDER_SHIPPED) | TO(ORDER_CANCELLED),
        [ORDER_SHIPPED] = TO(ORDER_DELIVERED),
    };
    return next[from] & TO(to);
}

static bool all_within(const char *text, size_t min, size_t max, const char *allowed)
{
    size_t size = strlen(text);
    return size >= min && size <= max && strspn(text, allowed) == size;
}

#define CAPITALS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

bool sku_is_valid(const char *sku)
{
    return all_within(sku, 1, 64, CAPITALS "abcdefghijklmnopqrstuvwxyz0123456789._-");
}

bool currency_is_valid(const char *currency)
{
    return all_within(currency, 3, 3, CAPITALS);
}

bool country_is_valid(const char *country)
{
    return all_within(country, 2, 2, CAPITALS);
}

static int by_sku(const void *a, const void *b)
{
    return strcmp((*(struct line *const *)a)->sku, (*(struct line *const *)b)->sku);
}

void lines_sort(struct line **lines, unsigned count)
{
    qsort(lines, count, sizeof *lines, by_sku);
}

int lines_total(const struct line *lines, unsigned count, int64_t *ret_total_minor)
{
    int64_t total = 0, line;
    for (unsigned i = 0; i < count; i++)
        if (__builtin_mul_overflow(lines[i].unit_price_minor, lines[i].quantity, &line) ||
            __builtin_add_overflow(total, line, &total) || total > MONEY_MAX)
            return -ERANGE;
    *ret_total_minor = total;
    return 0;
}

const struct line *lines_other_currency(const struct line *lines, unsigned count)
{
    for (unsigned i = 1; i < count; i++)
        if (strcmp(lines[i].currency, lines[0].currency) != 0)
            return &lines[i];
    return NULL;
}

enum charge_meaning charge_meaning(enum order_status status, bool is_latest, bool succeeded)
{
    if (is_latest && status == ORDER_PENDING_PAYMENT)
        return succeeded ? CHARGE_PAYS : CHARGE_FAILS;
    /* A payment that is not the latest was told to have failed, and one of a cancelled order is not wanted. */
    if (succeeded && (!is_latest || status == ORDER_CANCELLED || status == ORDER_PAYMENT_FAILED))
        return CHARGE_RETURNS;
    return CHARGE_SAYS_NOTHING;
}

static int rank(const char *payment_status)
{
    static const char *const forward[] = {"pending", "failed", "succeeded", "partially_refunded", "refunded"};
    for (int i = 0; i < (int)(sizeof forward / sizeof *forward); i++)
        if (strcmp(forward[i], payment_status) == 0)
            return i;
    return -1;
}

bool payment_status_follows(const char *now, const char *next)
{
    return rank(next) > rank(now);
}
