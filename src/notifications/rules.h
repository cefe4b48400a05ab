/* What is said about which event. */
#ifndef PURSER_NOTIFICATIONS_RULES_H
#define PURSER_NOTIFICATIONS_RULES_H

#include "messaging/event.h"

struct wording {
    const char *type; /* "order.paid" */
    const char *title, *body;
    struct text data; /* ids to follow, as JSON; or at == NULL */
};

/* 0; -ENOENT: nothing is said about events of this type; -EBADMSG: it lacks a member that the words need. All in the arena. */
int wording_of(struct arena *arena, const struct event *event, struct wording *ret_wording);

/* "29.00 EUR", "2900 JPY": by the currency's minor unit. */
char *money_print(struct arena *arena, int64_t amount_minor, const char *currency);

#endif
