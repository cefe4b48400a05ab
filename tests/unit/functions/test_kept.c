/* How long the outcome of an asynchronous call is kept: a day, and no longer. */
#include "functions/store.h"

#include "base/uuid.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engines/in_folder.h"

#include <stdio.h>

#define HOUR_MS (3600LL * 1000)

static int add_body(struct transaction *tx, void *invocation)
{
    return functions_store_invocation_add_tx(tx, invocation);
}

struct ageing {
    const char *id;
    int64_t ms;
};

/* As if it had been made that much earlier. */
static int age_body(struct transaction *tx, void *arg)
{
    const struct ageing *ageing = arg;
    int changed = sql_run(tx, "UPDATE invocations SET created_at = created_at - ?2 WHERE id = ?1", "ti", ageing->id, ageing->ms);
    return changed < 0 ? changed : 0;
}

static const char *add(struct database *database, int64_t age_ms)
{
    char *id = arena_alloc(fiber_arena(), UUID_SIZE);
    uuid_make(id);
    struct stored_invocation made = {.id = id, .name = "later", .event = "{}"};
    struct stored_invocation done = {.id = id, .status = "succeeded", .result = "\"yes\"", .logs = "[]", .duration_us = 1, .version = 1};
    struct ageing ageing = {id, age_ms};
    assert_int_equal(database_transact(database, add_body, &made), 0);
    assert_int_equal(functions_store_invocation_finish(database, &done), 0);
    assert_int_equal(database_transact(database, age_body, &ageing), 0);
    return id;
}

static void body(void)
{
    struct database *database = database_of("functions");
    struct stored_invocation found;
    const char *fresh = add(database, 0), *yesterday = add(database, 23 * HOUR_MS), *old = add(database, 25 * HOUR_MS);
    assert_int_equal(functions_store_clean(database), 0);
    assert_int_equal(functions_store_invocation(database, fresh, &found), 0);
    assert_string_equal(found.result, "\"yes\"");
    assert_int_equal(functions_store_invocation(database, yesterday, &found), 0);
    assert_string_equal(found.result, "\"yes\"");
    assert_int_equal(functions_store_invocation(database, old, &found), -ENOENT);
    database_close(database);
}

static void test_outcomes(void **state)
{
    in_folder(1, body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_outcomes)};
    return cmocka_run_group_tests_name("functions/kept", tests, NULL, NULL);
}
