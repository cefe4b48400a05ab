/* Triggers of functions: schedules match without harm, a pattern without a star matches itself alone, and with one at its end all that begins so. */
#include "functions/rules.h"

#include <stdlib.h>
#include <string.h>

static void check_cron(const char *fields)
{
    struct cron cron;
    struct tm utc = {.tm_mday = 1};
    if (function_rules_cron_parse(fields, &cron))
        return;
    if (!cron.minutes || !cron.hours || !cron.days || !cron.months || !cron.weekdays)
        abort(); /* a schedule that was taken can come */
    for (utc.tm_wday = 0; utc.tm_wday < 7; utc.tm_wday++)
        function_rules_cron_matches(&cron, &utc);
}

static void check_pattern(const char *pattern)
{
    size_t length = strlen(pattern);
    bool star = strchr(pattern, '*') != NULL;
    if (!function_rules_type_matches(pattern, pattern))
        abort(); /* stars match themselves too */
    char longer[300];
    if (length + 2 > sizeof(longer))
        return;
    memcpy(longer, pattern, length);
    memcpy(longer + length, "x", 2);
    bool ends_in_star = length && pattern[length - 1] == '*';
    if (function_rules_type_matches(pattern, longer) != ends_in_star && !star)
        abort();
    if (ends_in_star && !function_rules_type_matches(pattern, longer))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    enum trigger_kind kind;
    const char *why;
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    check_cron(text);
    if (size <= 256)
        check_pattern(text);
    function_rules_trigger_parse(text, &kind, &why);
    free(text);
    return 0;
}
