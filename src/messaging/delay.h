/*
 * How long work waits. Whoever takes work in batches (a relay, a consumer) has a place here and says when the work of a batch came to be;
 * anybody may ask for the longest wait of all places. Of a batch the youngest counts: all others have waited longer, and one old message
 * that is tried again says nothing about how busy the system is.
 */
#ifndef PURSER_MESSAGING_DELAY_H
#define PURSER_MESSAGING_DELAY_H

#include <stdbool.h>
#include <stdint.h>

struct delay_place {
    _Atomic bool is_at_work;
    _Atomic int64_t since_wall_ms;            /* at work: when the batch's youngest came to be */
    _Atomic int64_t last_ms, ended_mono_ms;   /* not at work: how long the last batch had waited at its end */
    struct delay_place *next;
};

/* The place is the caller's and stays where it is until delay_leave. */
void delay_enter(struct delay_place *place);
void delay_leave(struct delay_place *place);
/* A batch is at hand. Where the one before it did not end, since something was away, that one's time counts until a batch has ended. */
void delay_begin(struct delay_place *place, int64_t youngest_wall_ms);
void delay_end(struct delay_place *place);
/* Of one place. What a batch has waited counts for a second after it has ended, since the next one may be on its way. */
int64_t delay_of(const struct delay_place *place, int64_t now_wall_ms, int64_t now_mono_ms);
/* Of all places; any thread. */
int64_t delay_longest_ms(void);

#endif
