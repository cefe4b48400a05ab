/* The door for new orders: what was taken is counted by the time at which it was, so that a delay tells how much of it is done. */
#include "messaging/admission.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "base/settings.h"
#include "messaging/delay.h"

#include <pthread.h>

#define LOOK_MS 500
#define STALE_MS 2000
#define RETRY_MAX_S 30

static void advance(struct admission *admission, int64_t now_ms)
{
    int64_t slot = now_ms / ADMISSION_SLOT_MS;
    if (slot - admission->slot > ADMISSION_SLOTS)
        admission->slot = slot - ADMISSION_SLOTS;
    while (admission->slot < slot)
        admission->taken_by[++admission->slot % ADMISSION_SLOTS] = admission->taken;
}

/* What was taken before the work at hand is done. How much that was is not kept for ever: then it stays what it was. */
static void note_done(struct admission *admission, int64_t done_ms)
{
    int64_t slot = done_ms / ADMISSION_SLOT_MS - 1;
    if (done_ms <= admission->done_ms)
        return;
    admission->done_ms = done_ms;
    if (slot >= 0 && slot > admission->slot - ADMISSION_SLOTS)
        admission->done = admission->taken_by[slot % ADMISSION_SLOTS];
}

/* The pace of a time in which no work waited says how many came, not how many can be done; but so many at least. */
static void look_at_pace(struct admission *admission, int64_t now_ms, bool waits)
{
    int64_t passed_ms = now_ms - admission->look_ms;
    if (passed_ms < LOOK_MS)
        return;
    double pace = (double)(admission->done - admission->look_done) / (double)passed_ms;
    bool tells = passed_ms < STALE_MS && ((waits && admission->look_waits) || (admission->pace > 0 && pace > admission->pace));
    if (tells)
        admission->pace = admission->pace > 0 ? (admission->pace + pace) / 2 : pace;
    admission->look_ms = now_ms;
    admission->look_done = admission->done;
    admission->look_waits = waits;
}

void admission_note(struct admission *admission, int64_t now_ms)
{
    advance(admission, now_ms);
    admission->taken++;
    admission->taken_by[admission->slot % ADMISSION_SLOTS] = admission->taken;
}

bool admission_allows(struct admission *admission, int64_t now_ms, int64_t delay_ms, int64_t target_ms)
{
    advance(admission, now_ms);
    note_done(admission, now_ms - delay_ms);
    look_at_pace(admission, now_ms, delay_ms >= target_ms / 2);
    uint64_t open = admission->taken - admission->done;
    double in_time = admission->pace * (double)target_ms;
    if (open < ADMISSION_FREE)
        return true;
    if (delay_ms < target_ms)
        return admission->pace == 0 || (double)open < 2 * in_time;
    return (double)open < in_time;
}

/* ---- of this process ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct admission door;

void admission_note_order(void)
{
    pthread_mutex_lock(&lock);
    admission_note(&door, clock_mono_ms());
    pthread_mutex_unlock(&lock);
}

int admission_refuse_order(void)
{
    int64_t target_ms = settings_duration_ms("admission_delay"), delay_ms = delay_longest_ms();
    if (!target_ms)
        return 0;
    pthread_mutex_lock(&lock);
    bool is_taken = admission_allows(&door, clock_mono_ms(), delay_ms, target_ms);
    pthread_mutex_unlock(&lock);
    if (is_taken)
        return 0;
    return delay_ms < RETRY_MAX_S * 1000 ? (int)(delay_ms / 1000) + 1 : RETRY_MAX_S;
}
