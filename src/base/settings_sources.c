/* Where values come from: defaults, PURSER_CONFIG's file, environment and flags. Each puts its values over those before. */
#include "base/settings_parts.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_SIZE_MAX (64 * 1024)

static int draft_environment(struct settings_draft *draft, struct err *err)
{
    for (unsigned i = 0; i < SETTINGS_COUNT; i++) {
        char name[SETTINGS_NAME_SIZE];
        settings_variable(&settings_rows[i], name);
        const char *text = getenv(name);
        if (text && settings_parse((int)i, text, &draft->values[i], err))
            return -EINVAL;
    }
    return 0;
}

/* The row of a key behind its dashes, if it has any; or -1 and one line. */
static int find_key(const char *dashes, const char *key, struct err *err)
{
    char name[SETTINGS_NAME_SIZE], similar[SETTINGS_NAME_SIZE];
    settings_name(key, name);
    int row = settings_find(name);
    if (row < 0 && settings_similar(name, similar))
        err_set(err, -EINVAL, "there is no setting %s%.60s; the most similar one is %s", dashes, key, similar);
    else if (row < 0)
        err_set(err, -EINVAL, "there is no setting %s%.60s; see purser help settings", dashes, key);
    return row;
}

static int draft_flags(struct settings_draft *draft, char **flags, struct err *err)
{
    for (char **at = flags; at && *at; at++) {
        char key[SETTINGS_NAME_SIZE];
        if (strncmp(*at, "--", 2))
            return err_set(err, -EINVAL, "\"%.60s\" is no flag; settings are --name=value", *at);
        size_t size = strcspn(*at + 2, "=");
        snprintf(key, sizeof key, "%.*s", (int)(size < sizeof key ? size : sizeof key - 1), *at + 2);
        const char *text = (*at)[2 + size] ? *at + 3 + size : NULL;
        int row = find_key("--", key, err);
        if (row < 0)
            return -EINVAL;
        if (!text && settings_rows[row].type == SETTINGS_FLAG && (!at[1] || !strncmp(at[1], "--", 2)))
            text = "on";
        if (!text && !(text = *++at))
            return err_set(err, -EINVAL, "--%s needs a value", key);
        if (settings_parse(row, text, &draft->values[row], err))
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

static int draft_line(struct settings_draft *draft, const char *path, int number, char *line, struct err *err)
{
    while (isspace((unsigned char)*line))
        line++;
    if (!*line || *line == '#')
        return 0;
    char *equals = strchr(line, '=');
    if (!equals)
        return err_set(err, -EINVAL, "%s line %d: expected KEY=value", path, number);
    *equals = 0;
    char *key = clean_value(line);
    int row = find_key("", key, err);
    if (row < 0 || settings_parse(row, clean_value(equals + 1), &draft->values[row], err)) {
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

static int draft_file(struct settings_draft *draft, const char *path, struct err *err)
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
int settings_draft_read(struct settings_draft *draft, char **flags, struct err *err)
{
    for (unsigned i = 0; i < SETTINGS_COUNT; i++)
        if (settings_parse((int)i, settings_rows[i].initial, &draft->values[i], err))
            return -EINVAL;
    int config = settings_find("config");
    if (draft_environment(draft, err) || draft_flags(draft, flags, err))
        return -EINVAL;
    const char *path = draft->values[config].text;
    if (!path[0])
        return 0;
    for (unsigned i = 0; i < SETTINGS_COUNT; i++)
        if (settings_parse((int)i, settings_rows[i].initial, &draft->values[i], err))
            return -EINVAL;
    if (draft_file(draft, path, err) || draft_environment(draft, err) || draft_flags(draft, flags, err))
        return -EINVAL;
    return 0;
}
