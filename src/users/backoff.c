/*
 * A table of fixed size, by a keyed hash: an account whose place is taken by another begins anew, which costs whoever wants that thousands of
 * tries. Failures are forgotten after a quarter of an hour.
 */
#include "users/backoff.h"

#include "base/clock.h"
#include "users/rules.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>

#define PLACES 8192u
#define FORGET_MS (15 * 60 * 1000)
#define WAITING_MAX 256

struct place {
    uint64_t account;
    int64_t last_mono_ms;
    unsigned failures;
};

static struct place places[PLACES];
static unsigned char hash_key[crypto_shorthash_KEYBYTES];
static unsigned waiting;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void backoff_start(void)
{
    randombytes_buf(hash_key, sizeof hash_key);
}

static uint64_t hash_of(const char *account)
{
    uint64_t hash;
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)account, strlen(account), hash_key);
    return hash;
}

/* With the lock held. */
static struct place *place_of(const char *account, int64_t now_mono_ms)
{
    uint64_t hash = hash_of(account);
    struct place *place = &places[hash % PLACES];
    if (place->account != hash || now_mono_ms - place->last_mono_ms > FORGET_MS)
        *place = (struct place){.account = hash, .last_mono_ms = now_mono_ms};
    return place;
}

/* The delay, with a seat among those who wait if there is one; -EBUSY if all are taken. */
static int64_t take_seat(const char *account)
{
    pthread_mutex_lock(&lock);
    int64_t delay_ms = backoff_delay_ms(place_of(account, clock_mono_ms())->failures);
    if (delay_ms && waiting == WAITING_MAX)
        delay_ms = -EBUSY;
    else if (delay_ms)
        waiting++;
    pthread_mutex_unlock(&lock);
    return delay_ms;
}

FIBER_FN int backoff_wait(const char *account)
{
    int64_t delay_ms = take_seat(account);
    if (delay_ms <= 0)
        return (int)delay_ms;
    int error = fiber_sleep(delay_ms);
    pthread_mutex_lock(&lock);
    waiting--;
    pthread_mutex_unlock(&lock);
    return error;
}

void backoff_failed(const char *account)
{
    pthread_mutex_lock(&lock);
    struct place *place = place_of(account, clock_mono_ms());
    place->last_mono_ms = clock_mono_ms();
    place->failures++;
    pthread_mutex_unlock(&lock);
}

void backoff_succeeded(const char *account)
{
    pthread_mutex_lock(&lock);
    place_of(account, clock_mono_ms())->failures = 0;
    pthread_mutex_unlock(&lock);
}
