/* Messages are calls posted to the subscribers' workers, bounded in what may be under way. */
#include "engines/embedded_subscribers.h"

#include "engines/cache_ops.h"
#include "runtime/worker.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES_MAX 10000 /* under way to workers */

struct embedded_subscriber {
    struct cache_subscription wanted;
    char *pattern;
    struct worker *worker;
    struct embedded_subscriber *next;
};

struct parcel {
    struct embedded_subscribers *all;
    const struct embedded_subscriber *subscriber;
    size_t channel_size, size;
    char bytes[]; /* channel, NUL, message, NUL */
};

static void hand_over(void *arg)
{
    struct parcel *parcel = arg;
    const struct cache_subscription *wanted = &parcel->subscriber->wanted;
    wanted->message(wanted->context, parcel->bytes, (struct text){parcel->bytes + parcel->channel_size + 1, parcel->size});
    atomic_fetch_sub(&parcel->all->under_way, 1);
    free(parcel);
}

static void send_to(struct embedded_subscribers *all, const struct embedded_subscriber *subscriber, const char *channel,
                    struct text message)
{
    size_t channel_size = strlen(channel);
    struct parcel *parcel = malloc(sizeof *parcel + channel_size + message.size + 2);
    if (!parcel)
        return;
    *parcel = (struct parcel){all, subscriber, channel_size, message.size};
    memcpy(parcel->bytes, channel, channel_size + 1);
    memcpy(parcel->bytes + channel_size + 1, message.at, message.size);
    parcel->bytes[channel_size + 1 + message.size] = 0;
    atomic_fetch_add(&all->under_way, 1);
    if (worker_post(subscriber->worker, hand_over, parcel) < 0) {
        atomic_fetch_sub(&all->under_way, 1);
        free(parcel);
    }
}

int embedded_subscribers_tell(struct embedded_subscribers *all, const struct cache_message *list, unsigned count)
{
    pthread_mutex_lock(&all->lock);
    struct embedded_subscriber *first = all->first;
    pthread_mutex_unlock(&all->lock);
    for (unsigned i = 0; i < count; i++) {
        if (atomic_load(&all->under_way) >= MESSAGES_MAX)
            return -EAGAIN;
        for (struct embedded_subscriber *subscriber = first; subscriber; subscriber = subscriber->next)
            if (cache_pattern_covers(subscriber->pattern, list[i].channel))
                send_to(all, subscriber, list[i].channel, list[i].text);
    }
    return 0;
}

int embedded_subscribers_add(struct embedded_subscribers *all, const struct cache_subscription *wanted)
{
    struct embedded_subscriber *subscriber = calloc(1, sizeof *subscriber);
    if (!subscriber || !(subscriber->pattern = strdup(wanted->pattern))) {
        free(subscriber);
        return -ENOMEM;
    }
    subscriber->wanted = *wanted;
    subscriber->worker = worker_self();
    pthread_mutex_lock(&all->lock);
    subscriber->next = all->first;
    all->first = subscriber;
    pthread_mutex_unlock(&all->lock);
    return 0;
}

void embedded_subscribers_init(struct embedded_subscribers *all)
{
    pthread_mutex_init(&all->lock, NULL);
}

void embedded_subscribers_fini(struct embedded_subscribers *all)
{
    while (atomic_load(&all->under_way) && fiber_self())
        fiber_yield();
    for (struct embedded_subscriber *subscriber; (subscriber = all->first);) {
        all->first = subscriber->next;
        free(subscriber->pattern);
        free(subscriber);
    }
    pthread_mutex_destroy(&all->lock);
}
