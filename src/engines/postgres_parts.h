/* What the files of one connection share: postgres_connection.c, postgres_socket.c, postgres_statements.c and postgres_answers.c. */
#ifndef PURSER_ENGINES_POSTGRES_PARTS_H
#define PURSER_ENGINES_POSTGRES_PARTS_H

#include "engines/postgres_connection.h"
#include "runtime/worker.h"

/* A statement that this connection has prepared, by the address of its text. */
struct prepared {
    const char *sql;
    bool lock, made;
    char name[16];
};

enum expected_kind { EXPECT_STATEMENT, EXPECT_KEPT, EXPECT_PREPARE, EXPECT_SYNC };

struct expected {
    enum expected_kind kind;
    struct prepared *prepared;
};

struct postgres_connection {
    PGconn *libpq;
    uv_poll_t *poll;
    int socket, events;
    struct fiber *waiting; /* for the socket */
    struct timer timer;
    bool timed_out, lost;
    void (*on_lost)(void *arg);
    void *on_lost_arg;
    void (*on_notice)(void *arg);
    void *on_notice_arg;
    struct prepared **prepared; /* open addressing */
    unsigned prepared_count, prepared_room;
    /* What was queued since the last round trip, in order. */
    struct expected *expected;
    unsigned count, room;
    /* Of the last round trip; with room for all that was queued since. */
    PGresult **kept;
    unsigned kept_count, kept_wanted, kept_room;
    char state[6], message[256], incarnation[40];
};

/* ---- the socket ---- */

/* From now on the loop looks for these events, on the socket that libpq has now. 0 or -EAGAIN. */
int postgres_socket_watch(struct postgres_connection *connection, int events);
/* Parks until the socket is ready. 0 or -EAGAIN (time is over, the connection was broken off, or it cannot be watched). */
FIBER_FN int postgres_socket_wait(struct postgres_connection *connection, int events, int64_t until_mono_ms);
void postgres_socket_close(struct postgres_connection *connection);
/* The connection is of no use any more. -EAGAIN. */
int postgres_lose(struct postgres_connection *connection);
/* Of what has been read from the socket. */
void postgres_tell_notices(struct postgres_connection *connection);

/* ---- answers ---- */

/* Clears the answers that are kept. */
void postgres_drop_kept(struct postgres_connection *connection);

#endif
