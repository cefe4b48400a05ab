/* UUID version 7 (RFC 9562 section 5.7): time-ordered ids, as lower-case text. */
#ifndef PURSER_BASE_UUID_H
#define PURSER_BASE_UUID_H

#include <stdbool.h>
#include <stdint.h>

#define UUID_SIZE 37 /* with its NUL */
/* Greater than every id that is made: the cursor of the first page of a list by descending id. */
#define UUID_LAST "ffffffff-ffff-ffff-ffff-ffffffffffff"

/* A new id; ids of one thread ascend even within a millisecond. */
void uuid_make(char ret_id[UUID_SIZE]);
/* Any version, lower or upper case, exactly 36 characters. */
bool uuid_is_valid(const char *id);
/* The wall time in a valid id of version 7, in ms. */
int64_t uuid_time_ms(const char *id);
/* Random bytes from the system (libsodium). */
void random_bytes(void *ret_bytes, unsigned long size);

#endif
