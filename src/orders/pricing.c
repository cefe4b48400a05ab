/* Asking a function for the total of an order. It sees skus, prices and quantities, and nothing of who buys. */
#include "orders/pricing.h"

#include "base/json.h"
#include "base/log.h"
#include "base/settings.h"
#include "service/service.h"

#include <errno.h>

#define ANSWER_WITHIN_MS 3000

bool pricing_is_on(void)
{
    return *settings_text("pricing_function") != 0;
}

static json_t *question(struct arena *arena, const struct line *lines, unsigned count)
{
    json_t *items = json_make(arena, "[]");
    for (unsigned i = 0; i < count; i++) {
        json_t *item = json_make(arena, "{s:s, s:I, s:I}", "sku", lines[i].sku, "unit_price", (json_int_t)lines[i].unit_price_minor,
                                 "quantity", (json_int_t)lines[i].quantity);
        json_add(items, item);
    }
    return json_make(arena, "{s:O, s:s}", "items", items, "currency", lines[0].currency);
}

FIBER_FN int pricing_ask(struct arena *arena, const struct line *lines, unsigned count, int64_t *ret_total_minor)
{
    const char *name = settings_text("pricing_function");
    const char *target = arena_printf(arena, "/internal/functions/%s/invocations", name);
    int status = 0;
    json_t *answer = NULL;
    int64_t former = fiber_narrow_deadline(ANSWER_WITHIN_MS);
    int code = service_ask("functions", "POST", target, question(arena, lines, count), &status, &answer);
    fiber_set_deadline(former);
    if (code < 0 || status >= 500 || status == 404 || status == 429) {
        log_warn("no price from the function", "{s:s, s:i, s:i}", "function", name, "code", code, "status", status);
        return -EAGAIN;
    }
    json_t *total = json_object_get(json_object_get(answer, "result"), "total");
    if (status != 200 || !json_is_integer(total) || json_integer_value(total) < 1 || json_integer_value(total) > MONEY_MAX)
        return -EDOM;
    *ret_total_minor = json_integer_value(total);
    return 0;
}
