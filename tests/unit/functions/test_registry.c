/* News of functions that come late or out of order undo nothing newer: news of this instance's changes, and what a refresh reads of others'. */
#include "functions/hooks.h"
#include "functions/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engines/in_folder.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

/* Beyond every revision that the database of this test comes to. */
#define LATER 1000000

static struct stored_version row_of(const char *name, const char *id, int64_t number, int64_t revision)
{
    return (struct stored_version){
        .name = name,
        .id = id,
        .number = number,
        .revision = revision,
        .access = "user",
        .settings = "{}",
        .triggers = "[]",
        .source = "function handler() {}",
        .timeout_ms = 1000,
        .memory_mb = 64,
        .concurrency = 1,
    };
}

static void note(const char *name, const char *id, int64_t number, int64_t revision)
{
    struct stored_version row = row_of(name, id, number, revision);
    registry_note_row(name, &row);
}

static void note_deletion(const char *name, int64_t revision)
{
    registry_note_row(name, &(struct stored_version){.revision = revision});
}

/* The version that answers; 0: none. */
static int64_t current(const char *name)
{
    struct pool_entry *entry = pool_entry_find(name);
    struct version *version = entry ? pool_version(entry) : NULL;
    int64_t number = version ? version->number : 0;
    version_unref(version);
    return number;
}

static void test_late_news(void **state)
{
    note("late", "id-2", 2, LATER + 20);
    assert_int_equal(current("late"), 2);
    note("late", "id-1", 1, LATER + 10);
    assert_int_equal(current("late"), 2);
    note_deletion("late", LATER + 15);
    assert_int_equal(current("late"), 2);
    note("late", "id-1", 1, LATER + 30); /* rolled back */
    assert_int_equal(current("late"), 1);
    note("late", "id-2", 2, LATER + 20); /* the same news again */
    assert_int_equal(current("late"), 1);
    note_deletion("late", LATER + 40);
    assert_int_equal(current("late"), 0);
    note("late", "id-3", 3, LATER + 35);
    assert_int_equal(current("late"), 0);
    note("late", "id-4", 1, LATER + 50); /* made anew */
    assert_int_equal(current("late"), 1);
}

/* A version that is told of twice keeps its object, and with it its warm processes. */
static void test_the_same_version(void **state)
{
    note("same", "id-1", 1, LATER + 1);
    struct version *before = pool_version(pool_entry_find("same"));
    note("same", "id-1", 1, LATER + 2);
    struct version *after = pool_version(pool_entry_find("same"));
    assert_ptr_equal(before, after);
    version_unref(before);
    version_unref(after);
    note("same", "id-0", 9, LATER + 2); /* but it is known of the later revision now */
    assert_int_equal(current("same"), 1);
}

#define THREADS 4
#define NEWS 5000

/* Each thread tells every fourth revision, from the last to the first or the other way round. */
static void *tell(void *arg)
{
    int first = *(int *)arg;
    for (int i = 0; i < NEWS; i++) {
        int64_t revision = 1 + first + (int64_t)(first % 2 ? NEWS - 1 - i : i) * THREADS;
        char id[37];
        snprintf(id, sizeof id, "id-%lld", (long long)revision);
        note("contested", id, revision, LATER + revision);
    }
    return NULL;
}

static void test_news_from_many_threads(void **state)
{
    pthread_t threads[THREADS];
    int first[THREADS];
    for (int i = 0; i < THREADS; i++) {
        first[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, tell, &first[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(current("contested"), THREADS * NEWS);
}

static int create_body(struct transaction *tx, void *row)
{
    return functions_store_create_tx(tx, row);
}

static int update_body(struct transaction *tx, void *row)
{
    return functions_store_update_tx(tx, row);
}

static int delete_body(struct transaction *tx, void *row)
{
    struct stored_version *gone = row;
    return functions_store_delete_tx(tx, gone->name, gone);
}

#define HOOKED 100

static int hooked_body(struct transaction *tx, void *unused)
{
    int error = 0;
    for (int i = 0; i < HOOKED && !error; i++) {
        struct stored_version row = row_of(arena_printf(transaction_arena(tx), "hooked-%d", i), "", 1, 0);
        row.triggers = "[\"cron:1 2 3 4 *\"]";
        error = functions_store_create_tx(tx, &row);
    }
    return error;
}

static int count_jobs_body(struct transaction *tx, void *ret_count)
{
    struct rows rows;
    int error = sql_query(tx, &rows, "SELECT COUNT(*) FROM hook_runs WHERE name LIKE 'hooked-%'", "");
    if (!error)
        *(int64_t *)ret_count = rows_integer(&rows, 0, 0);
    return error;
}

/* However many functions wait for one event, all of them get it, once. */
static void many_hooks(struct database *database)
{
    struct tm when = {.tm_year = 126, .tm_mon = 3, .tm_mday = 3, .tm_hour = 2, .tm_min = 1};
    int64_t jobs = 0;
    assert_int_equal(database_transact(database, hooked_body, NULL), 0);
    assert_int_equal(hooks_reload(database), 0);
    assert_int_equal(hooks_minute(database, timegm(&when) / 60), 0);
    assert_int_equal(hooks_minute(database, timegm(&when) / 60), 0);
    assert_int_equal(database_read(database, count_jobs_body, &jobs), 0);
    assert_int_equal(jobs, HOOKED);
}

/* What another instance does shows in the database only. */
static void body(void)
{
    struct database *database = database_of("functions");
    struct err err = {0};
    assert_int_equal(registry_start(database, &err), 0);
    assert_int_equal(current("calculate-total"), 1);

    /* Two versions of others, while ours, from between them, is still on its way. */
    struct stored_version first = row_of("shared", "", 1, 0), second = first;
    assert_int_equal(database_transact(database, create_body, &first), 0);
    assert_int_equal(database_transact(database, update_body, &second), 0);
    assert_int_equal(first.revision + 1, second.revision);
    assert_int_equal(registry_refresh(database), 0);
    assert_int_equal(current("shared"), 2);
    registry_note_row("shared", &first);
    assert_int_equal(current("shared"), 2);

    /* Made here, deleted there, and the news of the first comes after a refresh that knows neither. */
    struct stored_version made = row_of("brief", "", 1, 0), gone = made;
    assert_int_equal(database_transact(database, create_body, &made), 0);
    assert_int_equal(database_transact(database, delete_body, &gone), 0);
    assert_int_equal(gone.revision, made.revision + 1);
    assert_int_equal(registry_refresh(database), 0);
    registry_note_row("brief", &made);
    assert_int_equal(current("brief"), 0);

    /* What is known already from later on is not undone by a refresh that began before. */
    note("early", "id-7", 7, gone.revision + 5);
    note("shared", "id-8", 8, gone.revision + 5);
    struct stored_version other = row_of("other", "", 1, 0);
    assert_int_equal(database_transact(database, create_body, &other), 0);
    assert_int_equal(registry_refresh(database), 0);
    assert_int_equal(current("other"), 1);
    assert_int_equal(current("early"), 7);
    assert_int_equal(current("shared"), 8);

    /* Deleted by others: gone with the next refresh. */
    assert_int_equal(database_transact(database, delete_body, &other), 0);
    assert_int_equal(registry_refresh(database), 0);
    assert_int_equal(current("other"), 0);
    assert_int_equal(current("calculate-total"), 1);

    unsigned before = registry_changes();
    note_deletion("early", LATER);
    assert_int_not_equal(registry_changes(), before);
    many_hooks(database);
    database_close(database);
}

static void test_refresh(void **state)
{
    in_folder(2, body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refresh),
        cmocka_unit_test(test_late_news),
        cmocka_unit_test(test_the_same_version),
        cmocka_unit_test(test_news_from_many_threads),
    };
    return cmocka_run_group_tests_name("functions/registry", tests, NULL, NULL);
}
