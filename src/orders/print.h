/* Orders and products as the API shows them: JSON text in the arena. */
#ifndef PURSER_ORDERS_PRINT_H
#define PURSER_ORDERS_PRINT_H

#include "base/arena.h"
#include "base/text.h"
#include "orders/store.h"

struct text print_product(struct arena *arena, const struct product *product);
struct text print_order(struct arena *arena, const struct order *order);
/* The payment that the order shows. */
struct text print_payment(struct arena *arena, const struct order *order);
/* One line of an order for struct order's items: without the brackets of the list. */
const char *print_line(struct arena *arena, const struct line *line);
/* A history of one more entry; `history` NULL begins one. */
const char *print_history(struct arena *arena, const char *history, enum order_status status, int64_t at_wall_ms, const char *reason);

/* Pages of up to `limit`; the lists were read one longer, to see whether more follows. */
struct text print_product_page(struct arena *arena, const struct product *list, unsigned count, int limit);
/* Without payment and history. */
struct text print_order_page(struct arena *arena, const struct order *list, unsigned count, int limit);

#endif
