/* One value: its types, what they look like, and what to say where they do not. */
#include "base/settings_parts.h"

#include "base/log.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int parse_duration(const char *text, int64_t *ret_ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    size_t digits = strspn(text, "0123456789");
    int64_t number;
    if (text_to_int64((struct text){text, digits}, &number))
        return -EINVAL;
    for (unsigned i = 0; i < sizeof units / sizeof *units; i++)
        if (!strcmp(text + digits, units[i].unit))
            return __builtin_mul_overflow(number, units[i].ms, ret_ms) ? -EINVAL : 0;
    return -EINVAL;
}

static int parse_rate(const char *text, struct settings_value *value)
{
    const char *slash = strchr(text, '/');
    if (!strcmp(text, "off"))
        return 0;
    if (!slash || text_to_int64((struct text){text, (size_t)(slash - text)}, &value->number))
        return -EINVAL;
    if (parse_duration(slash + 1, &value->period_ms) || value->period_ms < 1 || value->period_ms > 86400000)
        return -EINVAL;
    return value->number >= 1 && value->number <= 1000000 ? 0 : -EINVAL;
}

static int parse(const struct settings_row *row, const char *text, struct settings_value *ret_value)
{
    struct settings_value value = {.text = text};
    int code = 0;
    if (row->type == SETTINGS_NUMBER)
        code = text_to_int64(text_of(text), &value.number);
    else if (row->type == SETTINGS_DURATION)
        code = parse_duration(text, &value.number);
    else if (row->type == SETTINGS_RATE)
        code = parse_rate(text, &value);
    else if (row->type == SETTINGS_FLAG)
        code = !strcmp(text, "on") ? (value.number = 1, 0) : !strcmp(text, "off") ? 0 : -EINVAL;
    if (code)
        return -EINVAL;
    if ((row->type == SETTINGS_NUMBER || row->type == SETTINGS_DURATION) && (value.number < row->min || value.number > row->max))
        return -EINVAL;
    *ret_value = value;
    return 0;
}

static void describe(const struct settings_row *row, char *ret_text, size_t room)
{
    switch (row->type) {
    case SETTINGS_NUMBER:
        snprintf(ret_text, room, "a number from %" PRId64 " to %" PRId64, row->min, row->max);
        break;
    case SETTINGS_DURATION:
        snprintf(ret_text, room, "a duration such as 250ms, 10s or 30m, from %" PRId64 " ms to %" PRId64 " ms", row->min, row->max);
        break;
    case SETTINGS_FLAG:
        snprintf(ret_text, room, "on or off");
        break;
    case SETTINGS_RATE:
        snprintf(ret_text, room, "count/period such as 100/10s, or off");
        break;
    case SETTINGS_TEXT:
        snprintf(ret_text, room, "text");
    }
}

void settings_variable(const struct settings_row *row, char ret_name[SETTINGS_NAME_SIZE])
{
    snprintf(ret_name, SETTINGS_NAME_SIZE, "PURSER_%s", row->name);
    for (char *at = ret_name; *at; at++)
        *at = (char)toupper((unsigned char)*at);
}

void settings_name(const char *key, char ret_name[SETTINGS_NAME_SIZE])
{
    size_t size = 0;
    if (!strncmp(key, "PURSER_", 7))
        key += 7;
    for (; key[size] && size < SETTINGS_NAME_SIZE - 1; size++)
        ret_name[size] = key[size] == '-' ? '_' : (char)tolower((unsigned char)key[size]);
    ret_name[size] = 0;
}

/* Scheme, host and perhaps a port, as browsers write them in Origin: what differs from that would never be met. */
static bool is_origin(struct text text)
{
    const char *mark = memmem(text.at, text.size, "://", 3);
    if (!mark || mark == text.at || text.at + text.size == mark + 3)
        return false;
    for (const char *at = text.at; at < text.at + text.size; at++)
        if (at == mark)
            at += 2;
        else if (!islower((unsigned char)*at) && !isdigit((unsigned char)*at) && !memchr("+-.:_[]", *at, 7))
            return false;
    return true;
}

static bool are_origins(const char *list)
{
    struct text rest = text_of(list), part;
    while (text_split(&rest, ',', &part))
        if (text_trim(part).size && !is_origin(text_trim(part)))
            return false;
    return true;
}

/* What a text that may not be any text should be; NULL: it is. */
static const char *wanted_text(const char *name, const char *text)
{
    enum log_level level;
    if (!strcmp(name, "log_level") && log_level_parse(text, &level))
        return "debug, info, warn or error";
    if (!strcmp(name, "cors_origins") && !are_origins(text))
        return "origins such as https://shop.example, comma-separated and without a path";
    return NULL;
}

int settings_parse(int row, const char *text, struct settings_value *ret_value, struct err *err)
{
    char name[SETTINGS_NAME_SIZE], wanted[128];
    settings_variable(&settings_rows[row], name);
    const char *other = wanted_text(settings_rows[row].name, text);
    if (!other && !parse(&settings_rows[row], text, ret_value))
        return settings_checks[row] ? settings_checks[row](name, text, err) : 0;
    if (other)
        snprintf(wanted, sizeof wanted, "%s", other);
    else
        describe(&settings_rows[row], wanted, sizeof wanted);
    return err_set(err, -EINVAL, "%s is \"%.60s\"; it should be %s", name, text, wanted);
}
