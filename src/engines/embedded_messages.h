/* The SQL of the embedded queue: bodies of transactions on queue.db. For embedded_queue.c. */
#ifndef PURSER_ENGINES_EMBEDDED_MESSAGES_H
#define PURSER_ENGINES_EMBEDDED_MESSAGES_H

#include "engines/embedded_file.h"
#include "engines/queue_ops.h"

extern const char messages_schema[], messages_add_range[], messages_find_range[];

/* A queue, or the dead letters of one. */
struct embedded_channel {
    struct embedded_range range;
    int64_t last_claimed;        /* its place, under the range's lock */
    _Atomic int64_t next_due_ms; /* of what is delayed, by clock_steady_ms; INT64_MAX: nothing */
};

struct messages_publication {
    struct embedded_channel **channels; /* one a message */
    const struct queue_message *messages;
    unsigned count;
};
int messages_publish(struct transaction *tx, void *publication);

/* Moves what was delayed and is due to the end of the queue. */
struct messages_due {
    struct embedded_channel *channel;
    int64_t next_due; /* of what is left; INT64_MAX: nothing */
};
int messages_move_due(struct transaction *tx, void *due);

/* Reads the first messages after the id `from` up to the id `to`: the row's columns are those of MESSAGES_COLUMNS. */
struct messages_claim {
    int64_t from, to, limit;
    struct rows rows;
};
#define MESSAGES_COLUMNS "id, attempts, message_id, correlation_id, reply_to, traceparent, body, error"
int messages_read(struct transaction *tx, void *claim);
/* The message in a row of those columns; its queue is not there. It lives as long as the rows. */
struct queue_message messages_row(const struct rows *rows, unsigned row);

/* Deletes a batch that was read, and writes down what its handler has left: to come again, or dead. */
struct messages_settlement {
    const struct queue_consumer *wanted;
    struct embedded_channel *channel, *dead;
    const struct queue_delivery *batch;
    const struct rows *rows; /* as read; of `batch` */
    int64_t next_due;        /* of what was delayed; INT64_MAX: nothing */
    bool buried;             /* there is something new in `dead` */
};
int messages_settle(struct transaction *tx, void *settlement);

/* Into struct rows: name, stored, delayed and dead of each queue. */
int messages_count(struct transaction *tx, void *rows);

#endif
