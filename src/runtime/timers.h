/* A pairing heap of struct timer: links lie in the timers, so nothing here needs memory. One a worker. */
#ifndef PURSER_RUNTIME_TIMERS_H
#define PURSER_RUNTIME_TIMERS_H

#include "runtime/worker.h"

struct timers {
    struct timer *root; /* the one due first */
};

void timers_add(struct timers *timers, struct timer *timer);
void timers_remove(struct timers *timers, struct timer *timer);

#endif
