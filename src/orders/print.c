/*
 * Orders as JSON, put together as text: items, address and history are kept as JSON already, ids and names of statuses need no
 * escapes, and an order is printed for every answer, so that building a tree first would be most of the work.
 */
#include "orders/print.h"

#include "base/clock.h"
#include "base/json.h"

#include <inttypes.h>

static const char *quoted(struct arena *arena, const char *string)
{
    size_t size;
    return string ? json_print(arena, json_keep(arena, json_string(string)), &size) : "null";
}

static const char *time_of(struct arena *arena, int64_t wall_ms)
{
    char *text = arena_alloc(arena, TIME_TEXT_SIZE);
    time_print(wall_ms, text);
    return text;
}

struct text print_product(struct arena *arena, const struct product *product)
{
    return text_of(arena_printf(arena,
                                "{\"sku\":\"%s\",\"name\":%s,\"description\":%s,\"unit_price\":%" PRId64 ",\"currency\":\"%s\",\"stock\":%" PRId64
                                "}",
                                product->sku, quoted(arena, product->name), quoted(arena, product->description),
                                product->unit_price_minor, product->currency, product->stock));
}

struct text print_payment(struct arena *arena, const struct order *order)
{
    return text_of(arena_printf(
        arena,
        "{\"id\":\"%s\",\"order_id\":\"%s\",\"user_id\":\"%s\",\"amount\":%" PRId64 ",\"currency\":\"%s\",\"status\":\"%s\","
        "\"payment_method\":%s,\"failure_code\":%s,\"refunded_amount\":%" PRId64 ",\"created_at\":\"%s\",\"updated_at\":\"%s\"}",
        order->payment.id, order->id, order->user_id, order->total_minor, order->currency, order->payment.status,
        quoted(arena, order->payment.method), quoted(arena, order->payment.failure_code), order->payment.refunded_minor,
        time_of(arena, order->payment.created_at), time_of(arena, order->payment.updated_at)));
}

/* What a list shows of an order, without the closing brace. */
static const char *summary(struct arena *arena, const struct order *order)
{
    return arena_printf(arena,
                        "{\"id\":\"%s\",\"user_id\":\"%s\",\"status\":\"%s\",\"currency\":\"%s\",\"items\":%s,\"total\":%" PRId64
                        ",\"created_at\":\"%s\",\"updated_at\":\"%s\"",
                        order->id, order->user_id, order_status_name(order->status), order->currency, order->items, order->total_minor,
                        time_of(arena, order->created_at), time_of(arena, order->updated_at));
}

struct text print_order(struct arena *arena, const struct order *order)
{
    return text_of(arena_printf(arena, "%s,\"payment\":%s,\"history\":%s,\"shipping_address\":%s}", summary(arena, order),
                                print_payment(arena, order).at, order->history,
                                order->shipping_address ? order->shipping_address : "null"));
}

const char *print_line(struct arena *arena, const struct line *line)
{
    return arena_printf(arena,
                        "{\"sku\":\"%s\",\"name\":%s,\"unit_price\":%" PRId64 ",\"quantity\":%" PRId64 ",\"line_total\":%" PRId64 "}",
                        line->sku, quoted(arena, line->name), line->unit_price_minor, line->quantity,
                        line->unit_price_minor * line->quantity);
}

const char *print_history(struct arena *arena, const char *history, enum order_status status, int64_t at_wall_ms, const char *reason)
{
    /* All but the closing bracket. */
    int size = history ? (int)strlen(history) - 1 : 1;
    return arena_printf(arena, "%.*s%s{\"status\":\"%s\",\"at\":\"%s\",\"reason\":%s}]", size, history ? history : "[", history ? "," : "",
                        order_status_name(status), time_of(arena, at_wall_ms), quoted(arena, reason));
}

/* ---- pages ---- */

static struct text finish_page(struct arena *arena, struct buffer *page, const char *next_cursor)
{
    if (next_cursor)
        buffer_printf(page, "],\"next_cursor\":\"%s\"}", next_cursor);
    else
        buffer_add_string(page, "],\"next_cursor\":null}");
    if (page->failed) {
        buffer_fini(page);
        memory_short();
    }
    struct text whole = {arena_copy(arena, page->at, page->size), page->size};
    buffer_fini(page);
    return whole;
}

struct text print_product_page(struct arena *arena, const struct product *list, unsigned count, int limit)
{
    struct buffer page = {0};
    bool more = count > (unsigned)limit;
    buffer_add_string(&page, "{\"data\":[");
    for (unsigned i = 0; i < count - more; i++) {
        struct text product = print_product(arena, &list[i]);
        buffer_add(&page, ",", i > 0);
        buffer_add(&page, product.at, product.size);
    }
    return finish_page(arena, &page, more ? list[limit - 1].id : NULL);
}

struct text print_order_page(struct arena *arena, const struct order *list, unsigned count, int limit)
{
    struct buffer page = {0};
    bool more = count > (unsigned)limit;
    buffer_add_string(&page, "{\"data\":[");
    for (unsigned i = 0; i < count - more; i++) {
        buffer_add(&page, ",", i > 0);
        buffer_add_string(&page, summary(arena, &list[i]));
        buffer_add(&page, "}", 1);
    }
    return finish_page(arena, &page, more ? list[limit - 1].id : NULL);
}
