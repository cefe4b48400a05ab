/* The sandbox's charges, refunds, keys and callbacks. All calls wait for the database; 0 or negative as database_transact says. */
#ifndef PURSER_SANDBOX_STORE_H
#define PURSER_SANDBOX_STORE_H

#include "base/json.h"
#include "engines/database.h"
#include "sandbox/rules.h"

struct charge_order {
    const char *key;
    int64_t amount_minor;
    const char *currency, *payment_method;
    const struct sandbox_method *method;
};

enum charge_outcome {
    CHARGE_DONE,      /* succeeded or failed, now or by an earlier try: see the charge */
    CHARGE_BUSY,      /* try again */
    CHARGE_SILENT,    /* nothing was taken and nothing will be said */
    CHARGE_CANCELLED, /* the key was cancelled before */
    CHARGE_OTHER,     /* the key was used for another charge */
};

/* ret_charge: the JSON of CHARGE_DONE. A callback is queued with a new charge whose method answers. */
FIBER_FN int sandbox_charge(struct database *database, const struct charge_order *order, enum charge_outcome *ret_outcome,
                          json_t **ret_charge);
/* Makes sure that the key will never be charged; ret_charge is the charge that was there before, or NULL. */
FIBER_FN int sandbox_cancel(struct database *database, const char *key, json_t **ret_charge);
/* ret_refund NULL with -ENOENT (no such charge that succeeded) or -EDOM (more than is left). The same key gives the same refund. */
FIBER_FN int sandbox_refund(struct database *database, const char *key, const char *charge_id, int64_t amount_minor, json_t **ret_refund);
/* Newest first, before the id `cursor` ("": from the start); with a key only that one. */
FIBER_FN int sandbox_charges(struct database *database, const char *key, const char *cursor, int limit, json_t **ret_list);

/* Queues what will be sent to the shop, as an event with an id of its own, in the caller's transaction. */
int sandbox_callback_queue(struct transaction *tx, const char *type, json_t *object);

struct callback {
    const char *id;
    struct text body;
    int64_t created_at;
    int attempts;     /* made before */
    bool is_taken;    /* set by the sender: it is over */
    int64_t pause_ms; /* set by the sender, where it was not taken: until the next attempt */
};
/* Those that are due, up to `room`, in the fiber's arena: their count, or negative. Those that were sent before take at most half of the
 * room. ret_next_due: when the next of these is due (steady time), INT64_MAX for none. */
FIBER_FN int sandbox_callbacks(struct database *database, struct callback *ret_list, unsigned room, int64_t *ret_next_due);
/* Forgets those that were taken and puts off the others. */
FIBER_FN int sandbox_callbacks_settle(struct database *database, const struct callback *list, int count);

#endif
