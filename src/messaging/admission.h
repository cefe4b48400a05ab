/*
 * Whether one more order is taken. Orders are answered faster than they are paid and told of; where they come faster than that for long, the
 * work behind them would wait longer and longer. So an order is refused where those that are open would take longer than the setting
 * admission_delay at the pace at which orders are done, beside the time that the payment's provider takes for each: that one is slow says
 * nothing about us.
 *
 * Open is an order from its request until its buyer has been told how its payment ended. Orders are counted by the time at which they were
 * made, and their ids tell that time: the youngest one that was told of tells how many are done.
 */
#ifndef PURSER_MESSAGING_ADMISSION_H
#define PURSER_MESSAGING_ADMISSION_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

#define ADMISSION_SLOTS 4096
#define ADMISSION_SLOT_MS 16
/* Of what has not been heard of for so long the order does not count any more: it waits for something else. */
#define ADMISSION_FORGET_MS ((ADMISSION_SLOTS - 1) * ADMISSION_SLOT_MS)
#define ADMISSION_FREE 64 /* so many may be open however slow it is */

/* All times are of one clock that never goes back. Zero-initialise. */
struct admission {
    unsigned placing;                   /* let in, and not decided yet */
    double away_ms;                     /* how long the provider takes, */
    unsigned away_count;                /* as the mean of so many */
    uint64_t taken;                     /* since the start */
    uint64_t taken_by[ADMISSION_SLOTS]; /* at the end of each of the last slots of time */
    int64_t slot;                       /* of now */
    uint64_t done;                      /* of those taken */
    int64_t done_ms, done_slot;         /* they were made until then */
    int64_t idle_ms;                    /* the last time at which all were done, as far as somebody looked */
    double pace;                        /* orders done in a millisecond where work waits; 0: not known yet */
    /* The last look at the pace. */
    int64_t look_ms;
    uint64_t look_done;
    bool look_waits;
};

/* Whether one more is let in; then it is being placed until it leaves. */
bool admission_enter(struct admission *admission, int64_t now_ms, int64_t target_ms);
/* It became an order at that time, or none: -1. */
void admission_leave(struct admission *admission, int64_t now_ms, int64_t made_ms);
/* An order that was made then is done, and so are those before it. */
void admission_note_done(struct admission *admission, int64_t now_ms, int64_t made_ms);
/* An order that was made then is waited for no longer; those before it are. */
void admission_note_dropped(struct admission *admission, int64_t now_ms, int64_t made_ms);
/* The provider had an order for so long. */
void admission_note_away(struct admission *admission, int64_t took_ms);
uint64_t admission_open(const struct admission *admission);
/* For how long the first of the open ones has been open. */
int64_t admission_waits_ms(const struct admission *admission, int64_t now_ms);

/* ---- of this process, by its clocks and the setting; any thread ---- */

struct admission_order;

/* 0: an order may be placed; it is being placed until `arena`, its request's, goes. Else the seconds after which it may be tried again. */
int admission_ask(struct arena *arena, struct admission_order **ret_order);
/* It is durable under that id (version 7). */
void admission_placed(struct admission_order *order, const char *id);
/* The buyer of the order knows how its payment ended, and so do those of the orders before it. */
void admission_done(const char *id);
/* That order left the line without waiting for the others: it was cancelled, or its end takes a time that is not ours. */
void admission_dropped(const char *id);
/* A provider that is another process had a new order's charge for so long. */
void admission_away(int64_t took_ms);

#endif
