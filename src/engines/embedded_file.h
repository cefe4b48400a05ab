/*
 * What the embedded queue and the embedded stream have in common: a database file in which many named ranges share one table, and the loops
 * that consume them.
 *
 * An id in that table holds the number of its range and its place in it, so that a range needs no index. Places are given on the writer's
 * thread, in the order of commits: who goes on after the last place that it has seen skips nothing.
 */
#ifndef PURSER_ENGINES_EMBEDDED_FILE_H
#define PURSER_ENGINES_EMBEDDED_FILE_H

#include "base/err.h"
#include "engines/database_ops.h"
#include "engines/wakeup.h"

#include <pthread.h>

#define EMBEDDED_PLACE_BITS 40 /* in the SQL of both as well */
#define EMBEDDED_PLACE_MAX ((INT64_C(1) << EMBEDDED_PLACE_BITS) - 1)

/* Begins the port's own struct. */
struct embedded_range {
    char *name;
    int64_t number;       /* 0 until it is known; then it never changes */
    int64_t found_place;  /* the last one when the range was opened */
    int64_t last_place;   /* given; the writer's thread alone */
    pthread_mutex_t lock; /* of what the port adds */
    struct embedded_range *next;
};

/* Begins the port's own struct, which is zero but for what the port adds. */
struct embedded_loop {
    struct embedded_file *file;
    struct wakeup wakeup;
    _Atomic bool open;
    const struct embedded_range *waits_for; /* set by the kind's `open`; NULL: anything new in the file */
    unsigned handled;                       /* set by `deliver` */
    int code;
    struct embedded_loop *next;
};

struct embedded_kind {
    const char *name, *schema; /* of the file; the schema runs once, in a new one */
    size_t range_size;
    const char *add_range;  /* SQL: makes the range named ?1 where it is not there */
    const char *find_range; /* SQL: number and last place of the range named ?1 */
    const char *loop_name, *open_name, *batch_name; /* of fibers */
    /* The life of a loop: `open` until it succeeds, then `deliver`, one batch, and `rest` in turn until the end. The first two run on fibers
     * with an arena of their own, and return 0 or a negative code. */
    FIBER_FN int (*open)(struct embedded_loop *loop);
    FIBER_FN int (*deliver)(struct embedded_loop *loop);
    FIBER_FN void (*rest)(struct embedded_loop *loop, int code); /* waits where nothing was handled, or `code` is negative */
    FIBER_FN void (*end)(struct embedded_loop *loop);            /* or NULL */
    void (*free)(struct embedded_loop *loop);
};

struct embedded_file {
    const struct embedded_kind *kind;
    struct database *database;
    pthread_mutex_t lock; /* of the lists */
    struct embedded_range *ranges;
    struct embedded_loop *loops;
    _Atomic bool stopping;
    _Atomic unsigned running;
    struct wakeup stopped;
};

/* 0 or negative with words; then there is nothing to close. */
int embedded_file_open(struct embedded_file *file, const struct embedded_kind *kind, struct err *err);
/* Stops the loops, and frees them and the ranges. */
FIBER_FN void embedded_file_close(struct embedded_file *file);

/* The range with its number known, made at its first use; it lives as long as the file. NULL and a code. */
FIBER_FN struct embedded_range *embedded_range_open(struct embedded_file *file, const char *name, int *ret_code);
static inline int64_t embedded_id(const struct embedded_range *range, int64_t place)
{
    return range->number << EMBEDDED_PLACE_BITS | place;
}
static inline int64_t embedded_place(const struct embedded_range *range, int64_t id)
{
    return id - (range->number << EMBEDDED_PLACE_BITS);
}

/* Starts the loop on the calling worker; the file frees it. 0, or -ENOMEM and the loop is still the caller's. */
int embedded_loop_start(struct embedded_file *file, struct embedded_loop *loop);
/* Wakes the loops that wait for this range, or for any (NULL: all). Any thread. */
void embedded_ring(struct embedded_file *file, const struct embedded_range *range);
/* Ends all loops after the batch at work. They can be started again. */
FIBER_FN void embedded_stop(struct embedded_file *file);

#endif
