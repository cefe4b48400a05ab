/*
 * Runs a test's body on a fiber with the database of one service: a fresh SQLite file, or the URL in PURSER_TEST_DATABASE_URL. And races:
 * the same kind of transaction sixteen times at once.
 */
#ifndef PURSER_TESTS_ON_DATABASE_H
#define PURSER_TESTS_ON_DATABASE_H

#include "base/settings.h"
#include "engines/database.h"
#include "runtime/on_fiber.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RACERS 16

static struct database *test_database;
static const char *test_service;
static void (*test_body)(void);

static inline void must(int code, const char *what)
{
    if (code >= 0)
        return;
    fprintf(stderr, "%s: %s\n", what, strerror(-code));
    abort();
}

static inline void use_fresh_data(void)
{
    static char folder[64];
    static char *no_arguments[] = {NULL};
    struct err err;
    const char *url = getenv("PURSER_TEST_DATABASE_URL");
    snprintf(folder, sizeof folder, "/tmp/purser-unit-XXXXXX");
    if (!mkdtemp(folder))
        abort();
    must(settings_load(no_arguments, &err), "settings");
    must(settings_set("data", folder, &err), "data folder");
    if (url)
        must(settings_set("database_url", url, &err), "database_url");
}

static inline void remove_data(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", settings_text("data"));
    if (system(command))
        abort();
}

static inline void on_database_main(void)
{
    struct err err = {0};
    must(database_open(test_service, &test_database, &err), "open");
    must(database_migrate(test_database, test_service, &err), err.message);
    test_body();
    database_close(test_database);
}

static inline void on_database(const char *service, void (*body)(void))
{
    use_fresh_data();
    test_service = service;
    test_body = body;
    on_fiber(1, on_database_main);
    remove_data();
}

/* ---- races ---- */

struct racer {
    transaction_body *body;
    void *arg;
    int code;
};

static unsigned racers_left;
static struct fiber *race_waiter;

static inline void racer_run(void *arg)
{
    struct racer *racer = arg;
    racer->code = database_transact(test_database, racer->body, racer->arg);
    if (--racers_left == 0)
        fiber_wake(race_waiter);
}

/* All at once; returns how many succeeded. */
static inline unsigned race(struct racer *racers, unsigned count)
{
    unsigned good = 0;
    racers_left = count;
    race_waiter = fiber_self();
    for (unsigned i = 0; i < count; i++)
        must(fiber_start("racer", racer_run, &racers[i]), "racer");
    while (racers_left)
        fiber_wait_uninterrupted();
    for (unsigned i = 0; i < count; i++)
        good += racers[i].code == 0;
    return good;
}

/* One number of the database. */
struct number_query {
    const char *sql;
    int64_t number;
};

static inline int number_body(struct transaction *tx, void *arg)
{
    struct number_query *query = arg;
    struct rows rows;
    int code = sql_query(tx, &rows, query->sql, "");
    query->number = code == 0 && rows.count ? rows_integer(&rows, 0, 0) : -1;
    return code;
}

static inline int64_t number(const char *sql)
{
    struct number_query query = {.sql = sql};
    must(database_transact(test_database, number_body, &query), sql);
    return query.number;
}

#endif
