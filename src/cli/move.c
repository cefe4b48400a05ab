/*
 * `purser move --from DATA --to postgres://…`: copies an embedded installation's databases into a cluster's.
 *
 * Each service is one transaction: its tables are held, every row is copied and then read back and compared with what the file holds, cell by
 * cell; then it commits. What waits in the embedded queue, and what some group has not read of the embedded stream, becomes rows of the
 * sender's outbox, before those that are there; so nothing needs the cluster's other engines now. What comes twice by this is recognised
 * by its id, as after a crash. Only tables that nobody has used are filled: a cluster that has never run.
 */
#include "base/settings.h"
#include "cli/cli.h"
#include "cli/move_table.h"
#include "engines/data_folder.h"
#include "messaging/outbox.h"
#include "service/process.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TABLES_MAX 32
#define SERVICES_ROOM 16

struct move {
    const char *service;
    sqlite3 *source;
    struct database *target;
    struct move_table tables[TABLES_MAX];
    unsigned table_count;
    int64_t messages;
    struct err err;
};

/* ---- what was on its way ---- */

static const char waiting_in_queue[] =
    "SELECT q.name, NULL, w.message_id, w.correlation_id, w.reply_to, w.traceparent, w.body FROM "
    "(SELECT id >> 40 AS queue, 0 AS part, id, message_id, correlation_id, reply_to, traceparent, body FROM messages UNION ALL "
    "SELECT queue, 1, id, message_id, correlation_id, reply_to, traceparent, body FROM delayed) w "
    "JOIN queues q ON q.number = w.queue ORDER BY w.part, w.id";

static const char unread_in_stream[] =
    "SELECT t.name, r.key, r.event_id, NULL, NULL, r.traceparent, r.value FROM records r JOIN topics t ON t.number = r.id >> 40 "
    "WHERE r.id - (t.number << 40) > coalesce((SELECT min(position) FROM positions p WHERE p.topic = t.number), 0) ORDER BY r.id";

/* Whose outbox takes what was on its way to a queue or topic: its sender's, so that a user's events keep their order. */
static const char *sender_to(const char *destination)
{
    static const char *const senders[][2] = {
        {"user.", "users"}, {"user-", "users"}, {"order.payment.", "payments"}, {"payment-", "payments"}, {"functions.", "functions"},
    };
    for (unsigned i = 0; i < sizeof senders / sizeof *senders; i++)
        if (strncmp(destination, senders[i][0], strlen(senders[i][0])) == 0)
            return senders[i][1];
    return "orders";
}

static const char *column(sqlite3_stmt *statement, int at)
{
    return (const char *)sqlite3_column_text(statement, at);
}

/* A message that failed for good goes to its queue once more. */
static const char *destination_of(struct arena *arena, const char *name)
{
    size_t size = strlen(name);
    return size > 5 && !strcmp(name + size - 5, ".dead") ? arena_copy(arena, name, size - 5) : arena_strdup(arena, name);
}

static int take_messages(struct transaction *tx, struct move *move, enum outbox_kind kind)
{
    const char *file = kind == OUTBOX_QUEUE ? "queue.db" : "stream.db";
    sqlite3_stmt *statement;
    sqlite3 *source;
    int code = move_open_file(file, &source, &move->err);
    if (code)
        return code == -ENOENT ? 0 : code;
    if (sqlite3_prepare_v2(source, kind == OUTBOX_QUEUE ? waiting_in_queue : unread_in_stream, -1, &statement, NULL) != SQLITE_OK)
        code = err_set(&move->err, -EIO, "%s: %s", file, sqlite3_errmsg(source));
    int step = SQLITE_DONE;
    while (!code && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        struct outbox_moved message = {kind, ++move->messages, destination_of(tx->arena, column(statement, 0)), column(statement, 1),
                                       column(statement, 2), column(statement, 3), column(statement, 4), column(statement, 5),
                                       column(statement, 6)};
        if (!strcmp(sender_to(message.destination), move->service))
            code = outbox_add_moved(tx, &message);
        else
            move->messages--;
    }
    if (!code && step != SQLITE_DONE)
        code = err_set(&move->err, -EIO, "%s: %s", file, sqlite3_errmsg(source));
    sqlite3_finalize(statement);
    sqlite3_close(source);
    return code < 0 ? code : 0;
}

/* ---- a service ---- */

static const char *words_for(const struct move *move, int code)
{
    if (!move->err.message[0] || code == -EAGAIN)
        return code == -EAGAIN ? "the target does not answer, or does not let its role in (the warnings above say which)" : strerror(-code);
    return move->err.message;
}

static int check_empty(struct transaction *tx, void *arg)
{
    struct move *move = arg;
    int code = 0;
    for (unsigned i = 0; i < move->table_count && code == 0; i++)
        code = move_table_is_empty(tx, &move->tables[i], &move->err);
    return code;
}

static int copy_service(struct transaction *tx, void *arg)
{
    struct move *move = arg;
    /* Between two statements a large file may be sorted. */
    int code = sql_run(tx, "SET LOCAL idle_in_transaction_session_timeout = 0", "");
    code = code < 0 ? code : 0;
    move->messages = 0;
    for (unsigned i = 0; i < move->table_count && code == 0; i++)
        code = move_table_hold(tx, &move->tables[i]);
    if (code == 0)
        code = check_empty(tx, move);
    for (unsigned i = 0; i < move->table_count && code == 0; i++) {
        code = move_table_copy(tx, move->source, &move->tables[i], &move->err);
        if (code == 0)
            code = move_table_compare(tx, move->source, &move->tables[i], &move->err);
        if (code == 0)
            printf("  %s.%s: %lld rows, each compared\n", move->service, move->tables[i].name, (long long)move->tables[i].rows);
    }
    if (code == 0)
        code = take_messages(tx, move, OUTBOX_QUEUE);
    return code ? code : take_messages(tx, move, OUTBOX_STREAM);
}

/* The file's tables in the order they were made, which is the order in which they refer to each other. */
static int list_tables(struct arena *arena, struct move *move)
{
    static const char list[] = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND "
                               "name <> 'schema_migrations' ORDER BY rowid";
    sqlite3_stmt *statement;
    int code = 0;
    if (sqlite3_prepare_v2(move->source, list, -1, &statement, NULL) != SQLITE_OK)
        return err_set(&move->err, -EIO, "%s", sqlite3_errmsg(move->source));
    while (!code && sqlite3_step(statement) == SQLITE_ROW && move->table_count < TABLES_MAX)
        code = move_table_init(arena, move->source, column(statement, 0), &move->tables[move->table_count++], &move->err);
    sqlite3_finalize(statement);
    return code;
}

static FIBER_FN int prepare(struct arena *arena, struct move *move)
{
    int code = list_tables(arena, move);
    if (!code)
        code = database_open(move->service, &move->target, &move->err);
    if (!code)
        code = database_migrate(move->target, move->service, &move->err);
    if (!code)
        code = database_read(move->target, move_same_version, &(struct move_version){move->source, &move->err});
    return code ? code : database_read(move->target, check_empty, move);
}

static FIBER_FN int move_all(struct move *moves, unsigned count)
{
    int code = 0;
    unsigned at = 0;
    for (; at < count; at++)
        if ((code = prepare(fiber_arena(), &moves[at])))
            return cli_fail(1, "nothing was moved: %s: %s", moves[at].service, words_for(&moves[at], code));
    for (at = 0; at < count; at++) {
        struct move *move = &moves[at];
        code = database_transact(move->target, copy_service, move);
        if (code)
            return cli_fail(1, "%s was not moved%s: %s", move->service, at ? "; empty the schemas of those before it to try again" : "",
                            words_for(move, code));
        printf("%s is moved, with %lld messages that were on their way.\n", move->service, (long long)move->messages);
    }
    return 0;
}

static FIBER_FN int move_job(void *unused)
{
    struct move *moves = arena_alloc(fiber_arena(), SERVICES_ROOM * sizeof *moves); /* too large for a fiber's stack */
    unsigned count = 0;
    int status = 0;
    for (unsigned i = 0; cli_services[i] && i < SERVICES_ROOM && !status; i++) {
        struct move *move = &moves[count];
        move->service = cli_services[i]->name;
        int code = move_open_file(arena_printf(fiber_arena(), "%s.db", move->service), &move->source, &move->err);
        if (code == 0)
            count++;
        else if (code != -ENOENT) /* a service that never ran here */
            status = cli_fail(1, "nothing was moved: %s", move->err.message);
    }
    if (!status)
        status = move_all(moves, count);
    for (unsigned i = 0; i < count; i++) {
        sqlite3_close_v2(moves[i].source);
        if (moves[i].target)
            database_close(moves[i].target);
    }
    if (!status && !*settings_text("key_secret"))
        printf("Give the cluster the line in %s/key.secret as PURSER_KEY_SECRET: the signing keys are sealed with it.\n", settings_text("data"));
    return status;
}

int cli_move(struct cli_arguments *arguments)
{
    static char data[4096], url[4096];
    static const struct service *const none[] = {NULL};
    const char *from = cli_take_flag(arguments, "from"), *to = cli_take_flag(arguments, "to");
    struct err err;
    if (!from || !to || arguments->word_count || strncmp(to, "postgres", 8) != 0)
        return cli_wrong_use("move");
    unsigned flags = 0;
    while (arguments->flags[flags])
        flags++;
    if (snprintf(data, sizeof data, "--data=%s", from) >= (int)sizeof data || snprintf(url, sizeof url, "--database-url=%s", to) >= (int)sizeof url)
        return cli_fail(2, "--from or --to is too long");
    arguments->flags[flags] = data; /* in the places of the two that were taken */
    arguments->flags[flags + 1] = url;
    arguments->flags[flags + 2] = NULL;
    if (!cli_load_settings(arguments))
        return 1;
    if (access(from, F_OK))
        return cli_fail(1, "there is no data folder %s", from);
    if (data_folder_take(&err))
        return cli_fail(1, "%s", err.message);
    struct process_plan plan = {.services = none, .tables_only = true, .job = move_job};
    return process_run(&plan);
}
