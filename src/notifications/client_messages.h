/* What a client says on its socket: `read` and `token`. */
#ifndef PURSER_NOTIFICATIONS_CLIENT_MESSAGES_H
#define PURSER_NOTIFICATIONS_CLIENT_MESSAGES_H

#include "notifications/listener.h"

/* Acts on a whole text message, on a fiber of its own; what is no message of the protocol closes the socket with 1008. */
void client_message(struct listener *listener, struct text message);

/* Marks as read, with the pushes that follow. 0, -ENOENT, or negative. For HTTP too. */
FIBER_FN int client_read(struct notifications *notifications, const char *user_id, const char *id);

#endif
