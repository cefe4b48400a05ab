/*
 * Settings: what the table says, read from defaults, file, environment and flags, checked, and published as immutable values that readers
 * take by one atomic load. Values replaced by a reload are kept: somebody may still hold them, and reloads are few.
 */
#include "base/settings.h"

#include "base/log.h"
#include "base/settings_table.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum type { TEXT, NUMBER, DURATION, FLAG, RATE };

struct row {
    const char *name;
    enum type type;
    const char *initial;
    int64_t min, max;
    bool reloadable;
    const char *doc;
};

#define ROW(name, type, initial, min, max, reloadable, doc) {#name, type, initial, min, max, reloadable, doc},
static const struct row rows[] = {SETTINGS_TABLE(ROW)};
#define ROWS (sizeof rows / sizeof *rows)
#define NAME_MAX_SIZE 64
#define FILE_SIZE_MAX (64 * 1024)
#define SLOTS 256 /* of the index by name: a power of two, well above the rows */

struct value {
    const char *text;
    int64_t number;    /* NUMBER; DURATION in ms; FLAG 0 or 1; RATE's count */
    int64_t period_ms; /* RATE; 0 when off */
    const struct value *former; /* kept for those who still hold its text */
};

static _Atomic(const struct value *) values[ROWS];
static unsigned char slots[SLOTS]; /* row + 1, or 0 */
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

static int parse(const struct row *row, const char *text, struct value *ret_value);
static void publish_value(unsigned row, struct value value);

static void start(void)
{
    for (unsigned i = 0; i < ROWS; i++) {
        unsigned slot = hash(rows[i].name) % SLOTS;
        while (slots[slot])
            slot = (slot + 1) % SLOTS;
        slots[slot] = (unsigned char)(i + 1);
        struct value value;
        if (parse(&rows[i], rows[i].initial, &value))
            log_fatal("settings table is wrong", "{s:s}", "setting", rows[i].name);
        publish_value(i, value);
    }
}

/* -1 if there is none. */
static int find(const char *name)
{
    pthread_once(&once, start);
    for (unsigned slot = hash(name) % SLOTS; slots[slot]; slot = (slot + 1) % SLOTS)
        if (!strcmp(rows[slots[slot] - 1].name, name))
            return slots[slot] - 1;
    return -1;
}

/* ---- reading one value ---- */

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

static int parse_rate(const char *text, struct value *value)
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

static int parse(const struct row *row, const char *text, struct value *ret_value)
{
    struct value value = {.text = text};
    int code = 0;
    if (row->type == NUMBER)
        code = text_to_int64(text_of(text), &value.number);
    else if (row->type == DURATION)
        code = parse_duration(text, &value.number);
    else if (row->type == RATE)
        code = parse_rate(text, &value);
    else if (row->type == FLAG)
        code = !strcmp(text, "on") ? (value.number = 1, 0) : !strcmp(text, "off") ? 0 : -EINVAL;
    if (code)
        return -EINVAL;
    if ((row->type == NUMBER || row->type == DURATION) && (value.number < row->min || value.number > row->max))
        return -EINVAL;
    *ret_value = value;
    return 0;
}

static void describe(const struct row *row, char *ret_text, size_t room)
{
    switch (row->type) {
    case NUMBER:
        snprintf(ret_text, room, "a number from %" PRId64 " to %" PRId64, row->min, row->max);
        break;
    case DURATION:
        snprintf(ret_text, room, "a duration such as 250ms, 10s or 30m, from %" PRId64 " ms to %" PRId64 " ms", row->min, row->max);
        break;
    case FLAG:
        snprintf(ret_text, room, "on or off");
        break;
    case RATE:
        snprintf(ret_text, room, "count/period such as 100/10s, or off");
        break;
    case TEXT:
        snprintf(ret_text, room, "text");
    }
}

static void upper_name(const struct row *row, char ret_name[NAME_MAX_SIZE])
{
    snprintf(ret_name, NAME_MAX_SIZE, "PURSER_%s", row->name);
    for (char *at = ret_name; *at; at++)
        *at = (char)toupper((unsigned char)*at);
}

static int check_level(const char *name, const char *text)
{
    enum log_level level;
    return strcmp(name, "log_level") ? 0 : log_level_parse(text, &level);
}

static int parse_named(int row, const char *text, struct value *ret_value, struct err *err)
{
    char name[NAME_MAX_SIZE], wanted[128];
    upper_name(&rows[row], name);
    if (check_level(rows[row].name, text))
        return err_set(err, -EINVAL, "%s is \"%.60s\"; it should be debug, info, warn or error", name, text);
    if (!parse(&rows[row], text, ret_value))
        return 0;
    describe(&rows[row], wanted, sizeof wanted);
    return err_set(err, -EINVAL, "%s is \"%.60s\"; it should be %s", name, text, wanted);
}

/* ---- the sources: each puts its values over those before ---- */

struct draft {
    struct value values[ROWS];
    char *file; /* the bytes of PURSER_CONFIG's file, which values point into */
};

static int draft_environment(struct draft *draft, struct err *err)
{
    for (unsigned i = 0; i < ROWS; i++) {
        char name[NAME_MAX_SIZE];
        upper_name(&rows[i], name);
        const char *text = getenv(name);
        if (text && parse_named((int)i, text, &draft->values[i], err))
            return -EINVAL;
    }
    return 0;
}

/* "PURSER_X" or "x" to its row. */
static int find_key(const char *key)
{
    char name[NAME_MAX_SIZE];
    size_t size = 0;
    if (!strncmp(key, "PURSER_", 7))
        key += 7;
    for (; key[size] && size < sizeof name - 1; size++)
        name[size] = key[size] == '-' ? '_' : (char)tolower((unsigned char)key[size]);
    name[size] = 0;
    return find(name);
}

static int draft_flags(struct draft *draft, struct err *err)
{
    for (char **at = flags; at && *at; at++) {
        char key[NAME_MAX_SIZE];
        if (strncmp(*at, "--", 2))
            return err_set(err, -EINVAL, "\"%.60s\" is no flag; settings are --name=value", *at);
        size_t size = strcspn(*at + 2, "=");
        snprintf(key, sizeof key, "%.*s", (int)(size < sizeof key ? size : sizeof key - 1), *at + 2);
        const char *text = (*at)[2 + size] ? *at + 3 + size : NULL;
        int row = find_key(key);
        if (row < 0)
            return err_set(err, -EINVAL, "there is no setting --%s; see purser help settings", key);
        if (!text && rows[row].type == FLAG && (!at[1] || !strncmp(at[1], "--", 2)))
            text = "on";
        if (!text && !(text = *++at))
            return err_set(err, -EINVAL, "--%s needs a value", key);
        if (parse_named(row, text, &draft->values[row], err))
            return -EINVAL;
    }
    return 0;
}

/* Cuts blanks at both ends and quotes around. */
static char *clean_value(char *value)
{
    while (isspace((unsigned char)*value))
        value++;
    size_t size = strlen(value);
    while (size && isspace((unsigned char)value[size - 1]))
        value[--size] = 0;
    if (size >= 2 && (value[0] == '"' || value[0] == '\'') && value[size - 1] == value[0]) {
        value[size - 1] = 0;
        value++;
    }
    return value;
}

static int draft_line(struct draft *draft, const char *path, int number, char *line, struct err *err)
{
    while (isspace((unsigned char)*line))
        line++;
    if (!*line || *line == '#')
        return 0;
    char *equals = strchr(line, '=');
    if (!equals)
        return err_set(err, -EINVAL, "%s line %d: expected KEY=value", path, number);
    *equals = 0;
    int row = find_key(clean_value(line));
    if (row < 0)
        return err_set(err, -EINVAL, "%s line %d: there is no setting %.60s", path, number, line);
    if (parse_named(row, clean_value(equals + 1), &draft->values[row], err)) {
        err_prefix(err, "%s line %d", path, number);
        return -EINVAL;
    }
    return 0;
}

static int read_whole(const char *path, char **ret_bytes, struct err *err)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return err_set(err, -EINVAL, "PURSER_CONFIG: cannot read %s: %s", path, strerror(errno));
    char *bytes = calloc(1, FILE_SIZE_MAX + 1);
    size_t size = bytes ? fread(bytes, 1, FILE_SIZE_MAX + 1, file) : 0;
    bool bad = !bytes || ferror(file) || size > FILE_SIZE_MAX;
    fclose(file);
    if (bad) {
        free(bytes);
        return err_set(err, -EINVAL, "PURSER_CONFIG: cannot read %s, or it is larger than 64 KB", path);
    }
    *ret_bytes = bytes;
    return 0;
}

static int draft_file(struct draft *draft, const char *path, struct err *err)
{
    if (read_whole(path, &draft->file, err))
        return -EINVAL;
    int number = 1;
    for (char *line = draft->file; line; number++) {
        char *next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        if (draft_line(draft, path, number, line, err))
            return -EINVAL;
        line = next;
    }
    return 0;
}

/* The file's name comes from environment and flags, over which the file must not win: so those are read twice. */
static int draft_all(struct draft *draft, struct err *err)
{
    for (unsigned i = 0; i < ROWS; i++)
        if (parse_named((int)i, rows[i].initial, &draft->values[i], err))
            return -EINVAL;
    int config = find("config");
    if (draft_environment(draft, err) || draft_flags(draft, err))
        return -EINVAL;
    const char *path = draft->values[config].text;
    if (!path[0])
        return 0;
    for (unsigned i = 0; i < ROWS; i++)
        if (parse_named((int)i, rows[i].initial, &draft->values[i], err))
            return -EINVAL;
    if (draft_file(draft, path, err) || draft_environment(draft, err) || draft_flags(draft, err))
        return -EINVAL;
    return 0;
}

/* ---- publishing ---- */

static void publish_value(unsigned row, struct value value)
{
    struct value *copy = malloc(sizeof *copy);
    char *text = strdup(value.text);
    if (!copy || !text)
        log_fatal("out of memory for settings", NULL);
    *copy = value;
    copy->text = text;
    copy->former = atomic_load(&values[row]);
    atomic_store(&values[row], copy);
}

static void publish(const struct draft *draft, bool reload)
{
    for (unsigned i = 0; i < ROWS; i++) {
        const struct value *old = atomic_load(&values[i]);
        if (!strcmp(old->text, draft->values[i].text))
            continue;
        if (reload && !rows[i].reloadable) {
            log_warn("setting needs a restart to change", "{s:s}", "setting", rows[i].name);
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
    struct draft *draft = calloc(1, sizeof *draft);
    if (!draft)
        return err_set(err, -ENOMEM, "out of memory");
    pthread_once(&once, start);
    int code = draft_all(draft, err);
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

int settings_set(const char *name, const char *value, struct err *err)
{
    int row = find(name);
    struct value parsed;
    if (row < 0)
        return err_set(err, -EINVAL, "there is no setting %s", name);
    if (parse_named(row, value, &parsed, err))
        return -EINVAL;
    publish_value((unsigned)row, parsed);
    return 0;
}

/* ---- reading ---- */

static const struct value *get(const char *name, enum type type)
{
    int row = find(name);
    if (row < 0 || rows[row].type != type) {
        fprintf(stderr, "settings: no setting %s of that type\n", name);
        abort();
    }
    return atomic_load_explicit(&values[row], memory_order_acquire);
}

const char *settings_text(const char *name)
{
    return get(name, TEXT)->text;
}

int64_t settings_number(const char *name)
{
    return get(name, NUMBER)->number;
}

int64_t settings_duration_ms(const char *name)
{
    return get(name, DURATION)->number;
}

bool settings_flag(const char *name)
{
    return get(name, FLAG)->number;
}

bool settings_rate(const char *name, struct settings_rate *ret_rate)
{
    const struct value *value = get(name, RATE);
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
    for (unsigned i = 0; i < ROWS; i++) {
        char name[NAME_MAX_SIZE];
        upper_name(&rows[i], name);
        const char *initial = rows[i].initial;
        if (markdown && initial[0])
            buffer_printf(out, "| `%s` | `%s` | %s |\n", name, initial, rows[i].doc);
        else if (markdown)
            buffer_printf(out, "| `%s` | | %s |\n", name, rows[i].doc);
        else
            buffer_printf(out, "  %-32s %s%s%s%s\n", name, rows[i].doc, initial[0] ? " (" : "", initial, initial[0] ? ")" : "");
    }
}
