/* The door for new orders: what was taken is counted by the time at which it was made, so that one that is done tells how many are. */
#include "messaging/admission.h"

#include "base/clock.h"
#include "base/settings.h"
#include "base/uuid.h"

#include <pthread.h>

#define LOOK_MS 250
#define STALE_MS 2000
#define SMOOTH_MS 2000 /* what is done comes in batches: of one look alone the pace is off by half */
#define AWAY_SMOOTH 64 /* orders */
#define RETRY_MAX_S 30

static int64_t slot_of(int64_t ms)
{
    return ms / ADMISSION_SLOT_MS;
}

static bool is_kept(const struct admission *admission, int64_t slot)
{
    return slot > admission->slot - ADMISSION_SLOTS && slot >= 0;
}

static void note_all_done(struct admission *admission, uint64_t done)
{
    done = done < admission->taken ? done : admission->taken;
    if (done > admission->done)
        admission->done = done;
}

/* What is older than the oldest slot is forgotten. */
static void advance(struct admission *admission, int64_t now_ms)
{
    int64_t slot = slot_of(now_ms);
    if (slot - admission->slot > ADMISSION_SLOTS)
        admission->slot = slot - ADMISSION_SLOTS;
    while (admission->slot < slot) {
        note_all_done(admission, admission->taken_by[(admission->slot + 1) % ADMISSION_SLOTS]);
        admission->taken_by[++admission->slot % ADMISSION_SLOTS] = admission->taken;
    }
    if (admission->done == admission->taken)
        admission->idle_ms = now_ms;
}

uint64_t admission_open(const struct admission *admission)
{
    return admission->taken - admission->done + admission->placing;
}

int64_t admission_waits_ms(const struct admission *admission, int64_t now_ms)
{
    int64_t since_ms = admission->done_ms > admission->idle_ms ? admission->done_ms : admission->idle_ms;
    return admission->done < admission->taken && since_ms < now_ms ? now_ms - since_ms : 0;
}

static double own_wait_ms(const struct admission *admission, int64_t now_ms)
{
    return (double)admission_waits_ms(admission, now_ms) - admission->away_ms;
}

/* The pace of a time in which no work waited says how many came, not how many can be done; but so many at least. */
static void look_at_pace(struct admission *admission, int64_t now_ms, int64_t target_ms)
{
    int64_t passed_ms = now_ms - admission->look_ms;
    if (passed_ms < LOOK_MS)
        return;
    bool waits = target_ms && own_wait_ms(admission, now_ms) >= (double)target_ms / 4;
    double pace = (double)(admission->done - admission->look_done) / (double)passed_ms;
    bool tells = passed_ms < STALE_MS && ((waits && admission->look_waits) || (admission->pace > 0 && pace > admission->pace));
    if (tells && admission->pace > 0)
        admission->pace += (pace - admission->pace) * (double)passed_ms / (double)(passed_ms + SMOOTH_MS);
    else if (tells)
        admission->pace = pace;
    admission->look_ms = now_ms;
    admission->look_done = admission->done;
    admission->look_waits = waits;
}

/* Where the first one has waited for less than half of the target, the pace that was measured once is too low by now. */
static bool has_room(const struct admission *admission, int64_t now_ms, int64_t target_ms)
{
    uint64_t open = admission_open(admission);
    double target = (double)target_ms, waits_ms = own_wait_ms(admission, now_ms);
    if (open < ADMISSION_FREE || !target_ms)
        return true;
    if (admission->pace == 0)
        return waits_ms < target;
    return (double)open < admission->pace * (admission->away_ms + target * (waits_ms < target / 2 ? 2 : 1));
}

bool admission_enter(struct admission *admission, int64_t now_ms, int64_t target_ms)
{
    advance(admission, now_ms);
    look_at_pace(admission, now_ms, target_ms);
    bool is_let_in = has_room(admission, now_ms, target_ms);
    admission->placing += is_let_in;
    return is_let_in;
}

void admission_leave(struct admission *admission, int64_t now_ms, int64_t made_ms)
{
    advance(admission, now_ms);
    admission->placing--;
    if (made_ms < 0)
        return;
    int64_t slot = slot_of(made_ms < now_ms ? made_ms : now_ms);
    for (slot = is_kept(admission, slot) ? slot : admission->slot; slot <= admission->slot; slot++)
        admission->taken_by[slot % ADMISSION_SLOTS]++;
    admission->taken++;
    if (slot_of(made_ms) <= admission->done_slot)
        admission->done++; /* before its answer was written, or with a younger one */
}

/* A slot more than that: two clocks, which are not read at the same moment, tell when an order was made. */
void admission_note_done(struct admission *admission, int64_t now_ms, int64_t made_ms)
{
    advance(admission, now_ms);
    made_ms = made_ms < now_ms ? made_ms : now_ms;
    if (made_ms <= admission->done_ms)
        return;
    admission->done_ms = made_ms;
    admission->done_slot = slot_of(made_ms) + 1;
    if (admission->done_slot > admission->slot)
        note_all_done(admission, admission->taken);
    else if (is_kept(admission, admission->done_slot))
        note_all_done(admission, admission->taken_by[admission->done_slot % ADMISSION_SLOTS]);
}

/* Whoever is taken out twice is one too few only until a younger one is done; there are never fewer than those that are done. */
void admission_note_dropped(struct admission *admission, int64_t now_ms, int64_t made_ms)
{
    advance(admission, now_ms);
    int64_t slot = slot_of(made_ms < now_ms ? made_ms : now_ms);
    if (admission->taken <= admission->done || slot <= admission->done_slot || !is_kept(admission, slot) ||
        admission->taken_by[slot % ADMISSION_SLOTS] <= admission->done)
        return;
    for (; slot <= admission->slot; slot++)
        admission->taken_by[slot % ADMISSION_SLOTS]--;
    admission->taken--;
}

void admission_note_away(struct admission *admission, int64_t took_ms)
{
    if (admission->away_count < AWAY_SMOOTH)
        admission->away_count++;
    admission->away_ms += ((double)took_ms - admission->away_ms) / admission->away_count;
}

/* ---- of this process ---- */

struct admission_order {
    int64_t made_ms; /* -1: it is none yet */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct admission door;

/* By the clock that never goes back. */
static int64_t made_ms_of(const char *id, int64_t now_ms)
{
    int64_t made_ms = now_ms - (clock_wall_ms() - uuid_time_ms(id));
    return made_ms < now_ms ? made_ms : now_ms;
}

static void leave(void *arg)
{
    const struct admission_order *order = arg;
    pthread_mutex_lock(&lock);
    admission_leave(&door, clock_mono_ms(), order->made_ms);
    pthread_mutex_unlock(&lock);
}

int admission_ask(struct arena *arena, struct admission_order **ret_order)
{
    int64_t now_ms = clock_mono_ms(), target_ms = settings_duration_ms("admission_delay");
    struct admission_order *order = arena_alloc(arena, sizeof *order);
    order->made_ms = -1;
    pthread_mutex_lock(&lock);
    bool is_let_in = admission_enter(&door, now_ms, target_ms);
    int64_t waits_ms = admission_waits_ms(&door, now_ms);
    pthread_mutex_unlock(&lock);
    if (!is_let_in)
        return waits_ms < RETRY_MAX_S * 1000 ? (int)(waits_ms / 1000) + 1 : RETRY_MAX_S;
    arena_defer(arena, leave, order);
    *ret_order = order;
    return 0;
}

void admission_placed(struct admission_order *order, const char *id)
{
    int64_t made_ms = made_ms_of(id, clock_mono_ms());
    order->made_ms = made_ms > 0 ? made_ms : 0;
}

void admission_done(const char *id)
{
    int64_t now_ms = clock_mono_ms();
    pthread_mutex_lock(&lock);
    admission_note_done(&door, now_ms, made_ms_of(id, now_ms));
    pthread_mutex_unlock(&lock);
}

void admission_dropped(const char *id)
{
    int64_t now_ms = clock_mono_ms();
    pthread_mutex_lock(&lock);
    admission_note_dropped(&door, now_ms, made_ms_of(id, now_ms));
    pthread_mutex_unlock(&lock);
}

void admission_away(int64_t took_ms)
{
    pthread_mutex_lock(&lock);
    admission_note_away(&door, took_ms);
    pthread_mutex_unlock(&lock);
}
