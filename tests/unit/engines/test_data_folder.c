/* One process a data folder, and one clear line for each reason why a folder cannot be had. */
#include "engines/data_folder.h"

#include "base/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/purser-folder-XXXXXX";

static int set_up(void **state)
{
    static char *none[] = {NULL};
    return mkdtemp(folder) && settings_load(none, NULL) == 0 ? 0 : -1;
}

static int clean_up(void **state)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static int take(const char *below, struct err *err)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, below);
    assert_int_equal(settings_set("data", path, NULL), 0);
    return data_folder_take(err);
}

static void test_made_and_taken_again(void **state)
{
    struct err err = {0};
    assert_int_equal(take("new", &err), 0);
    assert_int_equal(take("new", &err), 0);
    char path[200];
    snprintf(path, sizeof path, "%s/new/lock", folder);
    assert_int_equal(access(path, F_OK), 0);
}

/* The lock is a file's, not a process's: another open of it in another process is refused. */
static void test_in_use(void **state)
{
    struct err err = {0};
    assert_int_equal(take("held", &err), 0);
    pid_t child = fork();
    if (child == 0) {
        /* Takes another folder and comes back: the first one's lock belongs to the parent. */
        struct err why = {0};
        bool good = take("other", &why) == 0 && take("held", &why) < 0 && strstr(why.message, "in use by another process") &&
                    strstr(why.message, folder);
        _exit(good ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void test_refusals(void **state)
{
    struct err err = {0};
    char path[200];
    snprintf(path, sizeof path, "%s/file", folder);
    fclose(fopen(path, "w"));
    assert_true(take("file", &err) < 0);
    assert_non_null(strstr(err.message, path));
    assert_true(take("file/below", &err) < 0);
    assert_non_null(strstr(err.message, path));
    assert_true(take("absent/below", &err) < 0);
    assert_non_null(strstr(err.message, "absent/below"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made_and_taken_again),
        cmocka_unit_test(test_in_use),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, set_up, clean_up);
}
