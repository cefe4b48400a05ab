/* Running the effects of events with their inbox rows: what consumers of queues and of topics share. Only inside messaging. */
#ifndef PURSER_MESSAGING_HANDLING_H
#define PURSER_MESSAGING_HANDLING_H

#include "messaging/consumer.h"

/* One event on its way. */
struct handling {
    struct event event;
    const struct queue_message *message; /* for the effect; of a topic's record: made up from it */
    const char *key;                     /* of a topic's record, else NULL */
    const char *record_id;               /* the event's id, or the record's place */
    bool parsed;
    bool is_new;    /* the inbox did not know it */
    void *result;      /* what its effect left for `committed` */
    bool had_effect;   /* its effect is of this transaction, and not a repeat's */
    int code;        /* 0: done; negative: failed */
    char error[200];
};

/* Reads the message into `ret_handling`; one that is no event gets -EBADMSG. */
void handling_of(const struct queue_message *message, struct handling *ret_handling);
/* In a transaction: the inbox rows, then the effects of those whose row was not there. All are parsed. */
int handling_run(struct transaction *tx, const struct event_handler *handler, struct handling *const *list, unsigned count);
/* Whether a code says that something is away or full, so that nothing was learnt about the event. */
bool handling_is_outage(int code);
/* Words for a failure where the effect gave none. */
void handling_note_failure(struct handling *handling, int code);
/* Calls `committed` for those that had their effect now. */
FIBER_FN void handling_tell(const struct event_handler *handler, struct handling *const *list, unsigned count);
/* Stable: by the handler's sort_key, if it has one; unparsed ones last. */
struct handling **handling_order(const struct event_handler *handler, struct handling *list, unsigned count);

/* A dead letter in its table; one that is there already is left. */
struct dead_letter {
    const char *source, *consumer, *key;
    unsigned attempts;
    const char *error;
    int64_t parked_id; /* 0: none */
};
int dead_letter_add(struct transaction *tx, const struct dead_letter *letter, const struct handling *handling);

/* What was parked of a topic's consumer, and its retries (parking.c). */
struct parking;
struct parking *parking_start(struct database *database, const struct event_handler *handler);
/* In a transaction: keeps the event behind its key. `code` is why (0: it only waits behind another). */
int parking_add(struct transaction *tx, struct parking *parking, const struct handling *handling, int code);
/* In a transaction: the keys that are parked. */
int parking_keys(struct transaction *tx, const struct parking *parking, struct rows *ret_keys);
/* After a change to parked rows of that database (a dead letter was sent again or dropped). For transaction_after_commit. */
void parking_wake(void *database);
/* Ends the retries of that database, once no handler is at work. */
FIBER_FN void parking_stop(struct database *database);

#endif
