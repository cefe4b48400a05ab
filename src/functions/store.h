/* All SQL of the functions service. Calls named _tx run inside a transaction; the others make their own. Texts belong to the fiber's arena. */
#ifndef PURSER_FUNCTIONS_STORE_H
#define PURSER_FUNCTIONS_STORE_H

#include "engines/database.h"
#include "functions/rules.h"
#include "messaging/outbox.h"

/* A version as it is stored, with its function's row. */
struct stored_version {
    const char *name, *id, *source, *access, *triggers, *settings; /* triggers and settings as JSON */
    int64_t number, timeout_ms, memory_mb, concurrency;
    bool reuse;
    bool is_current;
    bool builtin; /* the function is one that was shipped */
    bool shipped; /* and this version is */
    int64_t function_created_ms, function_updated_ms, created_ms;
    const char *created_by;
    int64_t revision; /* of the registry: it was so then */
};

/* The version that answers. 0, -ENOENT. */
int functions_store_get_tx(struct transaction *tx, const char *name, struct stored_version *ret_version);
FIBER_FN int functions_store_get(struct database *database, const char *name, struct stored_version *ret_version);
/* The source of one version by its id. 0, -ENOENT. */
FIBER_FN int functions_store_source(struct database *database, const char *version_id, const char **ret_source);

struct stored_list {
    struct stored_version *at;
    unsigned count;
};
/* Functions by name, after `after` (not NULL), at most `limit`; without those whose access is `hidden` ("": all). Sources are left out. */
FIBER_FN int functions_store_list(struct database *database, const char *after, const char *hidden, int limit, struct stored_list *ret_list);
/* Versions below `before` (0: all), newest first. -ENOENT if there is no such function. */
FIBER_FN int functions_store_versions(struct database *database, const char *name, int64_t before, int limit, struct stored_list *ret_list);
FIBER_FN int functions_store_revision(struct database *database, int64_t *ret_revision);

/* Writers. Each counts the registry's revision up: whoever has a higher one has committed later. `version` gives what is stored; id, number,
 * times and revision are filled in. */
int functions_store_create_tx(struct transaction *tx, struct stored_version *version); /* -EEXIST */
int functions_store_update_tx(struct transaction *tx, struct stored_version *version); /* -ENOENT */
int functions_store_rollback_tx(struct transaction *tx, const char *name, int64_t number, struct stored_version *ret_version); /* -ENOENT: no such function, -ESRCH: no such version */
/* Removes it; of one that was shipped, goes back to the newest shipped version. -ENOENT; -EPERM: shipped and not overridden. ret_version's name
 * is NULL when it is gone. */
int functions_store_delete_tx(struct transaction *tx, const char *name, struct stored_version *ret_version);
/* Puts a shipped source in place at start, if it is new. */
int functions_store_ship_tx(struct transaction *tx, struct stored_version *version);

/* All triggers: rows of name, trigger and the registry's revision. With no trigger at all, one row whose name is NULL. */
int functions_store_triggers_tx(struct transaction *tx, struct rows *ret_rows);

/* Asynchronous calls. */
struct stored_invocation {
    const char *id, *name, *user_id, *status, *event, *result, *error, *logs;
    int64_t duration_us, version;
    bool finished;
};
int functions_store_invocation_add_tx(struct transaction *tx, const struct stored_invocation *invocation);
FIBER_FN int functions_store_invocation(struct database *database, const char *id, struct stored_invocation *ret_invocation);
/* Settles it once. */
FIBER_FN int functions_store_invocation_finish(struct database *database, const struct stored_invocation *invocation);

/* Hooks: records that the function has run for that cause and adds the entry (may be NULL) to the outbox; a second time does nothing. */
FIBER_FN int functions_store_hook_done(struct database *database, const char *cause, const char *name, struct outbox_entry *entry);
/* 1 if this was the first time, 0 if not. */
int functions_store_cause_add_tx(struct transaction *tx, const char *cause, const char *name);
FIBER_FN int functions_store_hook_was_done(struct database *database, const char *cause, const char *name, bool *ret_done);

/* Logs. */
struct stored_log {
    char id[37];
    const char *name, *cause, *status, *logs, *error; /* logs and error as JSON; error may be NULL */
    int64_t version, duration_us, created_ms;
};
FIBER_FN int functions_store_logs_add(struct database *database, const struct stored_log *list, unsigned count);
FIBER_FN int functions_store_logs(struct database *database, const char *name, const char *before, int limit, struct stored_log **ret_list,
                        unsigned *ret_count);

/* Deletes what is old, in small batches. */
FIBER_FN int functions_store_clean(struct database *database);

#endif
