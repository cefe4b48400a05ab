/*
 * libpq without blocking: the socket is watched by the worker's loop, and a fiber that waits for an answer is parked with a time of its
 * own, so that an engine that went silent is noticed. Names are resolved by libuv's threads; libpq gets addresses.
 */
#include "engines/postgres_connection.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/socket.h"
#include "engines/resolve.h"
#include "runtime/worker.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define CONNECT_TIMEOUT_MS 3000
#define ANSWER_TIMEOUT_MS 20000
#define PING_LOOKS 4

/* A statement that this connection has prepared, by the address of its text. */
struct prepared {
    const char *sql;
    bool lock, made;
    char name[16];
};

enum expected_kind { EXPECT_STATEMENT, EXPECT_KEPT, EXPECT_PREPARE, EXPECT_SYNC };

struct expected {
    enum expected_kind kind;
    struct prepared *prepared;
};

struct postgres_connection {
    PGconn *libpq;
    uv_poll_t *poll;
    int socket, events;
    struct fiber *waiting; /* for the socket */
    struct timer timer;
    bool timed_out, lost;
    void (*on_lost)(void *arg);
    void *on_lost_arg;
    void (*on_notice)(void *arg);
    void *on_notice_arg;
    struct prepared **prepared; /* open addressing */
    unsigned prepared_count, prepared_room;
    /* What was queued since the last round trip, in order. */
    struct expected *expected;
    unsigned count, room;
    /* Of the last round trip; with room for all that was queued since. */
    PGresult **kept;
    unsigned kept_count, kept_wanted, kept_room;
    char state[6], message[256], incarnation[40];
};

/* ---- addresses ---- */

static char *option_of(const PQconninfoOption *options, const char *keyword, const char *otherwise)
{
    for (; options->keyword; options++)
        if (!strcmp(options->keyword, keyword) && options->val && *options->val)
            return strdup(options->val);
    return strdup(otherwise);
}

int postgres_address_of(const char *url, const char *schema, struct postgres_address *ret_address, struct err *err)
{
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &message);
    if (!options) {
        err_set(err, -EINVAL, "PURSER_DATABASE_URL: %s", message ? message : "out of memory");
        PQfreemem(message);
        return -EINVAL;
    }
    struct postgres_address address = {
        .host = option_of(options, "host", "127.0.0.1"),
        .port = option_of(options, "port", "5432"),
        .password = option_of(options, "password", ""),
        .database = option_of(options, "dbname", "purser"),
        .sslmode = option_of(options, "sslmode", "prefer"),
        .schema = strdup(schema),
    };
    char *user = option_of(options, "user", "purser");
    if (!user || asprintf(&address.user, "%s_%s", user, schema) < 0)
        address.user = NULL;
    free(user);
    PQconninfoFree(options);
    if (!address.host || !address.port || !address.user || !address.password || !address.database || !address.sslmode || !address.schema) {
        postgres_address_fini(&address);
        return err_set(err, -ENOMEM, "out of memory");
    }
    *ret_address = address;
    return 0;
}

void postgres_address_fini(struct postgres_address *address)
{
    free(address->host);
    free(address->port);
    free(address->user);
    free(address->password);
    free(address->database);
    free(address->sslmode);
    free(address->schema);
}

/* ---- the socket ---- */

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void wake(struct postgres_connection *connection)
{
    struct fiber *fiber = connection->waiting;
    connection->waiting = NULL;
    if (fiber)
        fiber_wake(fiber);
}

static void on_timer(void *arg)
{
    struct postgres_connection *connection = arg;
    connection->timed_out = true;
    wake(connection);
}

static void tell_notices(struct postgres_connection *connection)
{
    PGnotify *notice;
    bool others = false;
    while ((notice = PQnotifies(connection->libpq))) {
        others |= notice->be_pid != PQbackendPID(connection->libpq);
        PQfreemem(notice);
    }
    if (others && connection->on_notice)
        connection->on_notice(connection->on_notice_arg);
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
    struct postgres_connection *connection = poll->data;
    if (connection->waiting) {
        wake(connection);
        return;
    }
    if (connection->lost || PQstatus(connection->libpq) != CONNECTION_OK)
        return;
    if (status < 0 || !PQconsumeInput(connection->libpq)) {
        connection->lost = true;
        uv_poll_stop(poll);
        if (connection->on_lost)
            connection->on_lost(connection->on_lost_arg);
        return;
    }
    tell_notices(connection);
}

static void close_poll(struct postgres_connection *connection)
{
    if (connection->poll)
        uv_close((uv_handle_t *)connection->poll, free_handle);
    connection->poll = NULL;
    connection->events = 0;
}

static int watch_socket(struct postgres_connection *connection, int events)
{
    int socket = PQsocket(connection->libpq);
    if (connection->poll && socket != connection->socket)
        close_poll(connection);
    if (!connection->poll) {
        uv_poll_t *poll = calloc(1, sizeof *poll);
        if (!poll || uv_poll_init_socket(worker_loop(), poll, socket) < 0) {
            free(poll);
            return -EAGAIN;
        }
        poll->data = connection;
        connection->poll = poll;
        connection->socket = socket;
    }
    if (connection->events != events && uv_poll_start(connection->poll, events, on_socket) < 0)
        return -EAGAIN;
    connection->events = events;
    return 0;
}

/* Parks until the socket is ready. 0 or -EAGAIN (time is over, the connection was broken off, or it cannot be watched). */
static int wait_socket(struct postgres_connection *connection, int events, int64_t until_mono_ms)
{
    if (watch_socket(connection, events) < 0)
        return -EAGAIN;
    connection->timed_out = false;
    connection->waiting = fiber_self();
    timer_start(&connection->timer, until_mono_ms, on_timer, connection);
    fiber_wait_uninterrupted();
    timer_stop(&connection->timer);
    connection->waiting = NULL;
    return connection->timed_out || connection->lost ? -EAGAIN : 0;
}

/* ---- connecting ---- */

/* Every statement has its index. Without statistics (a new table, or one that is empty most of the time, as an outbox is) the planner
 * would read whole tables, dead rows included. */
static int begin_connecting(const struct postgres_address *address, const char *ip, struct postgres_connection *connection)
{
    char options[256];
    snprintf(options, sizeof options,
             "-c search_path=%s -c statement_timeout=15000 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=30000"
             " -c enable_seqscan=off -c enable_bitmapscan=off",
             address->schema);
    const char *keywords[] = {"host",    "hostaddr", "port",       "user",    "password",
                              "dbname",  "options",  "sslmode",    "gssencmode", "application_name", NULL};
    const char *values[] = {address->host,     ip,      address->port,    address->user, address->password,
                            address->database, options, address->sslmode, "disable",     "purser",          NULL};
    connection->libpq = PQconnectStartParams(keywords, values, 0);
    if (!connection->libpq)
        return -ENOMEM;
    return PQstatus(connection->libpq) == CONNECTION_BAD ? -EAGAIN : 0;
}

static int finish_connecting(struct postgres_connection *connection)
{
    int64_t until = clock_mono_ms() + CONNECT_TIMEOUT_MS;
    int events = UV_WRITABLE;
    for (;;) {
        if (wait_socket(connection, events, until) < 0)
            return -EAGAIN;
        switch (PQconnectPoll(connection->libpq)) {
        case PGRES_POLLING_OK: return 0;
        case PGRES_POLLING_READING: events = UV_READABLE; break;
        case PGRES_POLLING_WRITING: events = UV_WRITABLE; break;
        default: return -EAGAIN;
        }
        if (PQsocket(connection->libpq) != connection->socket)
            close_poll(connection);
    }
}

/* A crash discards the server's statistics and notes the time. */
static int learn_incarnation(struct postgres_connection *connection)
{
    int code = postgres_queue_command(connection, "SELECT stats_reset::text FROM pg_stat_bgwriter", true);
    if (code == 0)
        code = postgres_round_trip_within(connection, CONNECT_TIMEOUT_MS);
    if (code == 0)
        snprintf(connection->incarnation, sizeof connection->incarnation, "%s", PQgetvalue(postgres_kept(connection, 0), 0, 0));
    return code;
}

static void ignore_notice(void *arg, const PGresult *result)
{
}

int postgres_connect(const struct postgres_address *address, struct postgres_connection **ret_connection, struct err *err)
{
    char ip[RESOLVE_ADDRESS_SIZE] = "";
    bool is_path = address->host[0] == '/';
    if (!is_path && resolve_address(address->host, ip) < 0)
        return err_set(err, -EAGAIN, "%s has no address", address->host);
    struct postgres_connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return err_set(err, -ENOMEM, "out of memory");
    int code = begin_connecting(address, is_path ? NULL : ip, connection);
    if (code == 0)
        code = finish_connecting(connection);
    if (code == 0)
        socket_guard(PQsocket(connection->libpq));
    if (code == 0 && (PQsetnonblocking(connection->libpq, 1) || !PQenterPipelineMode(connection->libpq)))
        code = -EAGAIN;
    if (code == 0)
        code = watch_socket(connection, UV_READABLE);
    if (code == 0)
        code = learn_incarnation(connection);
    if (code < 0) {
        char *why = connection->libpq ? PQerrorMessage(connection->libpq) : NULL;
        err_set(err, code, "PostgreSQL at %s:%s: %s", address->host, address->port, why && *why ? why : "no answer");
        postgres_disconnect(connection);
        return code;
    }
    PQsetNoticeReceiver(connection->libpq, ignore_notice, NULL);
    *ret_connection = connection;
    return 0;
}

static void drop_kept(struct postgres_connection *connection)
{
    for (unsigned i = 0; i < connection->kept_count; i++)
        PQclear(connection->kept[i]);
    connection->kept_count = 0;
}

void postgres_disconnect(struct postgres_connection *connection)
{
    if (!connection)
        return;
    timer_stop(&connection->timer);
    close_poll(connection);
    drop_kept(connection);
    PQfinish(connection->libpq);
    for (unsigned i = 0; i < connection->prepared_room; i++)
        free(connection->prepared[i]);
    free(connection->prepared);
    free(connection->expected);
    free(connection->kept);
    free(connection);
}

const char *postgres_incarnation(const struct postgres_connection *connection)
{
    return connection->incarnation;
}

bool postgres_is_lost(const struct postgres_connection *connection)
{
    return connection->lost;
}

void postgres_watch(struct postgres_connection *connection, void (*lost)(void *arg), void *arg)
{
    connection->on_lost = lost;
    connection->on_lost_arg = arg;
}

void postgres_listen(struct postgres_connection *connection, void (*heard)(void *arg), void *arg)
{
    connection->on_notice = heard;
    connection->on_notice_arg = arg;
}

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

static int lose(struct postgres_connection *connection)
{
    connection->lost = true;
    if (connection->poll) /* the socket may be readable for ever */
        uv_poll_stop(connection->poll);
    connection->events = 0;
    return -EAGAIN;
}

static int send_prepare(struct postgres_connection *connection, struct prepared *prepared)
{
    char *sql = translate(prepared->sql, prepared->lock);
    int sent = sql ? PQsendPrepare(connection->libpq, prepared->name, sql, 0, NULL) : 0;
    free(sql);
    prepared->made = sent;
    if (!sent)
        return lose(connection);
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
        return lose(connection);
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
        return lose(connection);
    expect(connection, EXPECT_SYNC, NULL);
    return PQflush(connection->libpq) < 0 ? lose(connection) : 0;
}

void postgres_break(struct postgres_connection *connection)
{
    lose(connection);
    wake(connection);
}

/* ---- receiving ---- */

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
            return lose(connection);
        if (!flush && !PQisBusy(connection->libpq))
            return watch_socket(connection, UV_READABLE) < 0 ? lose(connection) : 0;
        if (wait_socket(connection, flush ? UV_READABLE | UV_WRITABLE : UV_READABLE, until_mono_ms) < 0)
            return lose(connection);
        if (!PQconsumeInput(connection->libpq))
            return lose(connection);
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
            return expected->kind == EXPECT_SYNC ? 0 : lose(connection);
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
    tell_notices(connection);
    return first_failure;
}

static void forget_answers(struct postgres_connection *connection)
{
    drop_kept(connection);
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
    return flush >= 0 && wait_socket(connection, flush ? UV_READABLE | UV_WRITABLE : UV_READABLE, clock_mono_ms() + ms) == 0;
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
        lose(connection);
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
        return lose(connection);
    struct expected expected = {.kind = EXPECT_STATEMENT};
    code = read_command(connection, &expected, clock_mono_ms() + ANSWER_TIMEOUT_MS);
    if (!connection->lost && !PQenterPipelineMode(connection->libpq))
        lose(connection);
    return code;
}
