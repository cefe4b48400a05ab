/* Sends the sandbox's callbacks until each was answered 2xx. */
#ifndef PURSER_SANDBOX_SENDER_H
#define PURSER_SANDBOX_SENDER_H

#include "engines/database.h"

struct sender;

/* On worker 0. 0 or -ENOMEM. */
int sender_start(struct database *database, struct sender **ret_sender);
/* What is on its way is waited for. */
FIBER_FN void sender_stop(struct sender *sender);
/* There is something to send; any worker. */
void sender_wake(struct sender *sender);

#endif
