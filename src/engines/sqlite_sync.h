/* A failed sync of a database file ends the process: SQLite's default file system, in which no sync's failure is passed over. */
#ifndef PURSER_ENGINES_SQLITE_SYNC_H
#define PURSER_ENGINES_SQLITE_SYNC_H

/* Makes it the default for files opened from then on. Once, after sqlite3_initialize and before the first connection. */
void sqlite_sync_prepare(void);

#endif
