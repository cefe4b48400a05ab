/* Sessions that have been ended while tokens of theirs are still young. One table a process; any thread. */
#ifndef PURSER_GATEWAY_REVOCATIONS_H
#define PURSER_GATEWAY_REVOCATIONS_H

#include <stdbool.h>
#include <stdint.h>

/* Remembers until then (no token of the session lives longer). False if it was there already. */
bool revocations_add(const char *session_id, int64_t until_wall_ms);
bool revocations_has(const char *session_id);
/* Forgets what is past. */
void revocations_sweep(int64_t now_wall_ms);

#endif
