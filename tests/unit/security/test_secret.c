/* The installation's secret: from the setting, or from a file that is made once and kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/settings.h"
#include "security/secret.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/purser-test-secret-XXXXXX";
static char path[128];

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void test_setting_wins(void **state)
{
    struct err err;
    const char *secret;
    assert_int_equal(settings_set("key_secret", "from the environment", &err), 0);
    assert_int_equal(secret_load(&secret, &err), 0);
    assert_string_equal(secret, "from the environment");
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(settings_set("key_secret", "", &err), 0);
}

static void test_made_once(void **state)
{
    struct err err;
    const char *secret;
    char first[128];
    struct stat status;
    assert_int_equal(secret_load(&secret, &err), 0);
    assert_int_equal(strlen(secret), 64);
    snprintf(first, sizeof first, "%s", secret);
    assert_int_equal(secret_load(&secret, &err), 0);
    assert_string_equal(secret, first);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void test_damaged(void **state)
{
    struct err err;
    const char *secret = NULL;
    static const char *const bad[] = {"", "abc\n", "\n"};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_file(bad[i]);
        assert_int_equal(secret_load(&secret, &err), -EINVAL);
        assert_non_null(strstr(err.message, "key.secret"));
    }
    assert_null(secret);
}

static void test_no_folder(void **state)
{
    struct err err;
    const char *secret;
    assert_int_equal(settings_set("data", "/nonexistent/purser", &err), 0);
    assert_true(secret_load(&secret, &err) < 0);
    assert_non_null(strstr(err.message, "PURSER_KEY_SECRET"));
}

int main(void)
{
    char *none[] = {NULL};
    struct err err;
    if (sodium_init() < 0 || !mkdtemp(folder) || settings_load(none, &err) || settings_set("data", folder, &err))
        return 1;
    snprintf(path, sizeof path, "%s/key.secret", folder);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_setting_wins),
        cmocka_unit_test(test_made_once),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_no_folder),
    };
    int failed = cmocka_run_group_tests_name("security/secret", tests, NULL, NULL);
    unlink(path);
    rmdir(folder);
    return failed;
}
