/*
 * The database port's wrapper: picks the adapter by the URL's scheme, takes the arguments of statements off the variable
 * arguments, and keeps what is to be called after the commit. What waits and what is durable is the
 * adapters' part.
 */
#include "engines/database.h"

#include "base/settings.h"
#include "engines/database_ops.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static const struct database_ops *const adapters[] = {&sqlite_database_ops, &postgres_database_ops};

static const struct database_ops *adapter_of(const char *url)
{
    const char *colon = strchr(url, ':');
    struct text scheme = {url, colon ? (size_t)(colon - url) : 0};
    if (text_equal(scheme, text_of("postgresql")))
        scheme = text_of("postgres");
    for (size_t i = 0; i < sizeof adapters / sizeof *adapters; i++)
        if (text_equal(scheme, text_of(adapters[i]->scheme)))
            return adapters[i];
    return NULL;
}

int database_open(const char *schema, struct database **ret_database, struct err *err)
{
    const char *url = settings_text("database_url");
    const struct database_ops *ops = adapter_of(url);
    if (!ops)
        return err_set(err, -EINVAL, "PURSER_DATABASE_URL should be sqlite: or postgres://…, not %s", url);
    return ops->open(schema, ret_database, err);
}

void database_close(struct database *database)
{
    if (database)
        database->ops->close(database);
}

bool database_is_up(const struct database *database)
{
    return database->ops->is_up(database);
}

bool database_is_postgres(const struct database *database)
{
    return database->ops == &postgres_database_ops;
}

static void run_after_commit(const struct transaction *tx)
{
    for (const struct after_commit *after = tx->after; after; after = after->next)
        after->run(after->arg);
}

int database_transact(struct database *database, transaction_body *body, void *arg)
{
    struct transaction tx = {.database = database, .arena = fiber_arena()};
    int code = database->ops->transact(database, &tx, body, arg);
    if (code == 0)
        run_after_commit(&tx);
    return code;
}

int database_read(struct database *database, transaction_body *body, void *arg)
{
    struct transaction tx = {.database = database, .arena = fiber_arena()};
    return database->ops->read(database, &tx, body, arg);
}

int database_scan(struct database *database, transaction_body *body, void *arg)
{
    struct transaction tx = {.database = database, .arena = fiber_arena()};
    return database->ops->scan(database, &tx, body, arg);
}

int database_read_one(struct database *database, transaction_body *body, void *arg)
{
    struct transaction tx = {.database = database, .arena = fiber_arena()};
    return database->ops->read_one(database, &tx, body, arg);
}

int database_write_one(struct database *database, transaction_body *body, void *arg)
{
    struct transaction tx = {.database = database, .arena = fiber_arena()};
    int code = database->ops->write_one(database, &tx, body, arg);
    if (code == 0)
        run_after_commit(&tx);
    return code;
}

unsigned database_own(struct database *database, int first, unsigned count, bool *ret_owned)
{
    return database->ops->own(database, first, count, ret_owned);
}

void database_signal(struct database *database)
{
    database->ops->signal(database);
}

void database_on_signal(struct database *database, void (*heard)(void *arg), void *arg)
{
    database->ops->on_signal(database, heard, arg);
}

int transaction_run_body(struct transaction *tx, transaction_body *body, void *arg)
{
    jmp_buf here;
    jmp_buf *volatile former = memory_rescue;
    volatile int code = -ENOMEM;
    tx->after = NULL;
    tx->pending = NULL;
    tx->failed = 0;
    if (_setjmp(here) == 0) {
        memory_rescue = &here;
        int word = body(tx, arg);
        if (word >= 0)
            sql_write_sets(tx);
        code = word < 0 ? word : tx->failed;
    }
    memory_rescue = former;
    return code;
}

struct arena *transaction_arena(struct transaction *tx)
{
    return tx->arena;
}

struct database *transaction_database(struct transaction *tx)
{
    return tx->database;
}

void transaction_after_commit(struct transaction *tx, void (*run)(void *arg), void *arg)
{
    struct after_commit **last = &tx->after;
    for (; *last; last = &(*last)->next)
        if ((*last)->run == run && (*last)->arg == arg)
            return;
    struct after_commit *after = arena_alloc(tx->arena, sizeof *after);
    after->run = run;
    after->arg = arg;
    *last = after;
}

/* ---- statements ---- */

static struct sql_argument text_argument(char type, struct text text)
{
    return (struct sql_argument){.type = text.at ? type : 0, .text = text};
}

static void take_arguments(struct sql_statement *statement, const char *sql, const char *types, va_list list)
{
    statement->sql = sql;
    statement->lock = false;
    statement->count = 0;
    for (; *types; types++) {
        assert(statement->count < SQL_ARGUMENTS_MAX);
        struct sql_argument *argument = &statement->arguments[statement->count++];
        if (*types == 'i')
            *argument = (struct sql_argument){.type = 'i', .number = va_arg(list, int64_t)};
        else if (*types == 't')
            *argument = text_argument('t', text_of(va_arg(list, const char *)));
        else if (*types == 's' || *types == 'b')
            *argument = text_argument(*types, *va_arg(list, const struct text *));
        else
            abort();
    }
}

static int take_failure(struct transaction *tx)
{
    int code = tx->failed;
    tx->failed = 0;
    return code;
}

static int execute(struct transaction *tx, struct rows *ret_rows, const struct sql_statement *statement)
{
    sql_write_sets(tx);
    if (tx->failed)
        return take_failure(tx);
    int code = tx->database->ops->execute(tx, ret_rows, statement);
    return tx->failed ? take_failure(tx) : code;
}

int sql_run(struct transaction *tx, const char *sql, const char *types, ...)
{
    struct sql_statement statement;
    va_list list;
    va_start(list, types);
    take_arguments(&statement, sql, types, list);
    va_end(list);
    return execute(tx, NULL, &statement);
}

int sql_query(struct transaction *tx, struct rows *ret_rows, const char *sql, const char *types, ...)
{
    struct sql_statement statement;
    va_list list;
    va_start(list, types);
    take_arguments(&statement, sql, types, list);
    va_end(list);
    return execute(tx, ret_rows, &statement);
}

int sql_query_locked(struct transaction *tx, struct rows *ret_rows, const char *sql, const char *types, ...)
{
    struct sql_statement statement;
    va_list list;
    va_start(list, types);
    take_arguments(&statement, sql, types, list);
    va_end(list);
    statement.lock = true;
    return execute(tx, ret_rows, &statement);
}

int sql_ask(struct transaction *tx, struct rows *ret_rows, const char *sql, const char *types, ...)
{
    struct sql_statement statement;
    va_list list;
    *ret_rows = (struct rows){0};
    sql_write_sets(tx);
    if (tx->failed)
        return 0;
    va_start(list, types);
    take_arguments(&statement, sql, types, list);
    va_end(list);
    tx->database->ops->ask(tx, ret_rows, &statement);
    return 0;
}

int sql_ask_locked(struct transaction *tx, struct rows *ret_rows, const char *sql, const char *types, ...)
{
    struct sql_statement statement;
    va_list list;
    *ret_rows = (struct rows){0};
    sql_write_sets(tx);
    if (tx->failed)
        return 0;
    va_start(list, types);
    take_arguments(&statement, sql, types, list);
    va_end(list);
    statement.lock = true;
    tx->database->ops->ask(tx, ret_rows, &statement);
    return 0;
}

int sql_settle(struct transaction *tx)
{
    if (tx->failed)
        return take_failure(tx);
    int code = tx->database->ops->settle(tx);
    return tx->failed ? take_failure(tx) : code;
}

void sql_send_list(struct transaction *tx, const char *sql, const char *types, va_list list)
{
    struct sql_statement statement;
    sql_write_sets(tx);
    if (tx->failed)
        return;
    take_arguments(&statement, sql, types, list);
    tx->database->ops->send(tx, &statement);
}

int sql_send(struct transaction *tx, const char *sql, const char *types, ...)
{
    va_list list;
    va_start(list, types);
    sql_send_list(tx, sql, types, list);
    va_end(list);
    return 0;
}
