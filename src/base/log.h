/*
 * Log lines: one JSON object a line on standard error, with time, level, event, the fiber's request id and trace id where
 * there is one, and the caller's members. What users sent is escaped and cut to 1,000 characters; secrets never.
 */
#ifndef PURSER_BASE_LOG_H
#define PURSER_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_FATAL };

/* `event` is a short constant phrase; `members` is a jansson pack format of an object ("{s:s, s:I}") or NULL. */
void log_write(enum log_level level, const char *event, const char *members, ...);
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)

/* One last line, then _exit(1). For a broken environment, never for a bug (assert) nor for a request (problem answer). */
_Noreturn void log_fatal(const char *event, const char *members, ...);

/* For the calling thread: lines below a warning may be held until log_flush, which whoever turned it on calls before the thread waits. */
void log_hold(bool hold);
void log_flush(void);

void log_set_level(enum log_level level);
/* 0 or -EINVAL. */
int log_level_parse(const char *name, enum log_level *ret_level);

/* The runtime tells what the current fiber's request is: returns its id, and trace id, or NULL each. */
void log_set_context(const char *(*request_id)(void), const char *(*trace_id)(void));

#endif
