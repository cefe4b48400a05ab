/* Statements are prepared at their first use on a connection, and queued for its next round trip. */
#include "engines/postgres_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- prepared statements ---- */

static struct prepared **place_of(struct prepared **table, unsigned room, const char *sql, bool lock)
{
    uintptr_t hash = ((uintptr_t)sql + lock) * UINT64_C(0x9e3779b97f4a7c15);
    unsigned at = (unsigned)(hash >> 32) & (room - 1);
    while (table[at] && (table[at]->sql != sql || table[at]->lock != lock))
        at = (at + 1) & (room - 1);
    return &table[at];
}

static int make_room(struct postgres_connection *connection)
{
    if (connection->prepared_count * 4 < connection->prepared_room * 3)
        return 0;
    unsigned room = connection->prepared_room ? connection->prepared_room * 2 : 32;
    struct prepared **table = calloc(room, sizeof *table);
    if (!table)
        return -ENOMEM;
    for (unsigned i = 0; i < connection->prepared_room; i++)
        if (connection->prepared[i])
            *place_of(table, room, connection->prepared[i]->sql, connection->prepared[i]->lock) = connection->prepared[i];
    free(connection->prepared);
    connection->prepared = table;
    connection->prepared_room = room;
    return 0;
}

static struct prepared *prepared_of(struct postgres_connection *connection, const char *sql, bool lock)
{
    if (make_room(connection) < 0)
        return NULL;
    struct prepared **place = place_of(connection->prepared, connection->prepared_room, sql, lock);
    if (!*place && (*place = calloc(1, sizeof **place))) {
        (*place)->sql = sql;
        (*place)->lock = lock;
        snprintf((*place)->name, sizeof (*place)->name, "s%u", ++connection->prepared_count);
    }
    return *place;
}

/* ?1 becomes $1, outside of quotes; a locking read gets its clause. NULL when memory is short; freed by the caller. */
static char *translate(const char *sql, bool lock)
{
    size_t size = strlen(sql);
    char *copy = malloc(size + sizeof " FOR UPDATE");
    bool quoted = false;
    if (!copy)
        return NULL;
    for (size_t i = 0; i < size; i++) {
        if (sql[i] == '\'')
            quoted = !quoted;
        copy[i] = sql[i] == '?' && !quoted ? '$' : sql[i];
    }
    memcpy(copy + size, lock ? " FOR UPDATE" : "", lock ? sizeof " FOR UPDATE" : 1);
    return copy;
}

/* ---- sending ---- */

/* Room for a statement with its preparation and the end of the pipeline, before any of it is sent. */
static int make_expected_room(struct postgres_connection *connection, bool keep)
{
    if (connection->count + 3 > connection->room) {
        unsigned room = connection->room ? connection->room * 2 : 16;
        struct expected *expected = realloc(connection->expected, room * sizeof *expected);
        if (!expected)
            return -ENOMEM;
        connection->expected = expected;
        connection->room = room;
    }
    if (keep && connection->kept_wanted == connection->kept_room) {
        unsigned room = connection->kept_room ? connection->kept_room * 2 : 4;
        PGresult **kept = realloc(connection->kept, room * sizeof *kept);
        if (!kept)
            return -ENOMEM;
        connection->kept = kept;
        connection->kept_room = room;
    }
    return 0;
}

static void expect(struct postgres_connection *connection, enum expected_kind kind, struct prepared *prepared)
{
    connection->expected[connection->count++] = (struct expected){kind, prepared};
    connection->kept_wanted += kind == EXPECT_KEPT;
}

static int send_prepare(struct postgres_connection *connection, struct prepared *prepared)
{
    char *sql = translate(prepared->sql, prepared->lock);
    int sent = sql ? PQsendPrepare(connection->libpq, prepared->name, sql, 0, NULL) : 0;
    free(sql);
    prepared->made = sent;
    if (!sent)
        return postgres_lose(connection);
    expect(connection, EXPECT_PREPARE, prepared);
    return 0;
}

static int queue_prepared(struct postgres_connection *connection, struct prepared *prepared, unsigned count, const char *const *values,
                          const int *sizes, const int *formats, bool keep)
{
    if (connection->lost || !prepared)
        return prepared ? -EAGAIN : -ENOMEM;
    if (make_expected_room(connection, keep) < 0)
        return -ENOMEM;
    if (!prepared->made) {
        int code = send_prepare(connection, prepared);
        if (code < 0)
            return code;
    }
    if (!PQsendQueryPrepared(connection->libpq, prepared->name, (int)count, values, sizes, formats, 0))
        return postgres_lose(connection);
    expect(connection, keep ? EXPECT_KEPT : EXPECT_STATEMENT, prepared);
    return 0;
}

int postgres_queue(struct postgres_connection *connection, struct arena *arena, const struct sql_statement *statement, bool keep)
{
    const char *values[SQL_ARGUMENTS_MAX];
    int sizes[SQL_ARGUMENTS_MAX], formats[SQL_ARGUMENTS_MAX];
    for (unsigned i = 0; i < statement->count; i++) {
        const struct sql_argument *argument = &statement->arguments[i];
        formats[i] = argument->type == 'b';
        sizes[i] = (int)argument->text.size;
        if (argument->type == 'i')
            values[i] = rows_number(arena, argument->number).at;
        else if (argument->type == 's')
            values[i] = arena_copy(arena, argument->text.at, argument->text.size);
        else
            values[i] = argument->type ? argument->text.at : NULL;
    }
    return queue_prepared(connection, prepared_of(connection, statement->sql, statement->lock), statement->count, values, sizes, formats, keep);
}

int postgres_queue_command(struct postgres_connection *connection, const char *sql, bool keep)
{
    return queue_prepared(connection, prepared_of(connection, sql, false), 0, NULL, NULL, NULL, keep);
}

int postgres_post(struct postgres_connection *connection)
{
    if (connection->lost)
        return -EAGAIN;
    if (make_expected_room(connection, false) < 0 || !PQpipelineSync(connection->libpq))
        return postgres_lose(connection);
    expect(connection, EXPECT_SYNC, NULL);
    return PQflush(connection->libpq) < 0 ? postgres_lose(connection) : 0;
}
