/* The decisions of the order service: what an order may become, what it costs, and what a payment's outcome means for it. No I/O. */
#ifndef PURSER_ORDERS_RULES_H
#define PURSER_ORDERS_RULES_H

#include <stdbool.h>
#include <stdint.h>

#define MONEY_MAX INT64_C(9007199254740991) /* 2^53 - 1: exact in every JSON reader */
#define QUANTITY_MAX 10000
#define STOCK_MAX 1000000000
#define LINES_MAX 100

enum order_status {
    ORDER_PENDING_PAYMENT,
    ORDER_PAID,
    ORDER_PAYMENT_FAILED,
    ORDER_CANCELLED,
    ORDER_SHIPPED,
    ORDER_DELIVERED,
};

const char *order_status_name(enum order_status status);
/* 0 or -EINVAL. */
int order_status_parse(const char *name, enum order_status *ret_status);
bool order_may_become(enum order_status from, enum order_status to);

/* 1 to 64 of A-Z a-z 0-9 . _ - */
bool sku_is_valid(const char *sku);
/* Three capital letters. */
bool currency_is_valid(const char *currency);
/* Two capital letters. */
bool country_is_valid(const char *country);

/* One line of a basket. */
struct line {
    const char *sku;
    int64_t quantity;
    unsigned position; /* in the request, from 0 */
    /* From the catalogue. */
    const char *name, *currency;
    int64_t unit_price_minor;
};

/* Sorts pointers to lines by sku: the order in which products are locked. */
void lines_sort(struct line **lines, unsigned count);
/* The sum of price times quantity. 0, or -ERANGE beyond MONEY_MAX. */
int lines_total(const struct line *lines, unsigned count, int64_t *ret_total_minor);
/* The first line that has another currency than the first one, or NULL. */
const struct line *lines_other_currency(const struct line *lines, unsigned count);

/* What a settled charge means for the order it was made for. */
enum charge_meaning {
    CHARGE_PAYS,    /* the order is paid */
    CHARGE_FAILS,   /* the order waits for another payment */
    CHARGE_RETURNS, /* nobody wants the money any more: refund it */
    CHARGE_SAYS_NOTHING,
};
/* `is_latest`: the payment is the one that the order shows. */
enum charge_meaning charge_meaning(enum order_status status, bool is_latest, bool succeeded);

/* Whether a copy of a payment's status may follow another: messages come in any order, and a payment only moves forward. */
bool payment_status_follows(const char *now, const char *next);

#endif
