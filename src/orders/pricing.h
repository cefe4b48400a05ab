/* What an order costs beyond the sum of its lines: the function that the setting pricing_function names is asked. */
#ifndef PURSER_ORDERS_PRICING_H
#define PURSER_ORDERS_PRICING_H

#include "base/arena.h"
#include "orders/rules.h"
#include "runtime/fiber.h"

#include <stdbool.h>

bool pricing_is_on(void);

/* The total of lines whose prices are filled in. 0; -EDOM: what the function says is no total; -EAGAIN: it gave no answer. */
FIBER_FN int pricing_ask(struct arena *arena, const struct line *lines, unsigned count, int64_t *ret_total_minor);

#endif
