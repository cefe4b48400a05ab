/* The demonstration's products. They are ordinary ones: an admin may change them, and they are never filled in again. */
#include "orders/demo.h"

#include "base/uuid.h"
#include "orders/store.h"

static const struct product products[] = {
    {.sku = "MUG-01", .name = "Stoneware mug", .description = "Holds 350 ml of something warm.", .unit_price_minor = 1450, .stock = 120},
    {.sku = "TEA-EG", .name = "Earl Grey, loose", .description = "Black tea with bergamot, 100 g.", .unit_price_minor = 690, .stock = 300},
    {.sku = "POT-02", .name = "Teapot", .description = "Cast iron with a strainer, 800 ml.", .unit_price_minor = 4900, .stock = 40},
    {.sku = "KETTLE-1", .name = "Kettle", .description = "For the hob, whistles, 1.5 l.", .unit_price_minor = 3650, .stock = 35},
    {.sku = "HONEY-25", .name = "Heather honey", .description = "A jar of 250 g.", .unit_price_minor = 850, .stock = 90},
    {.sku = "SPOON-6", .name = "Tea spoons", .description = "Six, stainless steel.", .unit_price_minor = 1890, .stock = 60},
    {.sku = "TOWEL-LN", .name = "Tea towel", .description = "Linen, striped, 50 by 70 cm.", .unit_price_minor = 1290, .stock = 150},
    {.sku = "BISC-01", .name = "Oat biscuits", .description = "A tin of 400 g.", .unit_price_minor = 750, .stock = 200},
};

int demo_fill(struct transaction *tx, void *unused)
{
    bool exist;
    int code = orders_store_products_exist(tx, &exist);
    for (size_t i = sizeof products / sizeof *products; code == 0 && !exist && i-- > 0;) {
        char id[UUID_SIZE];
        struct product product = products[i];
        uuid_make(id);
        product.id = id;
        product.currency = "EUR";
        code = orders_store_product_insert(tx, &product);
    }
    return code;
}
