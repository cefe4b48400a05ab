/* A small catalogue to look at, where the setting `demo` asks for one. */
#ifndef PURSER_ORDERS_DEMO_H
#define PURSER_ORDERS_DEMO_H

#include "engines/database.h"

/* A transaction_body: fills a catalogue that is empty. */
int demo_fill(struct transaction *tx, void *unused);

#endif
