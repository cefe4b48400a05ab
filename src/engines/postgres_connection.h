/*
 * One connection to PostgreSQL, of one worker, used by one fiber at a time, always in pipeline mode: statements are queued, and a round
 * trip sends what is queued and reads every answer. A failed round trip says so and leaves the connection lost.
 */
#ifndef PURSER_ENGINES_POSTGRES_CONNECTION_H
#define PURSER_ENGINES_POSTGRES_CONNECTION_H

#include "engines/database_ops.h"

#include <libpq-fe.h>

struct postgres_connection;

/* Where and as whom; made once from the URL for each schema. */
struct postgres_address {
    char *host, *port, *user, *password, *database, *sslmode, *schema;
};
int postgres_address_of(const char *url, const char *schema, struct postgres_address *ret_address, struct err *err);
void postgres_address_fini(struct postgres_address *address);

/* Resolves and connects within a time of its own. 0; -EAGAIN where nobody answers; -EACCES when it refuses us. */
FIBER_FN int postgres_connect(const struct postgres_address *address, struct postgres_connection **ret_connection, struct err *err);
void postgres_disconnect(struct postgres_connection *connection);
/* Changes with every recovery from a crash: ids of transactions that were not durable may have been given again since. */
const char *postgres_incarnation(const struct postgres_connection *connection);
bool postgres_is_lost(const struct postgres_connection *connection);
/* Calls `lost(arg)` on the loop if the other side closes while no fiber waits for an answer. */
void postgres_watch(struct postgres_connection *connection, void (*lost)(void *arg), void *arg);
/* Calls `heard(arg)` on the loop after a NOTIFY of another process on a channel that this connection LISTENs to. */
void postgres_listen(struct postgres_connection *connection, void (*heard)(void *arg), void *arg);

/* Queues a statement, prepared at its first use. Its answer is kept for postgres_kept() if `keep`. 0 or -ENOMEM, -EAGAIN (lost). */
int postgres_queue(struct postgres_connection *connection, struct arena *arena, const struct sql_statement *statement, bool keep);
/* A constant statement without arguments. */
int postgres_queue_command(struct postgres_connection *connection, const char *sql, bool keep);
/* Sends what is queued; the answers are read in the next round trip. */
int postgres_post(struct postgres_connection *connection);
/* Sends what is queued and reads all answers. 0; the code of the first statement that failed; -EAGAIN when the connection is lost. */
FIBER_FN int postgres_round_trip(struct postgres_connection *connection);
FIBER_FN int postgres_round_trip_within(struct postgres_connection *connection, int64_t ms);
/* A round trip with a small question of its own. 0; -ETIMEDOUT when nothing was heard for that long: it is looked for several times, so that a
 * standstill of this process is not taken for one of the server's; -EAGAIN. The connection is lost unless 0. */
FIBER_FN int postgres_ping(struct postgres_connection *connection, int64_t silence_ms);
/* Loses the connection; a fiber that waits for its answers goes on with -EAGAIN. On its worker. */
void postgres_break(struct postgres_connection *connection);
/* The kept answers of the last round trip in order, NULL beyond the last; the connection owns them until they are taken. */
PGresult *postgres_kept(struct postgres_connection *connection, unsigned at);
/* As postgres_kept, and the caller clears it. */
PGresult *postgres_take(struct postgres_connection *connection, unsigned at);
/* SQLSTATE of the last failure, "" if none. */
const char *postgres_state(const struct postgres_connection *connection);
const char *postgres_message(const struct postgres_connection *connection);

/* Several statements in one text, outside pipeline mode. */
FIBER_FN int postgres_script(struct postgres_connection *connection, const char *sql);

#endif
