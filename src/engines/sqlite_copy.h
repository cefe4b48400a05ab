/* Copies of the embedded engine's files while a system may be writing them. */
#ifndef PURSER_ENGINES_SQLITE_COPY_H
#define PURSER_ENGINES_SQLITE_COPY_H

#include "base/err.h"

#include <stdbool.h>

#define SQLITE_COPY_FILES_MAX 32

/* Copies the database files `names` of the folder `from` into the folder `to`, all as they are at one moment, and checks each copy. Waits
 * for at most some seconds for the moment, then for the disk; never stops the system that writes them for longer than the moment takes.
 * 0 or negative with one line; after a failure `to` may hold some of them. */
int sqlite_copy_files(const char *from, const char *to, const char *const *names, unsigned count, struct err *err);

#endif
