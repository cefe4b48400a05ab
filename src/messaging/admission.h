/*
 * Whether one more order is taken. Orders are answered faster than they are paid and told; where they come faster than that for long, the work
 * behind them would wait longer and longer. So orders are refused while the work of earlier ones waits longer than the setting
 * admission_delay and those that are open would take longer than it at the pace at which orders are done; where it waits less, only
 * while they would take twice as long.
 *
 * The delay alone would react too late: it is seen when work is done, and goes on to grow for as long after the door is shut, and to stay when
 * the door should be opened. Orders are counted instead: those taken before the moment whose work is at hand now are done, the rest is open.
 */
#ifndef PURSER_MESSAGING_ADMISSION_H
#define PURSER_MESSAGING_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

#define ADMISSION_SLOTS 4096
#define ADMISSION_SLOT_MS 16
#define ADMISSION_FREE 64 /* so many may be open whatever the delay */

/* All times are of one clock that never goes back. Zero-initialise. */
struct admission {
    uint64_t taken;                     /* orders, since the start */
    uint64_t taken_by[ADMISSION_SLOTS]; /* at the end of each of the last slots of time */
    int64_t slot;                       /* of now */
    int64_t done_ms;                    /* the moment whose work is at hand */
    uint64_t done;                      /* orders taken before it */
    double pace;                        /* orders done in a millisecond where work waits; 0: not known yet */
    /* The last look at the pace. */
    int64_t look_ms;
    uint64_t look_done;
    bool look_waits; /* work did wait then */
};

void admission_note(struct admission *admission, int64_t now_ms);
/* Whether one more is taken, when the work that is at hand now has waited `delay_ms`. */
bool admission_allows(struct admission *admission, int64_t now_ms, int64_t delay_ms, int64_t target_ms);

/* The same for this process, by its clock, its delay and the setting; any thread. */
void admission_note_order(void);
/* 0: the order is taken; else the seconds after which it may be tried again. */
int admission_refuse_order(void);

#endif
