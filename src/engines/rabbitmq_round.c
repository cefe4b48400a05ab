/*
 * A broker refuses a message with basic.nack, or returns it as one without a queue and confirms it all the same. Both pass: a quorum queue
 * whose leader is still being chosen does either, and a second declaration of it does not wait for that. So what is refused stays left in its
 * job, for another round on the same connection.
 *
 * A broker with an alarm says connection.blocked at the first message that it would rather not have, and reads nothing more until it says
 * connection.unblocked. A round ends there; what it wrote may still arrive, and its confirms are of tags that no round waits for any more.
 */
#include "engines/rabbitmq_round.h"

#include "base/clock.h"
#include "engines/rabbitmq_frames.h"

#include <amqp_framing.h>
#include <stdlib.h>
#include <string.h>

#define CONFIRM_MS 10000

/* One message on its way. */
struct slot {
    struct rabbitmq_job *job;
    unsigned at; /* in the job's list */
    bool settled, refused;
};

/* Slots are in the order of the delivery tags after `before`. */
struct round {
    uint64_t before;
    unsigned count, waiting;
    struct slot slots[RABBITMQ_ROUND_MESSAGES];
};

/* ---- queues that are known ---- */

static bool is_known(struct rabbitmq_link *link, const char *queue)
{
    for (unsigned i = 0; i < link->known_count; i++)
        if (strcmp(link->known[i], queue) == 0)
            return true;
    return false;
}

/* Declares a queue at its first use on this connection, so that nothing is published to where nobody has been yet. */
static bool know(struct rabbitmq_link *link, const struct rabbitmq_outgoing *out)
{
    if (is_known(link, out->queue))
        return true;
    if (*out->back_to && !is_known(link, out->back_to) && rabbitmq_declare(link, RABBITMQ_DECLARE_CHANNEL, out->back_to, "", 0) < 0)
        return false;
    if (rabbitmq_declare(link, RABBITMQ_DECLARE_CHANNEL, out->queue, out->back_to, out->pause_ms) < 0)
        return false;
    char *copy = strdup(out->queue);
    if (copy && link->known_count < sizeof link->known / sizeof *link->known)
        link->known[link->known_count++] = copy;
    else
        free(copy);
    return true;
}

static void forget(struct rabbitmq_link *link, const char *queue)
{
    for (unsigned i = 0; i < link->known_count; i++)
        if (strcmp(link->known[i], queue) == 0) {
            free(link->known[i]);
            link->known[i] = link->known[--link->known_count];
            return;
        }
}

/* ---- what the broker says ---- */

static const struct rabbitmq_outgoing *outgoing_of(const struct slot *slot)
{
    return &slot->job->list[slot->at];
}

static void settle(struct round *round, uint64_t tag, bool multiple, bool refused)
{
    uint64_t first = multiple ? round->before + 1 : tag;
    for (uint64_t at = first; at <= tag; at++) {
        if (at <= round->before || at - round->before > round->count)
            continue;
        struct slot *slot = &round->slots[at - round->before - 1];
        if (slot->settled)
            continue;
        slot->settled = true;
        slot->refused |= refused;
        round->waiting--;
    }
}

static bool is_equal(amqp_bytes_t bytes, const char *string)
{
    return bytes.len == strlen(string) && (!bytes.len || memcmp(bytes.bytes, string, bytes.len) == 0);
}

/* A returned message says its queue and its id; its confirm follows. The same message twice in a round counts as returned twice. */
static void note_returned(struct rabbitmq_link *link, struct round *round, amqp_bytes_t queue, amqp_bytes_t id)
{
    for (unsigned i = 0; i < round->count; i++) {
        const struct rabbitmq_outgoing *out = outgoing_of(&round->slots[i]);
        if (!is_equal(queue, out->queue) || !is_equal(id, out->message->id ? out->message->id : ""))
            continue;
        round->slots[i].refused = true;
        forget(link, out->queue); /* gone, perhaps: it is declared anew */
    }
}

/* The returned message's content follows its method. */
static bool take_returned(struct rabbitmq_link *link, struct round *round, const amqp_basic_return_t *returned)
{
    amqp_message_t message;
    amqp_rpc_reply_t reply = amqp_read_message(link->connection, RABBITMQ_PUBLISH_CHANNEL, &message, 0);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL)
        return false;
    bool has_id = message.properties._flags & AMQP_BASIC_MESSAGE_ID_FLAG;
    note_returned(link, round, returned->routing_key, has_id ? message.properties.message_id : amqp_empty_bytes);
    amqp_destroy_message(&message);
    return true;
}

/* AMQP_STATUS_OK: one frame was taken. AMQP_STATUS_TIMEOUT: none has come. Others: the connection is of no use any more. */
static int take_frame(struct rabbitmq_link *link, struct round *round, int64_t until_mono_ms)
{
    amqp_frame_t frame;
    int64_t left = until_mono_ms - clock_mono_ms();
    struct timeval wait = {.tv_sec = left > 0 ? left / 1000 : 0, .tv_usec = left > 0 ? left % 1000 * 1000 : 0};
    int status = amqp_simple_wait_frame_noblock(link->connection, &frame, &wait);
    if (status != AMQP_STATUS_OK || frame.frame_type != AMQP_FRAME_METHOD)
        return status;
    switch (frame.payload.method.id) {
    case AMQP_BASIC_ACK_METHOD: {
        const amqp_basic_ack_t *ack = frame.payload.method.decoded;
        settle(round, ack->delivery_tag, ack->multiple, false);
        return AMQP_STATUS_OK;
    }
    case AMQP_BASIC_NACK_METHOD: {
        const amqp_basic_nack_t *nack = frame.payload.method.decoded;
        settle(round, nack->delivery_tag, nack->multiple, true);
        return AMQP_STATUS_OK;
    }
    case AMQP_BASIC_RETURN_METHOD:
        return take_returned(link, round, frame.payload.method.decoded) ? AMQP_STATUS_OK : AMQP_STATUS_CONNECTION_CLOSED;
    case AMQP_CONNECTION_BLOCKED_METHOD:
        rabbitmq_note_blocked(link, &((const amqp_connection_blocked_t *)frame.payload.method.decoded)->reason);
        return AMQP_STATUS_OK;
    case AMQP_CONNECTION_UNBLOCKED_METHOD: rabbitmq_note_blocked(link, NULL); return AMQP_STATUS_OK;
    case AMQP_CHANNEL_CLOSE_METHOD:
    case AMQP_CONNECTION_CLOSE_METHOD:
        return AMQP_STATUS_CONNECTION_CLOSED;
    default:
        return AMQP_STATUS_OK;
    }
}

/* ---- the round ---- */

static void gather(struct round *round, struct rabbitmq_job *jobs)
{
    for (struct rabbitmq_job *job = jobs; job; job = job->next)
        for (unsigned i = 0; !job->counts && i < job->count; i++)
            if (!job->confirmed[i])
                round->slots[round->count++] = (struct slot){.job = job, .at = i};
    round->waiting = round->count;
}

/* A declaration waits for its answer, so all come before the messages; these leave in one write. */
static bool send_all(struct rabbitmq_link *link, const struct round *round)
{
    struct rabbitmq_frames frames = {.frame_max = (size_t)amqp_get_frame_max(link->connection)};
    bool sent = true;
    for (unsigned i = 0; i < round->count && sent; i++)
        sent = know(link, outgoing_of(&round->slots[i]));
    for (unsigned i = 0; i < round->count && sent; i++)
        sent = rabbitmq_frames_add(&frames, outgoing_of(&round->slots[i]));
    if (sent)
        sent = rabbitmq_frames_send(&frames, link->fd);
    link->published += sent ? round->count : 0;
    rabbitmq_frames_fini(&frames);
    return sent;
}

static void note_confirmed(struct round *round)
{
    for (unsigned i = 0; i < round->count; i++) {
        struct slot *slot = &round->slots[i];
        if (!slot->settled || slot->refused)
            continue;
        slot->job->confirmed[slot->at] = true;
        slot->job->left--;
    }
}

bool rabbitmq_round_publish(struct rabbitmq_link *link, struct rabbitmq_job *jobs)
{
    struct round round = {.before = link->published};
    gather(&round, jobs);
    if (!send_all(link, &round))
        return false;
    int64_t until = clock_mono_ms() + CONFIRM_MS;
    int status = AMQP_STATUS_OK;
    while (round.waiting && !link->blocked && status == AMQP_STATUS_OK)
        status = take_frame(link, &round, until);
    note_confirmed(&round);
    return status == AMQP_STATUS_OK;
}

bool rabbitmq_round_idle(struct rabbitmq_link *link)
{
    struct round none = {.before = link->published};
    int status = AMQP_STATUS_OK;
    while (status == AMQP_STATUS_OK)
        status = take_frame(link, &none, 0);
    return status == AMQP_STATUS_TIMEOUT;
}
