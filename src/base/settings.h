/*
 * Settings: one table (settings_table.h) of name, type, default, range and one line of doc, from which reading, checking,
 * `purser help settings` and the reference page come. Sources, last wins: defaults, PURSER_CONFIG's file, environment, flags.
 */
#ifndef PURSER_BASE_SETTINGS_H
#define PURSER_BASE_SETTINGS_H

#include "base/err.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

/* Reads all sources. `arguments` is a NULL-terminated list of flags `--listen=…`, `--rate-limit-ip …` (the name without
 * PURSER_, lower case, dashes). 0, or -EINVAL with one line in `err` that names the setting and what it should be. */
int settings_load(char **arguments, struct err *err);
/* Reads file and environment again (SIGHUP). Refuses whole what is wrong and keeps the old. Settings that cannot change
 * while running keep their value with a warning. */
int settings_reload(struct err *err);

typedef int settings_check(const char *variable, const char *text, struct err *err);
/* From now on a text of this setting has to pass `check`, too, whose one line names the variable and says what is wrong: its owner knows what no
 * type does. The text that it has now is checked first: 0, or negative. */
int settings_check_by(const char *name, settings_check *check, struct err *err);

/* The names are those of the table without PURSER_, lower case: settings_text("database_url"). An unknown name or another
 * type is a bug and aborts. Values stay valid for ever (a reload keeps the old strings alive). Any thread. */
const char *settings_text(const char *name); /* never NULL; "" if none */
int64_t settings_number(const char *name);
int64_t settings_duration_ms(const char *name); /* 30m, 10s, 250ms */
bool settings_flag(const char *name);           /* on, off */

/* n per period: 100/10s. false when off. */
struct settings_rate {
    int64_t count, period_ms;
};
bool settings_rate(const char *name, struct settings_rate *ret_rate);

/* The table as text for `purser help settings`, and as Markdown for docs/settings.md. */
void settings_print(struct buffer *out, bool markdown);

/* Calls `visit` for each variable of the environment that begins as settings do and is none, with the setting's variable that it may mean, or
 * NULL. What platforms and scripts set is passed over. Both names are borrowed for the call. */
void settings_each_unknown(char *const *environment, void (*visit)(void *arg, const char *variable, const char *similar), void *arg);

/* For tests: sets one, checked. */
int settings_set(const char *name, const char *value, struct err *err);

#endif
