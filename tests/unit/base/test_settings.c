/* Settings: where they come from, what is refused, and reloads that are refused whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/settings.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static char path[] = "/tmp/purser-settings-XXXXXX";

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int set_up(void **state)
{
    close(mkstemp(path));
    unsetenv("PURSER_LISTEN");
    return 0;
}

static int tear_down(void **state)
{
    return unlink(path);
}

static void defaults_are_those_of_the_table(void **state)
{
    struct settings_rate rate;
    struct err err;
    assert_int_equal(settings_load(NULL, &err), 0);
    assert_string_equal(settings_text("listen"), "127.0.0.1:3000");
    assert_string_equal(settings_text("users_url"), "");
    assert_int_equal(settings_duration_ms("order_expiry"), 1800000);
    assert_int_equal(settings_number("max_body"), 1048576);
    assert_false(settings_flag("demo"));
    assert_true(settings_rate("rate_limit_ip", &rate));
    assert_int_equal(rate.count, 100);
    assert_int_equal(rate.period_ms, 10000);
}

static void later_sources_win(void **state)
{
    struct err err;
    char config[64];
    write_file("# comment\n\nPURSER_LISTEN=127.0.0.1:1\n max_body = 2048 \nissuer=\"two words\"\n");
    snprintf(config, sizeof config, "--config=%s", path);
    const char *given[] = {config, "--demo", "--rate-limit-ip", "off", "--order-expiry=250ms", NULL};
    char **arguments = (char **)given;
    assert_int_equal(settings_load(arguments, &err), -EINVAL);
    assert_non_null(strstr(err.message, "PURSER_ORDER_EXPIRY"));
    given[4] = "--order-expiry=2s";
    setenv("PURSER_LISTEN", "127.0.0.1:2", 1);
    if (settings_load(arguments, &err)) fail_msg("%s", err.message);
    unsetenv("PURSER_LISTEN");
    struct settings_rate rate;
    assert_string_equal(settings_text("listen"), "127.0.0.1:2");
    assert_string_equal(settings_text("issuer"), "two words");
    assert_int_equal(settings_number("max_body"), 2048);
    assert_int_equal(settings_duration_ms("order_expiry"), 2000);
    assert_true(settings_flag("demo"));
    assert_false(settings_rate("rate_limit_ip", &rate));
    write_file("max_body=4096\nlog_level=loud\n");
    assert_int_equal(settings_reload(&err), -EINVAL);
    assert_non_null(strstr(err.message, "PURSER_LOG_LEVEL"));
    assert_int_equal(settings_number("max_body"), 2048);
    const char *kept = settings_text("cors_origins");
    write_file("max_body=4096\nissuer=changed\ncors_origins=https://a.example\n");
    assert_int_equal(settings_reload(&err), 0);
    assert_int_equal(settings_number("max_body"), 4096);
    assert_string_equal(settings_text("cors_origins"), "https://a.example");
    assert_string_equal(kept, "");
    assert_string_equal(settings_text("issuer"), "two words");
}

static void what_is_wrong_is_refused_with_words(void **state)
{
    const struct {
        const char *flag, *words;
    } cases[] = {
        {"--workers=65", "a number from 0 to 64"},
        {"--workers=-1", "PURSER_WORKERS"},
        {"--workers=", "PURSER_WORKERS"},
        {"--demo=maybe", "on or off"},
        {"--rate-limit-ip=10", "count/period"},
        {"--rate-limit-ip=0/1s", "count/period"},
        {"--rate-limit-ip=5/0s", "count/period"},
        {"--order-expiry=5", "duration"},
        {"--order-expiry=s", "duration"},
        {"--order-expiry=99999999999999999d", "duration"},
        {"--cors-origins=shop.example", "https://shop.example"},
        {"--cors-origins=https://a.example,*", "without a path"},
        {"--cors-origins=https://a.example/", "PURSER_CORS_ORIGINS"},
        {"--cors-origins=https://", "origins"},
        {"--cors-origins=://a", "origins"},
        {"--cors-origins=https://A.example", "origins"},
        {"--cors-origins=null", "origins"},
        {"--nonsense=1", "no setting --nonsense; see"},
        {"--key-secrets=hush", "no setting --key-secrets; the most similar one is PURSER_KEY_SECRET"},
        {"listen", "no flag"},
        {"--listen", "needs a value"},
        {"--config=/nonexistent/file", "cannot read"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        char *arguments[] = {(char *)cases[i].flag, NULL};
        assert_int_equal(settings_load(arguments, &err), -EINVAL);
        assert_non_null(strstr(err.message, cases[i].words));
        assert_null(strchr(err.message, '\n'));
    }
}

static void one_can_be_set(void **state)
{
    struct err err;
    assert_int_equal(settings_set("max_body", "5000", &err), 0);
    assert_int_equal(settings_number("max_body"), 5000);
    assert_int_equal(settings_set("max_body", "5", &err), -EINVAL);
    assert_int_equal(settings_set("nothing", "5", &err), -EINVAL);
    const char *origins[] = {"", "https://a.example", "http://127.0.0.1:5173, https://b.example:444,", "http://[::1]:3000",
                             "app-x://localhost"};
    for (size_t i = 0; i < sizeof origins / sizeof *origins; i++)
        assert_int_equal(settings_set("cors_origins", origins[i], &err), 0);
}

struct unknown {
    unsigned count;
    char variables[16][64], similar[16][64];
};

static void note_unknown(void *arg, const char *variable, const char *similar)
{
    struct unknown *unknown = arg;
    assert_true(unknown->count < 16);
    snprintf(unknown->variables[unknown->count], 64, "%s", variable);
    snprintf(unknown->similar[unknown->count++], 64, "%s", similar ? similar : "");
}

static void variables_that_are_no_settings_are_told(void **state)
{
    static const struct {
        const char *entry, *similar;
    } cases[] = {
        {"PURSER_LISTENS=x", "PURSER_LISTEN"},
        {"PURSER_CORS_ORIGIN=", "PURSER_CORS_ORIGINS"},
        {"PURSER_RATELIMIT_IP=off", "PURSER_RATE_LIMIT_IP"},
        {"PURSER_DATABASE_ULR=sqlite:", "PURSER_DATABASE_URL"},
        {"PURSER_order_expiry=1m", "PURSER_ORDER_EXPIRY"},
        {"PURSER_PORT=8080", ""},
        {"PURSER_GATEWAY_PORTS=tcp", ""},
        {"PURSER_X=1", ""},
    };
    char *environment[] = {
        (char *)cases[0].entry,
        (char *)cases[1].entry,
        (char *)cases[2].entry,
        (char *)cases[3].entry,
        (char *)cases[4].entry,
        (char *)cases[5].entry,
        (char *)cases[6].entry,
        (char *)cases[7].entry,
        /* Of others, or settings: */
        "PATH=/bin",
        "PURSER_=1",
        "PURSERS_LISTEN=1",
        "PURSER_LISTEN=1",
        "PURSER_DATA=x",
        "PURSER_ENGINES_PORT=15000",
        "PURSER_CLUSTER_OFFSET=1",
        "PURSER_BASE_URL=http://x",
        "PURSER_GATEWAY_SERVICE_HOST=10.0.0.1",
        "PURSER_GATEWAY_SERVICE_PORT_WEB=80",
        "PURSER_GATEWAY_PORT=tcp://10.0.0.1:80",
        "PURSER_GATEWAY_PORT_80_TCP_ADDR=10.0.0.1",
        NULL,
    };
    struct unknown unknown = {0};
    settings_each_unknown(environment, note_unknown, &unknown);
    assert_int_equal(unknown.count, sizeof cases / sizeof *cases);
    for (size_t i = 0; i < unknown.count; i++) {
        assert_int_equal(strncmp(cases[i].entry, unknown.variables[i], strlen(unknown.variables[i])), 0);
        assert_string_equal(unknown.similar[i], cases[i].similar);
    }
}

static void all_are_printed(void **state)
{
    struct buffer out = {0};
    settings_print(&out, false);
    assert_non_null(strstr(out.at, "PURSER_LISTEN "));
    buffer_fini(&out);
    settings_print(&out, true);
    assert_non_null(strstr(out.at, "| `PURSER_RATE_LIMIT_IP` | `100/10s` |"));
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_table),
        cmocka_unit_test(later_sources_win),
        cmocka_unit_test(what_is_wrong_is_refused_with_words),
        cmocka_unit_test(one_can_be_set),
        cmocka_unit_test(all_are_printed),
        cmocka_unit_test(variables_that_are_no_settings_are_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
