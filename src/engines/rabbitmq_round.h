/* A round of the RabbitMQ adapter's publisher: its jobs' messages are written and what the broker says of each is waited for. Its thread's alone. */
#ifndef PURSER_ENGINES_RABBITMQ_ROUND_H
#define PURSER_ENGINES_RABBITMQ_ROUND_H

#include "engines/rabbitmq.h"

#define RABBITMQ_ROUND_MESSAGES 512

/* What a fiber wants published, or counted. It has succeeded when nothing of it is left. */
struct rabbitmq_job {
    struct rabbitmq_job *next;
    const struct rabbitmq_outgoing *list;
    unsigned count; /* at most a round's messages */
    int64_t *counts; /* a question for depths; NULL: publish */
    bool confirmed[RABBITMQ_ROUND_MESSAGES];
    unsigned left;
    unsigned refusals; /* rounds in which some of it was refused */
    int64_t due_mono_ms; /* what was refused is published again then */
    int result;
    struct wakeup done;
};

/* Publishes what is not confirmed of these jobs, at most a round's messages. True: each message of them was confirmed, or was refused and is
 * left; or the broker has an alarm. False: the connection is of no use any more. Waits up to some 10 s. */
bool rabbitmq_round_publish(struct rabbitmq_link *link, struct rabbitmq_job *jobs);
/* Takes what has come meanwhile: heartbeats, alarms and closes; as above. Does not wait. */
bool rabbitmq_round_idle(struct rabbitmq_link *link);

#endif
