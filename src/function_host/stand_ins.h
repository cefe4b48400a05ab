/* What snapshot.c is told by the functions that stand before the C library's. */
#ifndef PURSER_FUNCTION_HOST_STAND_INS_H
#define PURSER_FUNCTION_HOST_STAND_INS_H

#include <stddef.h>

/* Something was mapped: it is one region more before a snapshot; what is made after it is unmapped again. */
void snapshot_note_mapping(const void *address, size_t size, int rights, int flags);

/* Something will be unmapped. */
void snapshot_note_unmapping(const void *address, size_t size);

/* What is mapped there will be something else, or otherwise protected. */
void snapshot_note_change(const void *address, size_t size);

/* From here on there is something that cannot be rolled back. */
void snapshot_disturb(void);

#endif
