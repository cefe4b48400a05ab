/* What calls said, on its way to the table that GET /functions/{name}/logs reads. */
#ifndef PURSER_FUNCTIONS_LOGS_H
#define PURSER_FUNCTIONS_LOGS_H

#include "functions/call.h"

/* Notes a call that has ended; any thread, does not wait. Under load, calls that went well and said nothing are left out. */
void logs_note(const char *name, const char *cause, const struct call_outcome *outcome);

/* Writes what was noted. */
FIBER_FN void logs_flush(struct database *database);

#endif
