/* The database port, against the adapter of PURSER_DATABASE_URL. */
#include "engines/database.h"
#include "port_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define FIRST "0190a000-0000-7000-8000-000000000001"
#define SECOND "0190a000-0000-7000-8000-000000000002"
#define FIBERS 16

static struct database *database;

static int run_script(struct transaction *tx, void *arg)
{
    for (const char *const *sql = arg; *sql; sql++) {
        int code = sql_run(tx, *sql, "");
        if (code < 0)
            return code;
    }
    return 0;
}

/* The users' schema, with tables of our own that every case finds empty. */
static void open_database(void)
{
    struct err err = {0};
    static const char *const sqlite[] = {
        "DROP TABLE IF EXISTS things", "DROP TABLE IF EXISTS stock",
        "CREATE TABLE things (id TEXT PRIMARY KEY, name TEXT UNIQUE, number INTEGER CHECK (number >= 0), bytes BLOB)",
        "CREATE TABLE stock (sku TEXT PRIMARY KEY, count INTEGER NOT NULL)", NULL};
    static const char *const postgres[] = {
        "DROP TABLE IF EXISTS things", "DROP TABLE IF EXISTS stock",
        "CREATE TABLE things (id UUID PRIMARY KEY, name TEXT UNIQUE, number BIGINT CHECK (number >= 0), bytes BYTEA)",
        "CREATE TABLE stock (sku TEXT PRIMARY KEY, count BIGINT NOT NULL)", NULL};
    if (database_open("users", &database, &err) < 0)
        case_failed(__FILE__, __LINE__, err.message);
    check_equal(database_transact(database, run_script, (void *)(database_is_postgres(database) ? postgres : sqlite)), 0);
}

/* ---- values ---- */

static int write_values(struct transaction *tx, void *arg)
{
    struct text name = {"Grüße\nx", 9}, bytes = {"\0\1\2\377", 4};
    check_equal(sql_run(tx, "INSERT INTO things (id, name, number, bytes) VALUES (?1, ?2, ?3, ?4)", "tsib", FIRST, &name,
                        INT64_C(9007199254740993), &bytes), 1);
    check_equal(sql_run(tx, "INSERT INTO things (id, name, number, bytes) VALUES (?1, ?2, ?3, ?4)", "ttit", SECOND, NULL, (int64_t)0, NULL), 1);
    return 0;
}

static int read_values(struct transaction *tx, void *arg)
{
    struct rows rows;
    check_equal(sql_query(tx, &rows, "SELECT id, name, number, bytes FROM things ORDER BY id", ""), 0);
    check_equal(rows.count, 2);
    check_equal(rows.columns, 4);
    check(!strcmp(rows_text(&rows, 0, 0), FIRST));
    check(!strcmp(rows_text(&rows, 0, 1), "Grüße\nx"));
    check(rows_integer(&rows, 0, 2) == INT64_C(9007199254740993));
    check_equal(rows.cells[3].size, 4);
    check(!memcmp(rows.cells[3].at, "\0\1\2\377", 4));
    check(rows_null(&rows, 1, 1) && rows_null(&rows, 1, 3) && !rows_null(&rows, 1, 2));
    check(rows_text(&rows, 1, 1) == NULL);
    check_equal(rows_integer(&rows, 1, 3), 0);
    return 0;
}

static int change_values(struct transaction *tx, void *arg)
{
    struct rows rows;
    check_equal(sql_run(tx, "UPDATE things SET number = number + ?1", "i", (int64_t)5), 2);
    check_equal(sql_query(tx, &rows, "UPDATE things SET number = number - ?2 WHERE id = ?1 RETURNING number", "ti", SECOND, (int64_t)2), 0);
    check_equal(rows.count, 1);
    check_equal(rows_integer(&rows, 0, 0), 3);
    check_equal(sql_query(tx, &rows, "SELECT id FROM things WHERE number = ?1", "i", (int64_t)77), 0);
    check_equal(rows.count, 0);
    check_equal(sql_query_locked(tx, &rows, "SELECT number FROM things WHERE id = ?1", "t", SECOND), 0);
    check_equal(rows_integer(&rows, 0, 0), 3);
    check_equal(sql_run(tx, "DELETE FROM things WHERE id = ?1", "t", SECOND), 1);
    return 0;
}

static void values(void *arg)
{
    open_database();
    check_equal(database_transact(database, write_values, NULL), 0);
    check_equal(database_read(database, read_values, NULL), 0);
    check_equal(database_scan(database, read_values, NULL), 0);
    check_equal(database_transact(database, change_values, NULL), 0);
    check(database_is_up(database));
    database_close(database);
}

static void test_values(void **state)
{
    case_run(values, NULL);
}

/* ---- failing ---- */

static int count_things(struct transaction *tx, void *arg)
{
    struct rows rows;
    int code = sql_query(tx, &rows, "SELECT count(*) FROM things", "");
    return code < 0 ? code : (*(int64_t *)arg = rows_integer(&rows, 0, 0), 0);
}

static int64_t things(void)
{
    int64_t count = -1;
    check_equal(database_read(database, count_things, &count), 0);
    return count;
}

static int insert_and_fail(struct transaction *tx, void *arg)
{
    check_equal(sql_run(tx, "INSERT INTO things (id, name) VALUES (?1, ?2)", "tt", FIRST, "a"), 1);
    return -ENOENT;
}

static int go_on_after_constraints(struct transaction *tx, void *arg)
{
    check_equal(sql_run(tx, "INSERT INTO things (id, name, number) VALUES (?1, ?2, 1)", "tt", FIRST, "a"), 1);
    check_equal(sql_run(tx, "INSERT INTO things (id, name, number) VALUES (?1, ?2, 1)", "tt", FIRST, "b"), -EEXIST);
    check_equal(sql_run(tx, "INSERT INTO things (id, name, number) VALUES (?1, ?2, 1)", "tt", SECOND, "a"), -EEXIST);
    check_equal(sql_run(tx, "UPDATE things SET number = number - 2 WHERE id = ?1", "t", FIRST), -EEXIST);
    check_equal(sql_run(tx, "INSERT INTO things (id, name, number) VALUES (?1, ?2, 1) ON CONFLICT DO NOTHING", "tt", FIRST, "b"), 0);
    check_equal(sql_run(tx, "INSERT INTO things (id, name, number) VALUES (?1, ?2, 1)", "tt", SECOND, "b"), 1);
    return 0;
}

static int sent_and_broken(struct transaction *tx, void *arg)
{
    sql_send(tx, "INSERT INTO things (id, name) VALUES (?1, ?2)", "tt", "0190a000-0000-7000-8000-000000000003", "c");
    sql_send(tx, "INSERT INTO things (id, name) VALUES (?1, ?2)", "tt", FIRST, "d");
    return 0;
}

static int sent(struct transaction *tx, void *arg)
{
    struct rows rows;
    sql_send(tx, "INSERT INTO things (id, name) VALUES (?1, ?2)", "tt", "0190a000-0000-7000-8000-000000000003", "c");
    sql_send(tx, "UPDATE things SET name = ?2 WHERE id = ?1", "tt", "0190a000-0000-7000-8000-000000000003", "d");
    check_equal(sql_query(tx, &rows, "SELECT name FROM things WHERE id = ?1", "t", "0190a000-0000-7000-8000-000000000003"), 0);
    check_equal(rows.count, 1);
    check(!strcmp(rows_text(&rows, 0, 0), "d"));
    sql_send(tx, "UPDATE things SET name = ?2 WHERE id = ?1", "tt", "0190a000-0000-7000-8000-000000000003", "e");
    return 0;
}

static int wrong_statement(struct transaction *tx, void *arg)
{
    check_equal(sql_run(tx, "UPDATE things SET number = 7", "") < 0, false);
    int code = sql_run(tx, "UPDATE no_such_table SET x = 1", "");
    check(code < 0 && code != -EEXIST);
    return code;
}

static void failing(void *arg)
{
    open_database();
    check_equal(database_transact(database, insert_and_fail, NULL), -ENOENT);
    check_equal(things(), 0);
    check_equal(database_transact(database, go_on_after_constraints, NULL), 0);
    check_equal(things(), 2);
    check_equal(database_transact(database, sent_and_broken, NULL), -EEXIST);
    check_equal(things(), 2);
    check_equal(database_transact(database, sent, NULL), 0);
    check_equal(things(), 3);
    check(database_transact(database, wrong_statement, NULL) < 0);
    check_equal(things(), 3);
    database_close(database);
}

static void test_failing(void **state)
{
    case_run(failing, NULL);
}

/* ---- after the commit ---- */

struct calls {
    _Atomic int made;
    int outcome;
    struct worker *worker;
};

static void note_call(void *arg)
{
    struct calls *calls = arg;
    check(worker_self() == calls->worker);
    atomic_fetch_add(&calls->made, 1);
}

static int ask_for_call(struct transaction *tx, void *arg)
{
    struct calls *calls = arg;
    transaction_after_commit(tx, note_call, calls);
    transaction_after_commit(tx, note_call, calls);
    sql_send(tx, "UPDATE things SET number = 1", "");
    return calls->outcome;
}

static void after_commit(void *arg)
{
    open_database();
    struct calls calls = {.worker = worker_self()};
    check_equal(database_transact(database, ask_for_call, &calls), 0);
    check_equal(atomic_load(&calls.made), 1);
    calls.outcome = -ENOENT;
    check_equal(database_transact(database, ask_for_call, &calls), -ENOENT);
    check_equal(atomic_load(&calls.made), 1);
    database_close(database);
}

static void test_after_commit(void **state)
{
    case_run(after_commit, NULL);
}

/* ---- races ---- */

struct race {
    _Atomic int won, lost;
};

static int take_last(struct transaction *tx, void *arg)
{
    return sql_run(tx, "UPDATE stock SET count = count - 1 WHERE sku = ?1 AND count > 0", "t", "last") == 1 ? 0 : -ENOENT;
}

static void buy(void *arg)
{
    struct race *race = arg;
    for (int i = 0; i < 20; i++) {
        int code = database_transact(database, take_last, NULL);
        check(code == 0 || code == -ENOENT);
        atomic_fetch_add(code == 0 ? &race->won : &race->lost, 1);
    }
}

static int add_locked(struct transaction *tx, void *arg)
{
    struct rows rows;
    int code = sql_query_locked(tx, &rows, "SELECT count FROM stock WHERE sku = ?1", "t", "sum");
    if (code < 0)
        return code;
    return sql_run(tx, "UPDATE stock SET count = ?2 WHERE sku = ?1", "ti", "sum", rows_integer(&rows, 0, 0) + 1) == 1 ? 0 : -EINVAL;
}

static void sum_up(void *arg)
{
    for (int i = 0; i < 10; i++)
        check_equal(database_transact(database, add_locked, NULL), 0);
}

static int insert_unique(struct transaction *tx, void *arg)
{
    char id[UUID_SIZE];
    uuid_make(id);
    int code = sql_run(tx, "INSERT INTO things (id, name) VALUES (?1, 'one')", "t", id);
    return code < 0 ? code : 0;
}

static void insert_once(void *arg)
{
    struct race *race = arg;
    int code = database_transact(database, insert_unique, NULL);
    check(code == 0 || code == -EEXIST);
    atomic_fetch_add(code == 0 ? &race->won : &race->lost, 1);
}

static int read_stock(struct transaction *tx, void *arg)
{
    struct rows rows;
    check_equal(sql_query(tx, &rows, "SELECT count FROM stock ORDER BY sku", ""), 0);
    ((int64_t *)arg)[0] = rows_integer(&rows, 0, 0);
    ((int64_t *)arg)[1] = rows_integer(&rows, 1, 0);
    return 0;
}

static void races(void *arg)
{
    open_database();
    static const char *const rows[] = {"INSERT INTO stock (sku, count) VALUES ('last', 100)", "INSERT INTO stock (sku, count) VALUES ('sum', 0)", NULL};
    check_equal(database_transact(database, run_script, (void *)rows), 0);
    struct race race = {0};
    case_crowd(FIBERS, buy, &race);
    check_equal(atomic_load(&race.won), 100);
    check_equal(atomic_load(&race.lost), FIBERS * 20 - 100);
    case_crowd(FIBERS, sum_up, NULL);
    int64_t counts[2];
    check_equal(database_read(database, read_stock, counts), 0);
    check_equal(counts[0], 0);
    check_equal(counts[1], FIBERS * 10);
    race = (struct race){0};
    case_crowd(FIBERS, insert_once, &race);
    check_equal(atomic_load(&race.won), 1);
    check_equal(things(), 1);
    database_close(database);
}

static void test_races(void **state)
{
    case_run(races, NULL);
}

/* Two rows locked in opposite orders: one of the two is run again, and both succeed. */
static int lock_both(struct transaction *tx, void *arg)
{
    struct rows rows;
    const char *const *order = arg;
    for (int i = 0; i < 2; i++) {
        int code = sql_query_locked(tx, &rows, "SELECT count FROM stock WHERE sku = ?1", "t", order[i]);
        if (code < 0)
            return code;
        if (sql_run(tx, "UPDATE stock SET count = count + 1 WHERE sku = ?1", "t", order[i]) < 0)
            return -EINVAL;
    }
    return 0;
}

static _Atomic int turn;

static void lock_in_turn(void *arg)
{
    static const char *const forth[] = {"last", "sum"}, *const back[] = {"sum", "last"};
    bool forwards = atomic_fetch_add(&turn, 1) % 2;
    for (int i = 0; i < 5; i++)
        check_equal(database_transact(database, lock_both, (void *)(forwards ? forth : back)), 0);
}

static void deadlocks(void *arg)
{
    open_database();
    static const char *const rows[] = {"INSERT INTO stock (sku, count) VALUES ('last', 0)", "INSERT INTO stock (sku, count) VALUES ('sum', 0)", NULL};
    check_equal(database_transact(database, run_script, (void *)rows), 0);
    case_crowd(4, lock_in_turn, NULL);
    int64_t counts[2];
    check_equal(database_read(database, read_stock, counts), 0);
    check_equal(counts[0], 20);
    check_equal(counts[1], 20);
    database_close(database);
}

static void test_deadlocks(void **state)
{
    case_run(deadlocks, NULL);
}

/* ---- a group with some that fail ---- */

static int insert_even(struct transaction *tx, void *arg)
{
    int64_t number = atomic_fetch_add((_Atomic int *)arg, 1);
    char id[UUID_SIZE];
    uuid_make(id);
    int code = sql_run(tx, "INSERT INTO things (id, number) VALUES (?1, ?2)", "ti", id, number);
    return code < 0 ? code : number % 2 ? -ECHILD : 0;
}

static _Atomic int committed;

static void insert_some(void *arg)
{
    for (int i = 0; i < 20; i++) {
        int code = database_transact(database, insert_even, arg);
        check(code == 0 || code == -ECHILD);
        if (code == 0)
            atomic_fetch_add(&committed, 1);
    }
}

static void groups(void *arg)
{
    _Atomic int numbers = 0;
    open_database();
    case_crowd(FIBERS, insert_some, &numbers);
    check_equal(things(), atomic_load(&committed));
    database_close(database);
}

static void test_groups(void **state)
{
    case_run(groups, NULL);
}

/* ---- a file that can't grow: SQLite gives up the whole group, and each body is run again alone ---- */

static int set_page_limit(struct transaction *tx, void *arg)
{
    struct rows rows;
    return sql_query(tx, &rows, arg, "");
}

static int insert_big(struct transaction *tx, void *arg)
{
    char id[UUID_SIZE], *big = arena_alloc(transaction_arena(tx), 20001);
    uuid_make(id);
    memset(big, 'x', 20000);
    struct text bytes = {big, 20000};
    int code = sql_run(tx, "INSERT INTO things (id, bytes) VALUES (?1, ?2)", "tb", id, &bytes);
    return code < 0 ? code : 0;
}

static void fill(void *arg)
{
    struct race *race = arg;
    for (int i = 0; i < 10; i++) {
        int code = database_transact(database, insert_big, NULL);
        check(code == 0 || code == -ENOSPC);
        atomic_fetch_add(code == 0 ? &race->won : &race->lost, 1);
    }
}

static void full(void *arg)
{
    struct race race = {0};
    open_database();
    if (!database_is_postgres(database)) {
        check_equal(database_transact(database, set_page_limit, (void *)"PRAGMA max_page_count = 300"), 0);
        case_crowd(FIBERS, fill, &race);
        check(atomic_load(&race.won) > 0 && atomic_load(&race.lost) > 0);
        check_equal(things(), atomic_load(&race.won));
        check_equal(database_transact(database, set_page_limit, (void *)"PRAGMA max_page_count = 100000"), 0);
        check_equal(database_transact(database, insert_big, NULL), 0);
    }
    database_close(database);
}

static void test_full(void **state)
{
    case_run(full, NULL);
}

/* ---- what is committed survives kill -9; what is not is gone ---- */

static int insert_one(struct transaction *tx, void *arg)
{
    return sql_run(tx, "INSERT INTO things (id, name) VALUES (?1, 'kept')", "t", arg) == 1 ? 0 : -EINVAL;
}

static int insert_and_die(struct transaction *tx, void *arg)
{
    sql_run(tx, "INSERT INTO things (id, name) VALUES (?1, 'lost')", "t", SECOND);
    _exit(77);
}

static void commit_and_die(void *arg)
{
    open_database();
    check_equal(database_transact(database, insert_one, (void *)FIRST), 0);
    database_transact(database, insert_and_die, NULL);
}

static void look_after_death(void *arg)
{
    struct err err = {0};
    check_equal(database_open("users", &database, &err), 0);
    check_equal(things(), 1);
    database_close(database);
}

static void test_death(void **state)
{
    assert_int_equal(case_run_in_child(commit_and_die, NULL) >> 8, 77);
    case_run(look_after_death, NULL);
}

/* ---- migrations ---- */

static int count_migrations(struct transaction *tx, void *arg)
{
    struct rows rows;
    int code = sql_query(tx, &rows, "SELECT count(*) FROM schema_migrations WHERE service = 'messaging'", "");
    *(int64_t *)arg = code == 0 ? rows_integer(&rows, 0, 0) : code;
    return code;
}

static int add_later_migration(struct transaction *tx, void *arg)
{
    return sql_run(tx, "INSERT INTO schema_migrations (service, number, name, applied_at) VALUES ('users', 999, '999_later', 0)", "") == 1 ? 0 : -EINVAL;
}

static int drop_later_migration(struct transaction *tx, void *arg)
{
    return sql_run(tx, "DELETE FROM schema_migrations WHERE number = 999", "") == 1 ? 0 : -EINVAL;
}

static void migrations(void *arg)
{
    struct err err = {0};
    int64_t count = 0;
    check_equal(database_open("users", &database, &err), 0);
    for (int i = 0; i < 2; i++)
        if (database_migrate(database, "users", &err) < 0)
            case_failed(__FILE__, __LINE__, err.message);
    check_equal(database_read(database, count_migrations, &count), 0);
    check(count >= 1);
    check_equal(database_transact(database, add_later_migration, NULL), 0);
    check(database_migrate(database, "users", &err) < 0);
    check(strstr(err.message, "newer") && strstr(err.message, "users"));
    check_equal(database_transact(database, drop_later_migration, NULL), 0);
    bool owned[4];
    check_equal(database_own(database, 60, 4, owned), 4);
    check(owned[0] && owned[3]);
    check_equal(database_own(database, 60, 4, owned), 4);
    database_close(database);
}

static void test_migrations(void **state)
{
    case_run(migrations, NULL);
}

/* ---- several processes on one schema ---- */

static void hear(void *arg)
{
    ++*(int *)arg;
}

static bool was_heard(void *arg)
{
    return *(int *)arg > 0;
}

static bool owns_again(void *arg)
{
    bool owned[8];
    return database_own(database, 40, 8, owned) == 8;
}

static void signals(void *arg)
{
    struct database *other;
    struct err err = {0};
    bool owned[8];
    int here = 0, there = 0;
    open_database();
    if (!database_is_postgres(database)) {
        database_close(database);
        return;
    }
    check_equal(database_open("users", &other, &err), 0);
    database_on_signal(database, hear, &here);
    database_on_signal(other, hear, &there);
    check_equal(database_own(database, 40, 8, owned), 8);
    check_equal(database_own(other, 40, 8, owned), 0);
    database_signal(other);
    case_until(was_heard, &here);
    check_equal(there, 0);
    database_close(database); /* what it held is free now */
    database = other;
    case_until(owns_again, NULL);
    database_close(database);
}

static void test_signals(void **state)
{
    case_run(signals, NULL);
}

/* ---- what is added to a set is written together, ahead of what is next asked or at the end of the body ---- */

static const struct sql_set names = {
    "INSERT INTO stock VALUES (coalesce(?1, 'none'), ?2)",
    "INSERT INTO stock SELECT coalesce(sku, 'none'), count::bigint FROM unnest(?1::text[], ?2::text[]) AS added (sku, count)",
};

static void add_name(struct transaction *tx, const char *name, int64_t place)
{
    char gone[32];
    snprintf(gone, sizeof gone, "%s", name ? name : "");
    sql_add(tx, &names, "ti", name ? gone : NULL, place);
    memset(gone, 'x', sizeof gone - 1);
}

/* The violated constraint has the body run again on PostgreSQL. */
static int add_names(struct transaction *tx, void *arg)
{
    struct rows rows;
    add_name(tx, "a \"b\", \\ {c}", 1);
    add_name(tx, NULL, 2);
    check_equal(sql_query(tx, &rows, "SELECT sku FROM stock", ""), 0);
    check_equal(rows.count, 2);
    sql_run(tx, "INSERT INTO things (id, number) VALUES (?1, -1)", "t", FIRST);
    add_name(tx, "", 3);
    return 0;
}

static int add_and_fail(struct transaction *tx, void *arg)
{
    add_name(tx, "never", 4);
    return -ENOENT;
}

static int add_what_is_there(struct transaction *tx, void *arg)
{
    add_name(tx, "never, too", 5);
    add_name(tx, "none", 6);
    return 0;
}

static int read_names(struct transaction *tx, void *arg)
{
    struct rows rows;
    check_equal(sql_query(tx, &rows, "SELECT sku FROM stock ORDER BY count", ""), 0);
    check_equal(rows.count, 3);
    check(!strcmp(rows_text(&rows, 0, 0), "a \"b\", \\ {c}"));
    check(!strcmp(rows_text(&rows, 1, 0), "none"));
    check(!strcmp(rows_text(&rows, 2, 0), ""));
    return 0;
}

static void added_to_sets(void *arg)
{
    open_database();
    check_equal(database_transact(database, add_names, NULL), 0);
    check_equal(database_transact(database, add_and_fail, NULL), -ENOENT);
    check_equal(database_transact(database, add_what_is_there, NULL), -EEXIST);
    check_equal(database_read(database, read_names, NULL), 0);
    database_close(database);
}

static void test_sets(void **state)
{
    case_run(added_to_sets, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),  cmocka_unit_test(test_failing),   cmocka_unit_test(test_after_commit),
        cmocka_unit_test(test_races),   cmocka_unit_test(test_deadlocks), cmocka_unit_test(test_groups),
        cmocka_unit_test(test_full),    cmocka_unit_test(test_death),     cmocka_unit_test(test_migrations),
        cmocka_unit_test(test_signals), cmocka_unit_test(test_sets),
    };
    case_settings();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
