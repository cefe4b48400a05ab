/* What `purser move` reads in the embedded stream's file: how far each group has come. Always on the embedded engine. */
#include "base/settings.h"
#include "engines/stream.h"
#include "port_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <sqlite3.h>

#define RECORDS 10

static _Atomic int handled, refused;

static int take(void *context, const struct stream_record *records, unsigned count)
{
    atomic_fetch_add(&handled, (int)count);
    return 0;
}

static int refuse(void *context, const struct stream_record *records, unsigned count)
{
    atomic_fetch_add(&refused, 1);
    return -EAGAIN;
}

static void one_reads_and_one_does_not(void *arg)
{
    struct err err = {0};
    struct stream *stream;
    const char *topics[] = {arg, NULL};
    const struct stream_consumer reads = {.group = "reads", .topics = topics, .batch_max = 32, .handle = take};
    const struct stream_consumer does_not = {.group = "does-not", .topics = topics, .batch_max = 32, .handle = refuse};
    if (stream_open(&stream, &err) < 0)
        case_failed(__FILE__, __LINE__, err.message);
    check_succeeds(stream_consume(stream, &reads, &err));
    check_succeeds(stream_consume(stream, &does_not, &err));
    for (int i = 0; i < RECORDS; i++) {
        char *number = arena_printf(fiber_arena(), "%d", i);
        struct stream_record record = {.topic = arg, .key = "key", .id = number, .value = text_of(number)};
        check_succeeds(stream_publish(stream, &record, 1));
    }
    case_until_count(&handled, RECORDS);
    case_until_count(&refused, 1);
    stream_stop(stream);
    stream_close(stream);
}

static int64_t ask(const char *sql)
{
    char path[300];
    sqlite3 *file;
    sqlite3_stmt *statement;
    snprintf(path, sizeof path, "%s/stream.db", settings_text("data"));
    assert_int_equal(sqlite3_open_v2(path, &file, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(file, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(file);
    return value;
}

/* What nobody but it has still to read would else be taken for read by all. */
static void a_group_that_has_handled_nothing_is_in_the_table(void **state)
{
    case_run(one_reads_and_one_does_not, (void *)case_name("facts"));
    assert_int_equal(ask("SELECT count(*) FROM positions"), 2);
    assert_int_equal(ask("SELECT max(position) FROM positions"), RECORDS);
    assert_int_equal(ask("SELECT min(position) FROM positions"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_that_has_handled_nothing_is_in_the_table),
    };
    case_settings();
    if (settings_set("stream_url", "embedded:", NULL) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
