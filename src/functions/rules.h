/* What the functions service decides without any I/O: what a definition may be, when a trigger fires, what a hook's result means,
 * whether a call is worth its wait. */
#ifndef PURSER_FUNCTIONS_RULES_H
#define PURSER_FUNCTIONS_RULES_H

#include "http/problem.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define FUNCTION_NAME_MAX 63
#define FUNCTION_SOURCE_MAX 1000000
#define FUNCTION_TRIGGERS_MAX 16
#define FUNCTION_CONCURRENCY_MAX 64

/* One version of a function as its author gives it. Strings and trees are borrowed. */
struct definition {
    const char *name;
    const char *source;
    const char *access; /* "public", "user", "admin" */
    int64_t timeout_ms, memory_mb, concurrency;
    bool reuse;
    json_t *triggers; /* array of strings */
    json_t *settings; /* object of strings */
};

bool function_rules_name_is_valid(const char *name);

/* Reads a definition from a request's object; what is absent keeps what ret_definition holds. Everything wrong is added to errors.
 * `path_name` is the name in the path, or NULL when the body must give it. */
void function_rules_read_definition(json_t *object, const char *path_name, struct problem_errors *errors, struct definition *ret_definition);

enum trigger_kind { TRIGGER_QUEUE, TRIGGER_TOPIC, TRIGGER_CRON };
/* 0, or -EINVAL with a sentence in *ret_why. */
int function_rules_trigger_parse(const char *trigger, enum trigger_kind *ret_kind, const char **ret_why);
/* Whether an event type fits a pattern: `*` stands for any characters. */
bool function_rules_type_matches(const char *pattern, const char *type);

/* Five fields: minute hour day month weekday; each `*`, numbers, ranges, steps, lists; weekday 0 and 7 are Sunday. */
struct cron {
    uint64_t minutes;
    uint32_t hours, days, months, weekdays;
    bool any_day, any_weekday;
};
int function_rules_cron_parse(const char *fields, struct cron *ret_cron);
/* As in cron(8): when both day and weekday are restricted, either is enough. */
bool function_rules_cron_matches(const struct cron *cron, const struct tm *utc);

/* What a hook returned, as a notification: false when it is none. */
struct hook_notification {
    const char *title, *body;
    json_t *data; /* object or NULL */
};
bool function_rules_notification_of(const json_t *result, struct hook_notification *ret_notification);

/* Microseconds that a call would wait behind `waiting` others, `processes` of which run at a time. */
int64_t function_rules_wait_us(unsigned waiting, unsigned processes, int64_t run_us);

#endif
