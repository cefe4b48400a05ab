/*
 * Idempotency-Key: the key's row is inserted first in the transaction of the effect, so that a concurrent repeat waits for it and
 * replays the answer byte for byte. A key belongs to a user, method and path; kept 24 h with the SHA-256 of method, path and body.
 */
#ifndef PURSER_MESSAGING_IDEMPOTENCY_H
#define PURSER_MESSAGING_IDEMPOTENCY_H

#include "engines/database.h"
#include "http/message.h"

struct idempotency {
    const char *key;  /* NULL: the request has none, and all calls below do nothing */
    const char *scope; /* user id, or the address of one who has none, method and path */
    const char *hash;
    const struct rows *asked; /* between ask and check: of all keys that were asked for together, those that are new */
    int64_t row;              /* after check, on PostgreSQL: its id */
    /* After a replay: the stored answer. */
    bool replayed;
    bool mismatch; /* the key was used with another body */
    int status;
    struct text body;
    const char *content_type;
    const char *location;
};

/* From the request; false after a 422 answer for a malformed key. */
bool idempotency_of(struct http_request *request, struct http_response *response, struct idempotency *ret_key);
/* In a reading transaction, ahead of all: 1 if the key came before and has its answer, else 0, or negative. */
int idempotency_is_answered(struct transaction *tx, const struct idempotency *key);
/* First thing in the body: 0 to go on; 1: answered before (replayed or mismatch is set; the body returns 0 with no effect). */
int idempotency_begin(struct transaction *tx, struct idempotency *key);
/* Instead of begin, where the body goes on at once and finds out at its end, on PostgreSQL: the rows of the keys are inserted with the body's first
 * round trip. On SQLite it looks at once. 0, or 1: one was answered before, as begin. Many keys are sorted, by scope and key. */
int idempotency_ask(struct transaction *tx, struct idempotency *const *keys, unsigned count);
/* After the effect: 0 when the keys are this transaction's; -EALREADY: one was there, and all that was done has to be rolled back; or negative. */
int idempotency_check(struct transaction *tx, struct idempotency *const *keys, unsigned count);
/* After -EALREADY, in a reading transaction of its own: takes the stored answer. 0; -EAGAIN where it is gone since. */
int idempotency_look(struct transaction *tx, struct idempotency *key);
/* Last thing in the body: stores the answer that will be given (4xx other than 401 and 429 too). */
int idempotency_finish(struct transaction *tx, struct idempotency *key, int status, struct text body, const char *content_type,
                       const char *location);
/* After the transaction: true if it was a replay or a mismatch, and it has answered. */
bool idempotency_answer(struct idempotency *key, struct http_response *response);

#endif
