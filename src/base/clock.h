/* The two clocks. Wall time is for what people read and for expiry kept in a database; monotonic time is for waiting. */
#ifndef PURSER_BASE_CLOCK_H
#define PURSER_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds since 1970, UTC. */
int64_t clock_wall_ms(void);
/* Milliseconds of CLOCK_MONOTONIC. */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);

#define TIME_TEXT_SIZE 25
/* RFC 3339 with milliseconds and Z: 2026-01-02T03:04:05.678Z */
void time_print(int64_t wall_ms, char ret_text[TIME_TEXT_SIZE]);
/* Any RFC 3339 time. 0 or -EINVAL. */
int time_parse(const char *text, int64_t *ret_wall_ms);

#endif
