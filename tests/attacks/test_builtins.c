/* The built-in functions, run through the host from their sources. */
#include "shared_host.h"

#include <stdlib.h>
#include <string.h>

struct sample {
    const char *event;
    const char *result; /* JSON; or the beginning of the error's message */
    bool fails;
    const char *context;
};

static void check(const char *name, const struct sample *samples, size_t count)
{
    char *source = shared_host_script("BUILTIN_FUNCTIONS", name);
    struct host_worker worker;
    struct host_answer answer;
    host_load(&host, &worker, 0, &host_default_limits, source, &answer);
    assert_int_equal(answer.type, FUNCTION_PACKET_LOADED);
    host_answer_fini(&answer);
    for (size_t i = 0; i < count; i++) {
        host_call(&worker, &host_default_limits, samples[i].event, samples[i].context ? samples[i].context : "{}", &answer);
        const char *got = samples[i].fails ? answer.message : answer.result;
        if (!got || strncmp(got, samples[i].result, samples[i].fails ? strlen(samples[i].result) : (size_t)-1))
            fail_msg("%s of %s\ngot  %s\nwant %s", name, samples[i].event, got ? got : answer.message ? answer.message : answer.result,
                     samples[i].result);
        host_answer_fini(&answer);
    }
    host_release(&worker);
    free(source);
}

#define CHECK(name, samples) check(name, samples, sizeof(samples) / sizeof((samples)[0]))

static void test_calculate_total(void **state)
{
    static const struct sample samples[] = {
        { "{\"items\":[{\"unit_price\":1999,\"quantity\":2},{\"unit_price\":1,\"quantity\":1}]}",
          "{\"subtotal\":3999,\"discount\":0,\"tax\":0,\"total\":3999}" },
        { "{\"items\":[{\"unit_price\":1000,\"quantity\":1}],\"discount_percent\":\"10\",\"tax_percent\":\"7.5\"}",
          "{\"subtotal\":1000,\"discount\":100,\"tax\":68,\"total\":968}" }, /* 67.5 goes up */
        { "{\"items\":[{\"unit_price\":1,\"quantity\":1}],\"tax_percent\":\"49.999999\"}",
          "{\"subtotal\":1,\"discount\":0,\"tax\":0,\"total\":1}" },
        { "{\"items\":[{\"unit_price\":1,\"quantity\":1}],\"tax_percent\":\"50\"}",
          "{\"subtotal\":1,\"discount\":0,\"tax\":1,\"total\":2}" },
        { "{\"items\":[{\"unit_price\":333,\"quantity\":3}],\"discount_percent\":100}",
          "{\"subtotal\":999,\"discount\":999,\"tax\":0,\"total\":0}" },
        { "{\"items\":[{\"unit_price\":9007199254740991,\"quantity\":1}]}",
          "{\"subtotal\":9007199254740991,\"discount\":0,\"tax\":0,\"total\":9007199254740991}" },
        { "{\"items\":[{\"unit_price\":0,\"quantity\":1}]}", "{\"subtotal\":0,\"discount\":0,\"tax\":0,\"total\":0}" },
        /* 0.1 + 0.2 in binary fractions would be off; 8.1 % of 1,000,000,000,001 too. */
        { "{\"items\":[{\"unit_price\":1000000000001,\"quantity\":1}],\"tax_percent\":\"8.1\"}",
          "{\"subtotal\":1000000000001,\"discount\":0,\"tax\":81000000000,\"total\":1081000000001}" },
        { "{\"items\":[{\"unit_price\":9007199254740991,\"quantity\":2}]}", "subtotal is larger", true },
        { "{\"items\":[{\"unit_price\":9007199254740991,\"quantity\":1}],\"tax_percent\":\"1\"}", "total is larger", true },
        { "{\"items\":[]}", "items must be", true },
        { "{}", "items must be", true },
        { "null", "items must be", true },
        { "{\"items\":[{\"unit_price\":1.5,\"quantity\":1}]}", "items/0/unit_price", true },
        { "{\"items\":[{\"unit_price\":1,\"quantity\":1},{\"unit_price\":1,\"quantity\":0}]}", "items/1/quantity", true },
        { "{\"items\":[{\"unit_price\":-1,\"quantity\":1}]}", "items/0/unit_price", true },
        { "{\"items\":[{\"unit_price\":1,\"quantity\":1}],\"tax_percent\":7.5}", "tax_percent must be", true },
        { "{\"items\":[{\"unit_price\":1,\"quantity\":1}],\"tax_percent\":\"1e2\"}", "tax_percent must be", true },
        { "{\"items\":[{\"unit_price\":1,\"quantity\":1}],\"discount_percent\":\"100.000001\"}", "discount_percent must be", true },
        { "{\"items\":[{\"unit_price\":1,\"quantity\":1}],\"discount_percent\":\"-1\"}", "discount_percent must be", true },
    };
    CHECK("calculate-total", samples);
}

static void test_format_order(void **state)
{
    static const struct sample samples[] = {
        { "{\"id\":\"0198f0aa-0000-7000-8000-0000deadbeef\",\"currency\":\"EUR\",\"total\":1234567,\"items\":["
          "{\"sku\":\"A\",\"name\":\"Tea\",\"quantity\":2,\"line_total\":1234562},{\"sku\":\"B\",\"quantity\":1,\"line_total\":5}]}",
          "{\"title\":\"Receipt for order deadbeef\",\"body\":\"2 \xc3\x97 Tea: 12,345.62 EUR\\n1 \xc3\x97 B: 0.05 EUR\\n"
          "Total: 12,345.67 EUR\",\"data\":{\"total\":1234567}}" },
        { "{\"id\":\"12345678\",\"currency\":\"JPY\",\"total\":1500,\"items\":[]}",
          "{\"title\":\"Receipt for order 12345678\",\"body\":\"Total: 1,500 JPY\",\"data\":{\"total\":1500}}" },
        { "{\"id\":\"12345678\",\"currency\":\"KWD\",\"total\":1,\"items\":[]}",
          "{\"title\":\"Receipt for order 12345678\",\"body\":\"Total: 0.001 KWD\",\"data\":{\"total\":1}}" },
        { "{\"id\":\"1\",\"currency\":\"EUR\",\"total\":1.5,\"items\":[]}", "an amount must be", true },
        { "{}", "the event must be an order", true },
        { "null", "the event must be an order", true },
    };
    CHECK("format-order", samples);
}

#define VALID(email, normal) { "{\"email\":\"" email "\"}", "{\"valid\":true,\"reason\":null,\"normalized\":\"" normal "\"}" }
#define WRONG(email, why) { "{\"email\":\"" email "\"}", "{\"valid\":false,\"reason\":\"" why "\",\"normalized\":null}" }
#define A10 "aaaaaaaaaa"
#define A60 A10 A10 A10 A10 A10 A10

static void test_validate_email(void **state)
{
    static const struct sample samples[] = {
        VALID("ann@example.com", "ann@example.com"),
        VALID("Ann.Lee+shop@EXAMPLE.Com", "Ann.Lee+shop@example.com"),
        VALID("\\\"ann\\\"@example.com", "ann@example.com"),
        VALID("\\\"ann lee\\\"@example.com", "\\\"ann lee\\\"@example.com"),
        VALID("\\\"a@b\\\"@example.com", "\\\"a@b\\\"@example.com"),
        VALID("!#$%&'*+/=?^_`{|}~-@example.com", "!#$%&'*+/=?^_`{|}~-@example.com"),
        VALID("ann@b\xc3\xbc" "cher.example", "ann@xn--bcher-kva.example"),
        VALID("j\xc3\xb6rg@example.com", "j\xc3\xb6rg@example.com"),
        VALID(A60 "aaaa@example.com", A60 "aaaa@example.com"),
        VALID("a@x.y-z.com", "a@x.y-z.com"),
        WRONG("", "an email address is a text"),
        WRONG(" ann@example.com", "it begins or ends with a space"),
        WRONG("ann.example.com", "it has no @"),
        WRONG("@example.com", "there is nothing before the @"),
        WRONG("ann@", "there is nothing after the @"),
        WRONG(".ann@example.com", "the part before the @ has a character or a dot where none may be"),
        WRONG("ann..lee@example.com", "the part before the @ has a character or a dot where none may be"),
        WRONG("ann.@example.com", "the part before the @ has a character or a dot where none may be"),
        WRONG("ann lee@example.com", "the part before the @ has a character or a dot where none may be"),
        WRONG("\\\"ann@example.com", "the part before the @ has a character or a dot where none may be"),
        WRONG(A60 "aaaaa@example.com", "the part before the @ is longer than 64 bytes"),
        WRONG("ann@[127.0.0.1]", "the part after the @ must be a name"),
        WRONG("ann@localhost", "the part after the @ has no dot"),
        WRONG("ann@-x.com", "the part after the @ is not a name of the internet"),
        WRONG("ann@x..com", "the part after the @ is not a name of the internet"),
        WRONG("ann@x.com.", "the part after the @ is not a name of the internet"),
        WRONG("ann@x_y.com", "the part after the @ is not a name of the internet"),
        WRONG("ann@" A60 "aaaa.com", "the part after the @ is not a name of the internet"),
        WRONG("ann@127.0.0.1", "the part after the @ ends in a number"),
        WRONG("ann@" A60 "." A60 "." A60 "." A60 ".aaaaaaa.com", "it is longer than 254 bytes"),
        WRONG("ann@gmial.com", "did you mean gmail.com?"),
        { "{}", "{\"valid\":false,\"reason\":\"an email address is a text\",\"normalized\":null}" },
        { "null", "{\"valid\":false,\"reason\":\"an email address is a text\",\"normalized\":null}" },
        { "{\"email\":\"ann@example.com\"}", "{\"valid\":true,\"reason\":null,\"normalized\":\"ann@example.com\"}", false,
          "{\"event\":{\"id\":\"1\"}}" },
        { "{\"email\":\"ann@gmial.com\"}",
          "{\"valid\":false,\"reason\":\"did you mean gmail.com?\",\"normalized\":null,\"title\":\"Please look at your email address "
          "again\",\"body\":\"ann@gmial.com seems wrong: did you mean gmail.com? You can correct it in your profile.\"}",
          false, "{\"event\":{\"id\":\"1\"}}" },
    };
    CHECK("validate-email", samples);
}

int main(int argc, char **argv)
{
    shared_host_arguments(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calculate_total),
        cmocka_unit_test(test_format_order),
        cmocka_unit_test(test_validate_email),
    };
    return cmocka_run_group_tests_name("attacks/builtins", tests, shared_host_start, shared_host_stop);
}
