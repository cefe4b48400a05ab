/*
 * What the two halves of the RabbitMQ adapter share: the connection, names and topology. rabbitmq-c blocks, so publishing and consuming have a
 * thread and a connection each; a watchdog on the opening worker's loop shuts a socket that has been at work for too long (a broker that
 * stops reading would hold a write for ever).
 */
#ifndef PURSER_ENGINES_RABBITMQ_H
#define PURSER_ENGINES_RABBITMQ_H

#include "engines/queue_ops.h"
#include "engines/wakeup.h"

#include <amqp.h>
#include <stdbool.h>

#define RABBITMQ_PUBLISH_CHANNEL 1
#define RABBITMQ_DECLARE_CHANNEL 2
#define RABBITMQ_NAME_MAX 256

/* A connection of one thread. */
struct rabbitmq_link {
    const char *url;
    amqp_connection_state_t connection; /* its thread's alone; NULL while away */
    int fd;                             /* its socket, for the watchdog; atomic */
    bool up;                            /* read by any thread */
    bool blocked;                       /* an alarm of the broker holds up publishers; read by any thread */
    int64_t refused_mono_ms;            /* when messages were last given up as refused; 0: never; read by any thread */
    int64_t busy_since_mono_ms;         /* 0: idle; atomic; the watchdog looks at it */
    int64_t pause_ms;                   /* before the next connect */
    char *known[64];                    /* queues declared on this connection, of the publisher */
    unsigned known_count;
    uint64_t published; /* delivery tags on this connection, of the publisher */
    bool complained;
};

/* 0, or -EAGAIN after a log line (one per outage). Blocks up to some seconds. */
int rabbitmq_connect(struct rabbitmq_link *link);
void rabbitmq_disconnect(struct rabbitmq_link *link);
/* Marks what may block; end with the same call and false. */
void rabbitmq_busy(struct rabbitmq_link *link, bool busy);
/* Whether it is connected and no alarm holds it up. From any thread. */
bool rabbitmq_takes(const struct rabbitmq_link *link);
/* The broker said that it takes no messages, for that reason, or takes them again: NULL. */
void rabbitmq_note_blocked(struct rabbitmq_link *link, const amqp_bytes_t *reason);
/* From the watchdog: breaks a connection that has been busy too long. */
void rabbitmq_watch(struct rabbitmq_link *link);
/* Whether the last synchronous method succeeded; logs why not. */
bool rabbitmq_succeeded(struct rabbitmq_link *link, const char *doing);

/* "orders.dead"; "orders.retry.1000". */
void rabbitmq_dead_name(const char *queue, char ret_name[RABBITMQ_NAME_MAX]);
void rabbitmq_retry_name(const char *queue, int64_t pause_ms, char ret_name[RABBITMQ_NAME_MAX]);
/* A quorum queue, durable; with `back_to`, one whose messages go there after `pause_ms` (a step of the retry ladder). Its number of ready
 * messages, or -EAGAIN. */
int64_t rabbitmq_declare(struct rabbitmq_link *link, int channel, const char *queue, const char *back_to, int64_t pause_ms);

/* ---- publisher ---- */

/* A message on its way, and, for retries and dead letters, what the handler left. */
struct rabbitmq_outgoing {
    const struct queue_message *message;
    char queue[RABBITMQ_NAME_MAX]; /* routing key */
    char back_to[RABBITMQ_NAME_MAX]; /* "" or where the ladder's step leads */
    int64_t pause_ms;
    unsigned attempt;
    const char *error; /* or NULL */
};

struct rabbitmq_publisher;
struct rabbitmq_publisher *rabbitmq_publisher_new(const char *url);
/* Ends the thread; what is being sent is waited for. */
void rabbitmq_publisher_free(struct rabbitmq_publisher *publisher);
struct rabbitmq_link *rabbitmq_publisher_link(struct rabbitmq_publisher *publisher);
/* All confirmed (0), or -EAGAIN: the broker is away, has an alarm, or refuses some of them in spite of some seconds' repeats. Waits whatever else
 * happens to the fiber, some 15 s at most. */
FIBER_FN int rabbitmq_publish(struct rabbitmq_publisher *publisher, const struct rabbitmq_outgoing *list, unsigned count);
/* Ready messages of these queues (back_to and pause_ms as above), by declaring them. 0 or -EAGAIN. */
FIBER_FN int rabbitmq_count(struct rabbitmq_publisher *publisher, const struct rabbitmq_outgoing *list, unsigned count, int64_t *ret_counts);

/* ---- consumers ---- */

struct rabbitmq_consumers;
struct rabbitmq_consumers *rabbitmq_consumers_new(const char *url, struct rabbitmq_publisher *publisher);
void rabbitmq_consumers_free(struct rabbitmq_consumers *consumers);
struct rabbitmq_link *rabbitmq_consumers_link(struct rabbitmq_consumers *consumers);
int rabbitmq_consumers_add(struct rabbitmq_consumers *consumers, const struct queue_consumer *wanted);
/* All consumers end; what they hold goes back. */
FIBER_FN void rabbitmq_consumers_stop(struct rabbitmq_consumers *consumers);
bool rabbitmq_consumers_any(struct rabbitmq_consumers *consumers);
/* Messages of that queue that are in our hands. */
int64_t rabbitmq_consumers_held(struct rabbitmq_consumers *consumers, const char *queue);
/* Names of the queues consumed here (not the dead ones), into `ret_names`; how many. */
unsigned rabbitmq_consumers_names(struct rabbitmq_consumers *consumers, const char **ret_names, unsigned room);

#endif
