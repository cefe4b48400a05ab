/* What the database port's contract leaves to PostgreSQL's adapter. Skipped where PURSER_DATABASE_URL names another. */
#include "engines/database.h"
#include "engines/wakeup.h"
#include "port_case.h"
#include "proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOCKS 4
#define FIRST_LOCK 60

static struct database *database, *other;
static char direct_url[256], proxy_url[256];

static void use_url(const char *url)
{
    struct err err = {0};
    check_equal(settings_set("database_url", url, &err), 0);
}

/* The same with the proxy's port. */
static void start_proxy(void)
{
    const char *at = strchr(strchr(direct_url, '@'), ':');
    char *rest;
    int port = proxy_start((int)strtol(at + 1, &rest, 10));
    snprintf(proxy_url, sizeof proxy_url, "%.*s:%d%s", (int)(at - direct_url), direct_url, port, rest);
}

static struct database *open_at(const char *url)
{
    struct database *opened;
    struct err err = {0};
    use_url(url);
    if (database_open("users", &opened, &err) < 0)
        case_failed(__FILE__, __LINE__, err.message);
    use_url(direct_url);
    return opened;
}

static bool is_up(void *arg)
{
    return database_is_up(database);
}

static bool is_away(void *arg)
{
    return !database_is_up(database);
}

/* ---- an engine that says nothing ---- */

static int select_one(struct transaction *tx, void *arg)
{
    struct rows rows;
    return sql_query(tx, &rows, "SELECT 1", "");
}

/* Falls silent in the middle of a transaction. */
static int select_in_silence(struct transaction *tx, void *arg)
{
    int code = select_one(tx, NULL);
    if (code < 0)
        return code;
    proxy_set_silent(true);
    *(bool *)arg = true;
    return select_one(tx, NULL);
}

static bool answers(void *arg)
{
    return database_transact(database, select_one, NULL) == 0;
}

static void use_one(void *arg)
{
    case_until(answers, NULL);
}

/* On all workers; a busy machine may take too long for a connection, which is tried again. */
static void use_all(void)
{
    case_crowd(16, use_one, NULL);
}

static void silence(void *arg)
{
    start_proxy();
    database = open_at(proxy_url);
    case_until(is_up, NULL);
    use_all();
    proxy_set_silent(true);
    case_until(is_away, NULL); /* nobody asks for anything */
    check_equal(database_transact(database, select_one, NULL), -EAGAIN);
    check_equal(database_read(database, select_one, NULL), -EAGAIN);
    proxy_set_silent(false);
    case_until(is_up, NULL);
    use_all();
    bool fell_silent = false;
    int code = 0;
    while (!fell_silent)
        code = database_transact(database, select_in_silence, &fell_silent);
    check_equal(code, -EAGAIN);
    case_until(is_away, NULL);
    proxy_set_silent(false);
    case_until(is_up, NULL);
    use_all();
    database_close(database);
}

static void test_silence(void **state)
{
    if (strncmp(direct_url, "postgres:", 9) != 0)
        skip(); /* the unit stage has no engine; the ports stage runs this on a real one */
    case_run(silence, NULL);
}

/* ---- clients that leave while their connection is made say nothing about the engine ---- */

static void leave(void *arg)
{
    fiber_cancel(fiber_self());
    database_transact(database, select_one, NULL);
}

/* The first that needs a connection is on its way out; nobody after it is told that the engine is away. */
static void leavers(void *arg)
{
    database = open_at(direct_url);
    case_until(is_up, NULL);
    check_equal(fiber_run_apart("leaver", leave, NULL), 0);
    check(is_up(NULL));
    check_equal(database_transact(database, select_one, NULL), 0);
    database_close(database);
}

static void test_leavers(void **state)
{
    if (strncmp(direct_url, "postgres:", 9) != 0)
        skip(); /* the unit stage has no engine; the ports stage runs this on a real one */
    case_run(leavers, NULL);
}

/* ---- locks of a process that is not heard of go to another, and it knows that it has none ---- */

struct owner {
    struct database **database;
    unsigned count;
};

static bool owns(void *arg)
{
    const struct owner *owner = arg;
    bool owned[LOCKS];
    return database_own(*owner->database, FIRST_LOCK, LOCKS, owned) == owner->count;
}

static void locks(void *arg)
{
    bool owned[2 * LOCKS];
    start_proxy();
    database = open_at(proxy_url);
    other = open_at(direct_url);
    case_until(is_up, NULL);
    case_until(owns, &(struct owner){&database, LOCKS});
    check_equal(database_own(other, FIRST_LOCK, LOCKS, owned), 0);
    proxy_set_silent(true);
    check_equal(database_own(database, FIRST_LOCK - LOCKS, 2 * LOCKS, owned), 0); /* asks for more, and has no answer */
    case_until(owns, &(struct owner){&other, LOCKS});
    check_equal(database_own(database, FIRST_LOCK, LOCKS, owned), 0);
    proxy_set_silent(false);
    case_until(is_up, NULL);
    database_close(other);
    case_until(owns, &(struct owner){&database, LOCKS});
    database_close(database);
}

static void test_locks(void **state)
{
    if (strncmp(direct_url, "postgres:", 9) != 0)
        skip(); /* the unit stage has no engine; the ports stage runs this on a real one */
    case_run(locks, NULL);
}

/* ---- a process that stands still loses its locks, and knows it when it goes on ---- */

static pid_t holder;

static void hold_locks(void *arg)
{
    database = open_at(direct_url);
    case_until(owns, &(struct owner){&database, LOCKS});
    check_equal(write(*(int *)arg, "x", 1), 1);
    case_until(owns, &(struct owner){&database, 0});
    database_close(database);
}

static bool holder_has_ended(void *arg)
{
    return waitpid(holder, arg, WNOHANG) == holder;
}

static void take_locks(void *arg)
{
    int status = -1;
    check_equal(kill(holder, SIGSTOP), 0);
    database = open_at(direct_url);
    case_until(owns, &(struct owner){&database, LOCKS});
    check_equal(kill(holder, SIGCONT), 0);
    case_until(holder_has_ended, &status);
    check_equal(status, 0);
    database_close(database);
}

static void test_standstill(void **state)
{
    int pipes[2];
    char byte;
    if (strncmp(direct_url, "postgres:", 9) != 0)
        skip(); /* the unit stage has no engine; the ports stage runs this on a real one */
    assert_int_equal(pipe(pipes), 0);
    holder = fork();
    assert_true(holder >= 0);
    if (holder == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody may be left standing */
        case_run(hold_locks, &pipes[1]);
        _exit(0);
    }
    close(pipes[1]);
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    close(pipes[0]);
    case_run(take_locks, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_leavers),
        cmocka_unit_test(test_locks),
        cmocka_unit_test(test_standstill),
    };
    case_settings();
    snprintf(direct_url, sizeof direct_url, "%s", settings_text("database_url"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
