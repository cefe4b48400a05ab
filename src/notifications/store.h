/* The log of notifications. All calls with a database wait; 0 or negative as database_transact says. Ids given here are well-formed. */
#ifndef PURSER_NOTIFICATIONS_STORE_H
#define PURSER_NOTIFICATIONS_STORE_H

#include "engines/database.h"
#include "notifications/rules.h"

/* What one event becomes. */
struct addition {
    const char *user_id, *event_id;
    struct wording wording;
    /* How it was added. */
    int64_t seq;    /* 0: it was not, since the user is deleted or the event is there already */
    int64_t unread; /* of the user, with all that were added beside it */
    const char *id;
    int64_t created_at;
};
/* Inside a transaction: gives each the next number of its user. Those of a user best stand side by side. */
int notifications_add(struct transaction *tx, struct addition *list, unsigned count);
/* As the API shows it. */
struct text addition_print(struct arena *arena, const struct addition *addition);
/* Inside a transaction: the user is gone, and with it the log. */
int notifications_forget_user(struct transaction *tx, const char *user_id);

struct notification {
    int64_t seq;
    struct text json; /* as the API shows it */
};

struct page_wanted {
    const char *user_id;
    int64_t from;     /* ascending: after it; else before it */
    bool descending, unread_only;
    int limit;
};
/* ret_list has room for `limit`; its rows belong to the fiber's arena. The count, or negative. */
FIBER_FN int notifications_page(struct database *database, const struct page_wanted *wanted, struct notification *ret_list);

struct standing {
    int64_t last_seq, unread;
};
FIBER_FN int notifications_standing(struct database *database, const char *user_id, struct standing *ret_standing);

/* Marks one as read. -ENOENT: there is none. ret_changed: it was unread until now. */
FIBER_FN int notifications_read(struct database *database, const char *user_id, const char *id, bool *ret_changed, int64_t *ret_unread);
/* Marks all up to the last as read. */
FIBER_FN int notifications_read_all(struct database *database, const char *user_id, int64_t *ret_up_to);

#endif
