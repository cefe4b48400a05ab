/* Log lines are JSON whatever is said in them; errors with words; metrics as Prometheus reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "base/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[] = "/tmp/purser-log-XXXXXX";
static int file, real;

static void catch_lines(void)
{
    file = mkstemp(path);
    assert_true(file >= 0);
    real = dup(STDERR_FILENO);
    dup2(file, STDERR_FILENO);
}

/* What was written, as JSON; the caller releases it. */
static json_t *caught(void)
{
    char text[8192];
    dup2(real, STDERR_FILENO);
    close(real);
    ssize_t size = pread(file, text, sizeof text - 1, 0);
    close(file);
    unlink(path);
    memcpy(path + sizeof path - 7, "XXXXXX", 6);
    text[size < 0 ? 0 : size] = 0;
    if (size <= 0)
        return NULL;
    assert_int_equal(text[size - 1], '\n');
    json_t *tree = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(tree);
    return tree;
}

static const char *member(json_t *tree, const char *key)
{
    return json_string_value(json_object_get(tree, key));
}

static void a_line_holds_its_members(void **state)
{
    catch_lines();
    log_warn("some event", "{s:s, s:s%, s:i, s:I, s:b, s:f, s:s?, s:s}", "text", "quote \" back \\ line \n", "part", "partly", (size_t)4, "i", -5, "large", (json_int_t)1 << 40, "flag",
             1, "real", 1.5, "none", NULL, "last", "x");
    json_t *tree = caught();
    assert_string_equal(member(tree, "level"), "warn");
    assert_string_equal(member(tree, "event"), "some event");
    assert_string_equal(member(tree, "text"), "quote \" back \\ line \n");
    assert_string_equal(member(tree, "part"), "part");
    assert_string_equal(member(tree, "last"), "x");
    assert_int_equal(json_integer_value(json_object_get(tree, "i")), -5);
    assert_int_equal(json_integer_value(json_object_get(tree, "large")), (json_int_t)1 << 40);
    assert_true(json_is_true(json_object_get(tree, "flag")));
    assert_true(json_is_null(json_object_get(tree, "none")));
    assert_int_equal(strlen(member(tree, "time")), 24);
    json_decref(tree);
}

static const char *some_id(void)
{
    return "from the fiber";
}

static void a_request_id_is_said_once(void **state)
{
    log_set_context(some_id, NULL);
    catch_lines();
    log_info("own", "{s:s}", "request_id", "own id");
    json_t *tree = caught();
    assert_string_equal(member(tree, "request_id"), "own id");
    json_decref(tree);
    catch_lines();
    log_info("none", NULL);
    tree = caught();
    assert_string_equal(member(tree, "request_id"), "from the fiber");
    json_decref(tree);
    log_set_context(NULL, NULL);
}

static void held_lines_go_out_together(void **state)
{
    struct stat status;
    catch_lines();
    log_hold(true);
    log_info("first", NULL);
    assert_int_equal(fstat(file, &status), 0);
    assert_int_equal(status.st_size, 0);
    log_flush();
    log_hold(false);
    json_t *tree = caught();
    assert_string_equal(member(tree, "event"), "first");
    json_decref(tree);
    catch_lines();
    log_hold(true);
    log_warn("at once", NULL);
    tree = caught();
    log_hold(false);
    assert_string_equal(member(tree, "event"), "at once");
    json_decref(tree);
}

static void nested_members_go_through_too(void **state)
{
    catch_lines();
    log_error("nested", "{s:[s,s], s:{s:i}}", "list", "a", "b", "inner", "n", 3);
    json_t *tree = caught();
    assert_int_equal(json_array_size(json_object_get(tree, "list")), 2);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(tree, "inner"), "n")), 3);
    json_decref(tree);
}

static void what_users_sent_is_escaped_and_cut(void **state)
{
    char large[3000];
    memset(large, 'x', sizeof large);
    memcpy(large + 999, "\xe2\x82\xac", 3);
    large[sizeof large - 1] = 0;
    catch_lines();
    log_info("odd", "{s:s, s:s}", "bytes", "a\xff\x01\x7f", "large", large);
    json_t *tree = caught();
    assert_string_equal(member(tree, "bytes"), "a\xc3\xbf\x01\x7f");
    assert_int_equal(strlen(member(tree, "large")), 999);
    json_decref(tree);
}

static void levels_below_are_silent(void **state)
{
    enum log_level level = LOG_INFO;
    assert_int_equal(log_level_parse("nonsense", &level), -EINVAL);
    assert_int_equal(log_level_parse("error", &level), 0);
    log_set_level(level);
    catch_lines();
    log_warn("not said", NULL);
    assert_null(caught());
    log_set_level(LOG_INFO);
}

static void errors_have_words(void **state)
{
    struct err err;
    assert_int_equal(err_set(&err, -EIO, "disk %d", 3), -EIO);
    assert_int_equal(err_prefix(&err, "opening %s", "x"), -EIO);
    assert_string_equal(err.message, "opening x: disk 3");
    for (int i = 0; i < 100; i++)
        err_prefix(&err, "again and again");
    assert_true(strlen(err.message) < sizeof err.message);
    assert_int_equal(err_set(&err, -EIO, "%s", err.message), -EIO);
    assert_int_equal(err_set(NULL, -EPERM, "nobody listens"), -EPERM);
}

static void refresh(void *arg)
{
    gauge_set(arg, 12);
}

static void metrics_are_printed_by_name(void **state)
{
    struct counter *two = counter_get("purser_test_total", "code=\"2\"", "Tests");
    struct gauge *gauge = gauge_get("purser_test_now", NULL, "Now");
    struct counter *three = counter_get("purser_test_total", "code=\"3\"", "Tests");
    struct histogram *times = histogram_get("purser_test_seconds", NULL, "Times");
    assert_ptr_equal(counter_get("purser_test_total", "code=\"2\"", "Tests"), two);
    counter_add(two, 2);
    counter_add(three, 3);
    histogram_observe_us(times, 400);
    histogram_observe_us(times, 60000000);
    histogram_observe_us(times, -1);
    metrics_on_print(refresh, gauge);
    struct buffer out = {0};
    metrics_print(&out);
    assert_non_null(strstr(out.at, "# HELP purser_test_total Tests\n# TYPE purser_test_total counter\n"
                                   "purser_test_total{code=\"2\"} 2\npurser_test_total{code=\"3\"} 3\n"));
    assert_non_null(strstr(out.at, "# TYPE purser_test_now gauge\npurser_test_now 12\n"));
    assert_non_null(strstr(out.at, "purser_test_seconds_bucket{le=\"0.0005\"} 2\n"));
    assert_non_null(strstr(out.at, "purser_test_seconds_bucket{le=\"30\"} 2\npurser_test_seconds_bucket{le=\"+Inf\"} 3\n"));
    assert_non_null(strstr(out.at, "purser_test_seconds_sum 60.000400\npurser_test_seconds_count 3\n"));
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_holds_its_members),
        cmocka_unit_test(a_request_id_is_said_once),
        cmocka_unit_test(held_lines_go_out_together),
        cmocka_unit_test(nested_members_go_through_too),
        cmocka_unit_test(what_users_sent_is_escaped_and_cut),
        cmocka_unit_test(levels_below_are_silent),
        cmocka_unit_test(errors_have_words),
        cmocka_unit_test(metrics_are_printed_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
