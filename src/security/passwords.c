/*
 * Passwords by argon2id. Hashing takes tens of milliseconds and 19 MiB on purpose, so it has threads of its own: two hashes at once and 64
 * waiting whatever happens, which bounds what a flood of logins can take from everybody else.
 */
#include "security/passwords.h"

#include "base/text.h"
#include "runtime/pool.h"
#include "security/common_passwords.h"

#include <errno.h>
#include <sodium.h>
#include <sys/resource.h>
#include <unistd.h>

#define THREADS 2
#define WAITING_MAX 64
#define PASSES 2
#define MEMORY_BYTES ((size_t)19456 * 1024)
#define CHARACTERS_MIN 8
#define CHARACTERS_MAX 256
#define NICE 5 /* a third of the weight of a thread that serves: who waits for nothing but a core goes first */

/* The encoding of a hash that no password is known for, with the same cost as all others. */
static const char nobody[crypto_pwhash_STRBYTES] =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5J3Mgc2FsdCBpcw$kQ2mXGv1tq0wO9b5l5mC8b7a1d3Tz9mF0jv6b4N0p2E";

static struct pool *pool;
static unsigned at_work; /* calls that wait or hash, of all threads */

int passwords_start(void)
{
    pool = pool_new("passwords", THREADS, WAITING_MAX);
    return pool ? 0 : -ENOMEM;
}

void passwords_stop(void)
{
    pool_free(pool);
    pool = NULL;
}

struct hashing {
    const char *password, *wanted;
    char encoded[crypto_pwhash_STRBYTES];
    int result;
};

bool passwords_are_busy(void)
{
    return __atomic_load_n(&at_work, __ATOMIC_RELAXED) >= THREADS + WAITING_MAX;
}

static FIBER_FN int run(void (*work)(void *arg), struct hashing *hashing)
{
    __atomic_add_fetch(&at_work, 1, __ATOMIC_RELAXED);
    int error = pool_run(pool, work, hashing);
    __atomic_sub_fetch(&at_work, 1, __ATOMIC_RELAXED);
    return error;
}

static size_t characters(const char *string)
{
    size_t count = 0;
    for (; *string; string++)
        count += ((unsigned char)*string & 0xc0) != 0x80;
    return count;
}

const char *password_complaint(const char *password)
{
    size_t count = characters(password);
    if (count < CHARACTERS_MIN || count > CHARACTERS_MAX)
        return "This has to have 8 to 256 characters.";
    if (password_is_common(password))
        return "This is one of the most common passwords.";
    return NULL;
}

static void step_back(void)
{
    static _Thread_local bool done;
    if (!done)
        setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
    done = true;
}

static void hash_work(void *arg)
{
    struct hashing *hashing = arg;
    step_back();
    hashing->result = crypto_pwhash_str_alg(hashing->encoded, hashing->password, strlen(hashing->password), PASSES, MEMORY_BYTES,
                                            crypto_pwhash_ALG_ARGON2ID13);
}

static void verify_work(void *arg)
{
    struct hashing *hashing = arg;
    step_back();
    hashing->result = crypto_pwhash_str_verify(hashing->wanted, hashing->password, strlen(hashing->password));
}

FIBER_FN int password_hash(const char *password, char **ret_encoded)
{
    struct hashing *hashing = arena_alloc(fiber_arena(), sizeof *hashing);
    hashing->password = password;
    int error = run(hash_work, hashing);
    if (error)
        return error;
    if (hashing->result)
        return -ENOMEM;
    *ret_encoded = hashing->encoded;
    return 0;
}

FIBER_FN int password_verify(const char *encoded, const char *password)
{
    struct hashing *hashing = arena_alloc(fiber_arena(), sizeof *hashing);
    hashing->password = password;
    hashing->wanted = encoded ? encoded : nobody;
    int error = run(verify_work, hashing);
    if (error)
        return error;
    return encoded && hashing->result == 0 ? 0 : -EACCES;
}
