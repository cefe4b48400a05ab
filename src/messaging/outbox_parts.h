/* What outbox.c and outbox_rows.c share. */
#ifndef PURSER_MESSAGING_OUTBOX_PARTS_H
#define PURSER_MESSAGING_OUTBOX_PARTS_H

#include "messaging/outbox.h"

#define OUTBOX_LANES 16

/* Tells the relays of that database of new rows. For transaction_after_commit. */
void outbox_wake(void *database);

#endif
