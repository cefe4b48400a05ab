/* What is decided about accounts, sessions and keys. No input or output. */
#ifndef PURSER_USERS_RULES_H
#define PURSER_USERS_RULES_H

#include "base/arena.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

#define EMAIL_MAX 254 /* RFC 5321, with what surrounds it */
#define PERSON_NAME_MAX 200
#define SESSIONS_MAX 100 /* of one user; a further one ends the oldest */
#define REFRESH_GRACE_MS 10000

/* local@domain.tld in ASCII, as RFC 5321 has it: the local part may be quoted, the domain is a name (other scripts come as punycode). Whether it
 * exists is for others to find out. */
bool email_is_valid(const char *email);
/* The form in which emails are compared: in lower case, without quotes that need not be there. Takes any text. */
char *email_key(struct arena *arena, const char *email);
/* Something to read, on one line. */
bool name_is_valid(const char *name);
bool role_is_valid(const char *role);

/* What becomes of a refresh token of `generation` when the session is at `current`, which it reached at `rotated_wall_ms`. */
enum refresh_decision {
    REFRESH_ROTATE, /* it is the newest: the session moves on */
    REFRESH_REPEAT, /* it was replaced just now: the same successor again */
    REFRESH_REUSED, /* it is older, so two hold it: the session ends */
};
enum refresh_decision refresh_decide(int64_t generation, int64_t current, int64_t rotated_wall_ms, int64_t now_wall_ms);

/* Whether a page of `origin` may use cookies: it is listed, or has the host that was asked. */
bool origin_is_trusted(struct text origin, struct text host, const char *listed);
/* The value of that cookie in a Cookie field, or at == NULL. */
struct text cookie_value(struct text field, const char *name);

/* How long the next try waits after so many wrong ones in a row. */
int64_t backoff_delay_ms(unsigned failures);

/* When keys sign and how long they are published. `signs_from` ascends. */
/* The index of the key that signs now: the last whose time has come. Needs at least one. */
unsigned key_that_signs(const int64_t *signs_from_wall_ms, unsigned count, int64_t now_wall_ms);
/* Whether tokens of key `i` may still live, or will be made. */
bool key_is_published(const int64_t *signs_from_wall_ms, unsigned count, unsigned i, int64_t now_wall_ms, int64_t token_life_ms);

#endif
