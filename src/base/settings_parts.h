/* What the files of the settings share: settings.c (the values), settings_values.c (one value), settings_sources.c (where they come from) and
 * settings_unknown.c (what is none). */
#ifndef PURSER_BASE_SETTINGS_PARTS_H
#define PURSER_BASE_SETTINGS_PARTS_H

#include "base/settings.h"
#include "base/settings_table.h"

#define SETTINGS_NAME_SIZE 64

enum settings_type { SETTINGS_TEXT, SETTINGS_NUMBER, SETTINGS_DURATION, SETTINGS_FLAG, SETTINGS_RATE };

struct settings_row {
    const char *name;
    enum settings_type type;
    const char *initial;
    int64_t min, max;
    bool reloadable;
    const char *doc;
};

#define SETTINGS_ONE(...) +1
enum { SETTINGS_COUNT = 0 SETTINGS_TABLE(SETTINGS_ONE) };
extern const struct settings_row settings_rows[SETTINGS_COUNT];

struct settings_value {
    const char *text;
    int64_t number;                      /* NUMBER; DURATION in ms; FLAG 0 or 1; RATE's count */
    int64_t period_ms;                   /* RATE; 0 when off */
    const struct settings_value *former; /* kept for those who still hold its text */
};

/* The row of that name, -1 if there is none. */
int settings_find(const char *name);

/* ---- one value ---- */

/* PURSER_ and the name in capitals. */
void settings_variable(const struct settings_row *row, char ret_name[SETTINGS_NAME_SIZE]);
/* The way back, from PURSER_X, x or X-Y: the name as the table would have it, cut to fit. */
void settings_name(const char *key, char ret_name[SETTINGS_NAME_SIZE]);
/* The variable of the setting that a name which is none may mean; false: none is like it. */
bool settings_similar(const char *name, char ret_variable[SETTINGS_NAME_SIZE]);
/* Reads and checks; the value's text is borrowed. 0, or -EINVAL with a line that says what it should be. */
extern settings_check *settings_checks[]; /* of the rows, or NULL */
int settings_parse(int row, const char *text, struct settings_value *ret_value, struct err *err);

/* ---- the sources ---- */

struct settings_draft {
    struct settings_value values[SETTINGS_COUNT];
    char *file; /* heap: the bytes of PURSER_CONFIG's file, which values point into */
};
/* Reads all sources into a draft of zeros; `flags` as settings_load has them. 0 or -EINVAL with one line. Free `file` either way. */
int settings_draft_read(struct settings_draft *draft, char **flags, struct err *err);

#endif
