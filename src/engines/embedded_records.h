/* The SQL of the embedded stream: bodies of transactions on stream.db. For embedded_stream.c. */
#ifndef PURSER_ENGINES_EMBEDDED_RECORDS_H
#define PURSER_ENGINES_EMBEDDED_RECORDS_H

#include "engines/embedded_file.h"
#include "engines/stream_ops.h"

extern const char records_schema[], records_add_range[], records_find_range[];

/* A place in its range is a record's offset. */
struct embedded_topic {
    struct embedded_range range;
    _Atomic int64_t end; /* the last offset that is durable */
};

struct records_publication {
    struct embedded_topic **topics; /* one a record */
    int64_t *offsets;               /* given to each */
    const struct stream_record *records;
    unsigned count;
};
int records_publish(struct transaction *tx, void *publication);

/* Reads the first records after an offset. */
struct records_fetch {
    const struct embedded_range *range;
    int64_t after, limit;
    struct rows rows;
};
int records_read(struct transaction *tx, void *fetch);
/* A row of those; it lives as long as the rows. */
struct stream_record records_row(const struct records_fetch *fetch, unsigned row);

/* The last offset that a group has handled, in each of its topics. */
struct records_positions {
    const char *group;
    struct embedded_topic *const *topics;
    unsigned count;
    int64_t *at;            /* one a topic: read into, or to write */
    const int64_t *written; /* what is written already */
};
/* In a transaction that may write: a group is in the table from its first start on, so that whoever moves the data knows what it has not read. */
int records_load_positions(struct transaction *tx, void *positions);
int records_write_positions(struct transaction *tx, void *positions);

/* Deletes some of the records that are older than seven days. */
int records_trim(struct transaction *tx, void *nothing);

#endif
