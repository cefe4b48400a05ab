/* Round trips: what was queued is sent, and every answer is read. */
#include "engines/postgres_parts.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>

#define ANSWER_TIMEOUT_MS 20000
#define PING_LOOKS 4

void postgres_drop_kept(struct postgres_connection *connection)
{
    for (unsigned i = 0; i < connection->kept_count; i++)
        PQclear(connection->kept[i]);
    connection->kept_count = 0;
}

static int code_of_state(const char *state)
{
    if (!strncmp(state, "23", 2))
        return -EEXIST;
    if (!strcmp(state, "40001") || !strcmp(state, "40P01"))
        return -EDEADLK;
    if (!strcmp(state, "53100"))
        return -ENOSPC;
    if (!strncmp(state, "08", 2) || !strncmp(state, "57P", 3) || !strncmp(state, "53", 2) || !strcmp(state, "25006"))
        return -EAGAIN;
    if (!strcmp(state, "55P03") || !strcmp(state, "57014"))
        return -ETIMEDOUT;
    return -EINVAL;
}

static int note_failure(struct postgres_connection *connection, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    snprintf(connection->state, sizeof connection->state, "%s", state ? state : "");
    snprintf(connection->message, sizeof connection->message, "%s", PQresultErrorMessage(result));
    return code_of_state(connection->state);
}

/* Parks until PQgetResult would not block. */
static int wait_result(struct postgres_connection *connection, int64_t until_mono_ms)
{
    while (!connection->lost) {
        int flush = PQflush(connection->libpq);
        if (flush < 0)
            return postgres_lose(connection);
        if (!flush && !PQisBusy(connection->libpq))
            return postgres_socket_watch(connection, UV_READABLE) < 0 ? postgres_lose(connection) : 0;
        if (postgres_socket_wait(connection, flush ? UV_READABLE | UV_WRITABLE : UV_READABLE, until_mono_ms) < 0)
            return postgres_lose(connection);
        if (!PQconsumeInput(connection->libpq))
            return postgres_lose(connection);
    }
    return -EAGAIN;
}

/* All results of one expected command. Returns its code. */
static int read_command(struct postgres_connection *connection, const struct expected *expected, int64_t until_mono_ms)
{
    int code = 0;
    for (;;) {
        if (wait_result(connection, until_mono_ms) < 0)
            return -EAGAIN;
        PGresult *result = PQgetResult(connection->libpq);
        if (!result)
            return code;
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            return expected->kind == EXPECT_SYNC ? 0 : postgres_lose(connection);
        }
        bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
        if (!good && expected->kind == EXPECT_PREPARE)
            expected->prepared->made = false;
        if (!good)
            code = status == PGRES_PIPELINE_ABORTED ? -ECANCELED : note_failure(connection, result);
        if (good && expected->kind == EXPECT_KEPT)
            connection->kept[connection->kept_count++] = result;
        else
            PQclear(result);
    }
}

/* Of all that was sent. */
static int read_answers(struct postgres_connection *connection, int64_t until_mono_ms)
{
    int first_failure = 0;
    for (unsigned i = 0; i < connection->count; i++) {
        int code = read_command(connection, &connection->expected[i], until_mono_ms);
        if (connection->lost)
            return -EAGAIN;
        if (code < 0 && !first_failure)
            first_failure = code;
    }
    connection->count = connection->kept_wanted = 0;
    postgres_tell_notices(connection);
    return first_failure;
}

static void forget_answers(struct postgres_connection *connection)
{
    postgres_drop_kept(connection);
    connection->state[0] = connection->message[0] = 0;
}

int postgres_round_trip_within(struct postgres_connection *connection, int64_t ms)
{
    forget_answers(connection);
    if (postgres_post(connection) < 0)
        return -EAGAIN;
    return read_answers(connection, clock_mono_ms() + ms);
}

int postgres_round_trip(struct postgres_connection *connection)
{
    return postgres_round_trip_within(connection, ANSWER_TIMEOUT_MS);
}

/* Whether a byte of the answer comes within that time. */
static bool hears_within(struct postgres_connection *connection, int64_t ms)
{
    int flush = PQflush(connection->libpq);
    return flush >= 0 && postgres_socket_wait(connection, flush ? UV_READABLE | UV_WRITABLE : UV_READABLE, clock_mono_ms() + ms) == 0;
}

int postgres_ping(struct postgres_connection *connection, int64_t silence_ms)
{
    bool heard = false;
    forget_answers(connection);
    if (postgres_queue_command(connection, "SELECT 1", false) < 0 || postgres_post(connection) < 0)
        return -EAGAIN;
    for (int i = 0; i < PING_LOOKS && !heard && !connection->lost; i++)
        heard = hears_within(connection, silence_ms / PING_LOOKS);
    if (!heard && !connection->lost) {
        postgres_lose(connection);
        return -ETIMEDOUT;
    }
    return read_answers(connection, clock_mono_ms() + silence_ms);
}

PGresult *postgres_kept(struct postgres_connection *connection, unsigned at)
{
    return at < connection->kept_count ? connection->kept[at] : NULL;
}

PGresult *postgres_take(struct postgres_connection *connection, unsigned at)
{
    PGresult *result = postgres_kept(connection, at);
    if (result)
        connection->kept[at] = NULL;
    return result;
}

const char *postgres_state(const struct postgres_connection *connection)
{
    return connection->state;
}

const char *postgres_message(const struct postgres_connection *connection)
{
    return connection->message;
}

int postgres_script(struct postgres_connection *connection, const char *sql)
{
    int code = postgres_round_trip(connection);
    if (code < 0)
        return code;
    if (!PQexitPipelineMode(connection->libpq) || !PQsendQuery(connection->libpq, sql))
        return postgres_lose(connection);
    struct expected expected = {.kind = EXPECT_STATEMENT};
    code = read_command(connection, &expected, clock_mono_ms() + ANSWER_TIMEOUT_MS);
    if (!connection->lost && !PQenterPipelineMode(connection->libpq))
        postgres_lose(connection);
    return code;
}
