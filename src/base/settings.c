/*
 * Settings: what the table says, read from their sources, checked, and published as immutable values that readers take by one atomic load.
 * Values replaced by a reload are kept: somebody may still hold them, and reloads are few.
 */
#include "base/settings_parts.h"

#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 256 /* of the index by name: a power of two, well above the rows */

#define ROW(name, type, initial, min, max, reloadable, doc) {#name, SETTINGS_##type, initial, min, max, reloadable, doc},
const struct settings_row settings_rows[] = {SETTINGS_TABLE(ROW)};

static _Atomic(const struct settings_value *) values[SETTINGS_COUNT];
static unsigned char slots[SLOTS]; /* row + 1, or 0 */
settings_check *settings_checks[SETTINGS_COUNT];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static char **flags; /* as given to settings_load: they win again at every reload */

/* ---- the index ---- */

static unsigned hash(const char *name)
{
    unsigned sum = 2166136261u;
    for (; *name; name++)
        sum = (sum ^ (unsigned char)*name) * 16777619u;
    return sum;
}

static void publish_value(unsigned row, struct settings_value value);

static void start(void)
{
    for (unsigned i = 0; i < SETTINGS_COUNT; i++) {
        unsigned slot = hash(settings_rows[i].name) % SLOTS;
        while (slots[slot])
            slot = (slot + 1) % SLOTS;
        slots[slot] = (unsigned char)(i + 1);
        struct settings_value value;
        struct err err;
        if (settings_parse((int)i, settings_rows[i].initial, &value, &err))
            log_fatal("settings table is wrong", "{s:s}", "setting", settings_rows[i].name);
        publish_value(i, value);
    }
}

int settings_find(const char *name)
{
    pthread_once(&once, start);
    for (unsigned slot = hash(name) % SLOTS; slots[slot]; slot = (slot + 1) % SLOTS)
        if (!strcmp(settings_rows[slots[slot] - 1].name, name))
            return slots[slot] - 1;
    return -1;
}

/* ---- publishing ---- */

static void publish_value(unsigned row, struct settings_value value)
{
    struct settings_value *copy = malloc(sizeof *copy);
    char *text = strdup(value.text);
    if (!copy || !text)
        log_fatal("out of memory for settings", NULL);
    *copy = value;
    copy->text = text;
    copy->former = atomic_load(&values[row]);
    atomic_store(&values[row], copy);
}

static void publish(const struct settings_draft *draft, bool reload)
{
    for (unsigned i = 0; i < SETTINGS_COUNT; i++) {
        const struct settings_value *old = atomic_load(&values[i]);
        if (!strcmp(old->text, draft->values[i].text))
            continue;
        if (reload && !settings_rows[i].reloadable) {
            log_warn("setting needs a restart to change", "{s:s}", "setting", settings_rows[i].name);
            continue;
        }
        publish_value(i, draft->values[i]);
    }
    enum log_level level;
    if (!log_level_parse(settings_text("log_level"), &level))
        log_set_level(level);
}

static int load(bool reload, struct err *err)
{
    struct settings_draft *draft = calloc(1, sizeof *draft);
    if (!draft)
        return err_set(err, -ENOMEM, "out of memory");
    pthread_once(&once, start);
    int code = settings_draft_read(draft, flags, err);
    if (!code)
        publish(draft, reload);
    free(draft->file);
    free(draft);
    return code;
}

int settings_load(char **arguments, struct err *err)
{
    flags = arguments;
    return load(false, err);
}

int settings_reload(struct err *err)
{
    return load(true, err);
}

int settings_check_by(const char *name, settings_check *check, struct err *err)
{
    int row = settings_find(name);
    char variable[SETTINGS_NAME_SIZE];
    settings_variable(&settings_rows[row], variable);
    settings_checks[row] = check;
    return check(variable, settings_text(name), err);
}

int settings_set(const char *name, const char *value, struct err *err)
{
    int row = settings_find(name);
    struct settings_value parsed;
    if (row < 0)
        return err_set(err, -EINVAL, "there is no setting %s", name);
    if (settings_parse(row, value, &parsed, err))
        return -EINVAL;
    publish_value((unsigned)row, parsed);
    return 0;
}

/* ---- reading ---- */

static const struct settings_value *get(const char *name, enum settings_type type)
{
    int row = settings_find(name);
    if (row < 0 || settings_rows[row].type != type) {
        fprintf(stderr, "settings: no setting %s of that type\n", name);
        abort();
    }
    return atomic_load_explicit(&values[row], memory_order_acquire);
}

const char *settings_text(const char *name)
{
    return get(name, SETTINGS_TEXT)->text;
}

int64_t settings_number(const char *name)
{
    return get(name, SETTINGS_NUMBER)->number;
}

int64_t settings_duration_ms(const char *name)
{
    return get(name, SETTINGS_DURATION)->number;
}

bool settings_flag(const char *name)
{
    return get(name, SETTINGS_FLAG)->number;
}

bool settings_rate(const char *name, struct settings_rate *ret_rate)
{
    const struct settings_value *value = get(name, SETTINGS_RATE);
    if (!value->period_ms)
        return false;
    *ret_rate = (struct settings_rate){value->number, value->period_ms};
    return true;
}

/* ---- printing ---- */

void settings_print(struct buffer *out, bool markdown)
{
    if (markdown)
        buffer_add_string(out, "| variable | default | meaning |\n| --- | --- | --- |\n");
    for (unsigned i = 0; i < SETTINGS_COUNT; i++) {
        char name[SETTINGS_NAME_SIZE];
        settings_variable(&settings_rows[i], name);
        const char *initial = settings_rows[i].initial;
        if (markdown && initial[0])
            buffer_printf(out, "| `%s` | `%s` | %s |\n", name, initial, settings_rows[i].doc);
        else if (markdown)
            buffer_printf(out, "| `%s` | | %s |\n", name, settings_rows[i].doc);
        else
            buffer_printf(out, "  %-32s %s%s%s%s\n", name, settings_rows[i].doc, initial[0] ? " (" : "", initial, initial[0] ? ")" : "");
    }
}
