/* The rules of functions. No I/O, no clock, no state. */
#include "functions/rules.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIGGER_LENGTH_MAX 200
#define SETTINGS_MAX 64
#define SETTINGS_BYTES_MAX 16384
#define TITLE_MAX 200
#define BODY_MAX 4000

bool function_rules_name_is_valid(const char *name)
{
    size_t length = name ? strlen(name) : 0;
    if (length == 0 || length > FUNCTION_NAME_MAX || name[0] == '-')
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

static void read_name(struct fields *fields, const char *path_name, struct definition *definition)
{
    const char *name = field_string(fields, "name", !path_name, 1, FUNCTION_NAME_MAX);
    if (name && !function_rules_name_is_valid(name))
        problem_errors_add(fields->errors, "/name", "Lower-case letters, digits and hyphens, not beginning with a hyphen.");
    else if (name && path_name && strcmp(name, path_name) != 0)
        problem_errors_add(fields->errors, "/name", "The name cannot be changed.");
    definition->name = path_name ? path_name : name;
}

static void read_source(struct fields *fields, struct definition *definition)
{
    json_t *source = field_any(fields, "source");
    if (!source)
        problem_errors_add(fields->errors, "/source", "This field is required.");
    else if (!json_is_string(source) || json_string_length(source) == 0 || json_string_length(source) > FUNCTION_SOURCE_MAX)
        problem_errors_add(fields->errors, "/source", "A text of 1 to %d bytes.", FUNCTION_SOURCE_MAX);
    else if (strlen(json_string_value(source)) != json_string_length(source))
        problem_errors_add(fields->errors, "/source", "A source has no NUL character.");
    else
        definition->source = json_string_value(source);
}

static void read_number(struct fields *fields, const char *name, int64_t min, int64_t max, int64_t *value)
{
    bool present = false;
    int64_t number = field_integer(fields, name, false, min, max, &present);
    if (present)
        *value = number;
}

static void read_access(struct fields *fields, struct definition *definition)
{
    const char *access = field_string(fields, "access", false, 1, 16);
    if (!access)
        return;
    if (strcmp(access, "public") && strcmp(access, "user") && strcmp(access, "admin"))
        problem_errors_add(fields->errors, "/access", "One of public, user, admin.");
    else
        definition->access = access;
}

static void read_reuse(struct fields *fields, struct definition *definition)
{
    json_t *reuse = field_any(fields, "reuse");
    if (reuse && !json_is_boolean(reuse))
        problem_errors_add(fields->errors, "/reuse", "true or false.");
    else if (reuse)
        definition->reuse = json_is_true(reuse);
}

static void read_triggers(struct fields *fields, struct definition *definition)
{
    json_t *triggers = field_array(fields, "triggers", false, 0, FUNCTION_TRIGGERS_MAX), *trigger;
    size_t index;
    json_array_foreach(triggers, index, trigger)
    {
        char pointer[32];
        enum trigger_kind kind;
        const char *why = "A text.";
        snprintf(pointer, sizeof(pointer), "/triggers/%zu", index);
        if (!json_is_string(trigger) || function_rules_trigger_parse(json_string_value(trigger), &kind, &why))
            problem_errors_add(fields->errors, pointer, "%s", why);
    }
    if (triggers)
        definition->triggers = triggers;
}

static void read_settings(struct fields *fields, struct definition *definition)
{
    json_t *settings = field_object(fields, "settings", false), *value;
    const char *key;
    size_t bytes = 0;
    if (!settings)
        return;
    json_object_foreach(settings, key, value)
    {
        bytes += strlen(key) + (json_is_string(value) ? json_string_length(value) : SETTINGS_BYTES_MAX + 1);
    }
    if (json_object_size(settings) > SETTINGS_MAX || bytes > SETTINGS_BYTES_MAX)
        problem_errors_add(fields->errors, "/settings", "At most %d texts of %d bytes in all.", SETTINGS_MAX, SETTINGS_BYTES_MAX);
    else
        definition->settings = settings;
}

void function_rules_read_definition(json_t *object, const char *path_name, struct problem_errors *errors, struct definition *ret_definition)
{
    struct fields fields = fields_of(object, "", errors);
    read_name(&fields, path_name, ret_definition);
    read_source(&fields, ret_definition);
    read_access(&fields, ret_definition);
    read_number(&fields, "timeout_ms", 1, 30000, &ret_definition->timeout_ms);
    read_number(&fields, "memory_mb", 8, 512, &ret_definition->memory_mb);
    read_number(&fields, "concurrency", 1, FUNCTION_CONCURRENCY_MAX, &ret_definition->concurrency);
    read_reuse(&fields, ret_definition);
    read_triggers(&fields, ret_definition);
    read_settings(&fields, ret_definition);
    fields_done(&fields);
}

int function_rules_trigger_parse(const char *trigger, enum trigger_kind *ret_kind, const char **ret_why)
{
    struct cron cron;
    *ret_why = "A queue (user.created, order.created), an event type or pattern (purser.order.*), or cron: and five fields.";
    if (strlen(trigger) > TRIGGER_LENGTH_MAX)
        return -EINVAL;
    if (!strcmp(trigger, "user.created") || !strcmp(trigger, "order.created")) {
        *ret_kind = TRIGGER_QUEUE;
        return 0;
    }
    if (!strncmp(trigger, "cron:", 5)) {
        *ret_kind = TRIGGER_CRON;
        *ret_why = "cron: and five fields: minute, hour, day, month, weekday.";
        return function_rules_cron_parse(trigger + 5, &cron);
    }
    *ret_kind = TRIGGER_TOPIC;
    bool letters = strspn(trigger, "abcdefghijklmnopqrstuvwxyz_.*") == strlen(trigger);
    return letters && !strncmp(trigger, "purser.", 7) && trigger[7] ? 0 : -EINVAL;
}

bool function_rules_type_matches(const char *pattern, const char *type)
{
    const char *star = NULL, *resume = NULL;
    while (*type) {
        if (*pattern == '*') {
            star = ++pattern;
            resume = type;
        } else if (*pattern == *type) {
            pattern++;
            type++;
        } else if (star) {
            pattern = star;
            type = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

/* A number without sign at *at, which moves on. */
static int cron_number(const char **at, unsigned max, unsigned *ret_number)
{
    unsigned number = 0;
    const char *start = *at;
    for (; isdigit((unsigned char)**at) && *at - start < 3; (*at)++)
        number = number * 10 + (unsigned)(**at - '0');
    if (*at == start || number > max)
        return -EINVAL;
    *ret_number = number;
    return 0;
}

/* One part of a list: *, n, n-m, each with an optional /step. */
static int cron_part(const char **at, unsigned min, unsigned max, uint64_t *bits)
{
    unsigned from = min, to = max, step = 1;
    bool single = false;
    if (**at == '*') {
        (*at)++;
    } else {
        if (cron_number(at, max, &from) || from < min)
            return -EINVAL;
        to = from;
        single = true;
        if (**at == '-') {
            (*at)++;
            single = false;
            if (cron_number(at, max, &to) || to < from)
                return -EINVAL;
        }
    }
    if (**at == '/') {
        (*at)++;
        if (cron_number(at, max, &step) || step == 0)
            return -EINVAL;
        if (single)
            to = max;
    }
    for (unsigned value = from; value <= to; value += step)
        *bits |= (uint64_t)1 << value;
    return 0;
}

static int cron_field(const char **at, unsigned min, unsigned max, uint64_t *ret_bits, bool *ret_any)
{
    while (**at == ' ' || **at == '\t')
        (*at)++;
    *ret_bits = 0;
    *ret_any = **at == '*' && ((*at)[1] == ' ' || (*at)[1] == '\t' || !(*at)[1]);
    do {
        if (**at == ',')
            (*at)++;
        if (cron_part(at, min, max, ret_bits))
            return -EINVAL;
    } while (**at == ',');
    return **at && **at != ' ' && **at != '\t' ? -EINVAL : 0;
}

int function_rules_cron_parse(const char *fields, struct cron *ret_cron)
{
    uint64_t minutes, hours, days, months, weekdays;
    bool any;
    struct cron cron = {0};
    if (cron_field(&fields, 0, 59, &minutes, &any) || cron_field(&fields, 0, 23, &hours, &any) ||
        cron_field(&fields, 1, 31, &days, &cron.any_day) || cron_field(&fields, 1, 12, &months, &any) ||
        cron_field(&fields, 0, 7, &weekdays, &cron.any_weekday))
        return -EINVAL;
    if (fields[strspn(fields, " \t")])
        return -EINVAL;
    if (weekdays & (1 << 7))
        weekdays |= 1;
    cron.minutes = minutes;
    cron.hours = (uint32_t)hours;
    cron.days = (uint32_t)days;
    cron.months = (uint32_t)months;
    cron.weekdays = (uint32_t)weekdays;
    *ret_cron = cron;
    return 0;
}

bool function_rules_cron_matches(const struct cron *cron, const struct tm *utc)
{
    bool day = cron->days >> utc->tm_mday & 1, weekday = cron->weekdays >> utc->tm_wday & 1;
    bool date = cron->any_day || cron->any_weekday ? day && weekday : day || weekday;
    return (cron->minutes >> utc->tm_min & 1) && (cron->hours >> utc->tm_hour & 1) && (cron->months >> (utc->tm_mon + 1) & 1) && date;
}

static const char *short_text(const json_t *object, const char *key, size_t max)
{
    const json_t *value = json_object_get(object, key);
    size_t length = json_is_string(value) ? json_string_length(value) : 0;
    return length > 0 && length <= max ? json_string_value(value) : NULL;
}

bool function_rules_notification_of(const json_t *result, struct hook_notification *ret_notification)
{
    json_t *data = json_object_get(result, "data");
    struct hook_notification notification = {
        .title = short_text(result, "title", TITLE_MAX),
        .body = short_text(result, "body", BODY_MAX),
        .data = json_is_object(data) ? data : NULL,
    };
    if (!notification.title || !notification.body)
        return false;
    *ret_notification = notification;
    return true;
}

int64_t function_rules_wait_us(unsigned waiting, unsigned processes, int64_t run_us)
{
    return run_us * (waiting + 1) / (processes ? processes : 1);
}
