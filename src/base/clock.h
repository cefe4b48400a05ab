/* The clocks. Wall time is for what people read and for expiry kept in a database; monotonic time is for waiting; steady time is for pauses
 * kept in a database. */
#ifndef PURSER_BASE_CLOCK_H
#define PURSER_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds since 1970, UTC. */
int64_t clock_wall_ms(void);
/* Milliseconds of CLOCK_MONOTONIC. */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
/* The wall time at which this process began, and what the monotonic clock has counted since: setting the clock does not change it. Of another
 * process' steady time it differs by what the clock was set in between. */
int64_t clock_steady_ms(void);
/* By how much the clock was set since the last call with this `offset`: 0 where that is less than a second. `*offset` begins as 0. */
int64_t clock_set_by_ms(int64_t *offset);

#define TIME_TEXT_SIZE 25
/* RFC 3339 with milliseconds and Z: 2026-01-02T03:04:05.678Z */
void time_print(int64_t wall_ms, char ret_text[TIME_TEXT_SIZE]);
/* Any RFC 3339 time. 0 or -EINVAL. */
int time_parse(const char *text, int64_t *ret_wall_ms);

#endif
