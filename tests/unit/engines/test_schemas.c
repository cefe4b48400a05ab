/* Every migration exists for both engines, and what they make has the same tables with the same columns, in the same order. */
#include "engines/schema_files.h"

#include "base/text.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static bool is_of(const struct schema_file *file, const char *service, const char *engine)
{
    return !strcmp(file->service, service) && !strcmp(file->engine, engine);
}

static void test_every_migration_has_its_twin(void **state)
{
    for (size_t i = 0; i < schema_file_count; i++) {
        const struct schema_file *file = &schema_files[i];
        bool found = false;
        for (size_t at = 0; at < schema_file_count && !found; at++)
            found = strcmp(schema_files[at].engine, file->engine) && !strcmp(schema_files[at].service, file->service) &&
                    schema_files[at].number == file->number && !strcmp(schema_files[at].name, file->name);
        if (!found)
            fail_msg("%s/%s.%s.sql has no twin for the other engine", file->service, file->name, file->engine);
    }
    assert_true(schema_file_count >= 2);
}

static void test_numbers_ascend(void **state)
{
    for (size_t i = 1; i < schema_file_count; i++)
        if (is_of(&schema_files[i], schema_files[i - 1].service, schema_files[i - 1].engine))
            assert_true(schema_files[i].number > schema_files[i - 1].number);
}

/* ---- the tables of one script, as lines `table(column,column,…)` ---- */

static const char *skip_blank(const char *at)
{
    for (;;) {
        while (isspace((unsigned char)*at))
            at++;
        if (at[0] != '-' || at[1] != '-')
            return at;
        while (*at && *at != '\n')
            at++;
    }
}

static const char *take_word(const char *at, char *ret_word, size_t room)
{
    size_t size = 0;
    for (at = skip_blank(at); isalnum((unsigned char)*at) || *at == '_'; at++)
        if (size < room - 1)
            ret_word[size++] = (char)*at;
    ret_word[size] = 0;
    return at;
}

static bool is_column(const char *word)
{
    static const char *const others[] = {"PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "CONSTRAINT"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!strcmp(word, others[i]))
            return false;
    return *word != 0;
}

/* To the comma or the parenthesis that ends this part; quotes and inner parentheses are passed over. */
static const char *skip_part(const char *at)
{
    int depth = 0;
    for (bool quoted = false; *at; at++) {
        if (*at == '\'')
            quoted = !quoted;
        if (quoted)
            continue;
        if (at[0] == '-' && at[1] == '-') {
            at = skip_blank(at) - 1;
            continue;
        }
        depth += *at == '(';
        if (depth == 0 && (*at == ',' || *at == ')'))
            return at;
        depth -= *at == ')';
    }
    return at;
}

static const char *describe_table(const char *at, struct buffer *out)
{
    char word[100];
    at = take_word(at, word, sizeof word);
    buffer_printf(out, "%s(", word);
    at = skip_blank(at);
    assert_int_equal(*at, '(');
    do {
        take_word(at + 1, word, sizeof word);
        if (is_column(word))
            buffer_printf(out, "%s,", word);
        at = skip_part(at + 1);
    } while (*at == ',');
    buffer_printf(out, ")\n");
    return at;
}

static void describe(const struct schema_file *file, struct buffer *out)
{
    static const char create[] = "CREATE TABLE ", add[] = "ADD COLUMN ";
    char word[100];
    for (const char *at = file->sql; *at; at++) {
        if (!strncmp(at, create, sizeof create - 1)) {
            at = describe_table(at + sizeof create - 1, out);
        } else if (!strncmp(at, add, sizeof add - 1)) {
            take_word(at + sizeof add - 1, word, sizeof word);
            buffer_printf(out, "+%s\n", word);
        }
        if (!*at)
            break;
    }
    buffer_add(out, "", 1);
    assert_false(out->failed);
}

static void test_both_engines_have_the_same_columns(void **state)
{
    for (size_t i = 0; i < schema_file_count; i++)
        for (size_t at = 0; at < schema_file_count; at++) {
            const struct schema_file *a = &schema_files[i], *b = &schema_files[at];
            if (strcmp(a->engine, "sqlite") || strcmp(b->engine, "postgres") || strcmp(a->service, b->service) || a->number != b->number)
                continue;
            struct buffer ours = {0}, theirs = {0};
            describe(a, &ours);
            describe(b, &theirs);
            if (strcmp(ours.at, theirs.at))
                fail_msg("%s/%s differs:\n%s---\n%s", a->service, a->name, ours.at, theirs.at);
            buffer_fini(&ours);
            buffer_fini(&theirs);
        }
}

static void test_the_reader_of_scripts(void **state)
{
    const struct schema_file file = {
        .sql = "-- a comment, (with) words\nCREATE TABLE a (\n  id TEXT PRIMARY KEY, -- why, so\n  n BIGINT CHECK (n IN (1, 2)) DEFAULT 3,\n"
               "  t TEXT DEFAULT '),',\n  UNIQUE (id, n)\n);\nALTER TABLE a ADD COLUMN b TEXT;\n"};
    struct buffer out = {0};
    describe(&file, &out);
    assert_string_equal(out.at, "a(id,n,t,)\n+b\n");
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_reader_of_scripts),
        cmocka_unit_test(test_every_migration_has_its_twin),
        cmocka_unit_test(test_numbers_ascend),
        cmocka_unit_test(test_both_engines_have_the_same_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
