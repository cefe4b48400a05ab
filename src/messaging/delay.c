/* The places where work waits, as a list that changes at start and end alone. */
#include "messaging/delay.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>

#define KEEP_MS 1000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct delay_place *places;

void delay_enter(struct delay_place *place)
{
    pthread_mutex_lock(&lock);
    place->next = places;
    places = place;
    pthread_mutex_unlock(&lock);
}

void delay_leave(struct delay_place *place)
{
    pthread_mutex_lock(&lock);
    struct delay_place **at = &places;
    while (*at && *at != place)
        at = &(*at)->next;
    if (*at)
        *at = place->next;
    pthread_mutex_unlock(&lock);
}

void delay_begin(struct delay_place *place, int64_t youngest_wall_ms)
{
    if (!atomic_load(&place->is_at_work) || youngest_wall_ms < atomic_load(&place->since_wall_ms))
        atomic_store(&place->since_wall_ms, youngest_wall_ms);
    atomic_store(&place->is_at_work, true);
}

void delay_end(struct delay_place *place)
{
    atomic_store(&place->last_ms, clock_wall_ms() - atomic_load(&place->since_wall_ms));
    atomic_store(&place->ended_mono_ms, clock_mono_ms());
    atomic_store(&place->is_at_work, false);
}

int64_t delay_of(const struct delay_place *place, int64_t now_wall_ms, int64_t now_mono_ms)
{
    int64_t delay_ms = 0;
    if (atomic_load(&place->is_at_work))
        delay_ms = now_wall_ms - atomic_load(&place->since_wall_ms);
    else if (now_mono_ms - atomic_load(&place->ended_mono_ms) < KEEP_MS)
        delay_ms = atomic_load(&place->last_ms);
    return delay_ms > 0 ? delay_ms : 0;
}

int64_t delay_longest_ms(void)
{
    int64_t longest_ms = 0, wall_ms = clock_wall_ms(), mono_ms = clock_mono_ms();
    pthread_mutex_lock(&lock);
    for (const struct delay_place *place = places; place; place = place->next) {
        int64_t delay_ms = delay_of(place, wall_ms, mono_ms);
        longest_ms = delay_ms > longest_ms ? delay_ms : longest_ms;
    }
    pthread_mutex_unlock(&lock);
    return longest_ms;
}
