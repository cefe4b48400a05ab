/*
 * The user service's SQL and keys on SQLite, or on a fresh database that PURSER_TEST_DATABASE_URL names, and what happens when sixteen do the same at once. Runs on a fiber of one
 * of two workers; the racing fibers are spread over both.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/settings.h"
#include "runtime/on_fiber.h"
#include "users/keys.h"
#include "users/rules.h"
#include "users/store.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#define RACERS 16

static struct database *database;

/* ---- a race: the same body on sixteen fibers ---- */

struct race {
    int (*run)(void *arg);
    void *arg;
    int results[RACERS];
    int next, ended;
};

static void racer(void *arg)
{
    struct race *race = arg;
    int place = __atomic_fetch_add(&race->next, 1, __ATOMIC_SEQ_CST);
    race->results[place] = race->run(race->arg);
    __atomic_add_fetch(&race->ended, 1, __ATOMIC_SEQ_CST);
}

/* How many got `wanted`; the others have to have got `other`. */
static int race(int (*run)(void *arg), void *arg, int wanted, int other)
{
    struct race race = {.run = run, .arg = arg};
    int count = 0;
    for (unsigned i = 0; i < RACERS; i++)
        assert_int_equal(worker_start_fiber(worker_at(i % worker_count()), "racer", racer, &race), 0);
    while (__atomic_load_n(&race.ended, __ATOMIC_SEQ_CST) < RACERS)
        fiber_sleep(1);
    for (unsigned i = 0; i < RACERS; i++) {
        if (race.results[i] == wanted)
            count++;
        else
            assert_int_equal(race.results[i], other);
    }
    return count;
}

/* ---- helpers ---- */

static struct session_start new_session(void)
{
    struct session_start session = {.place = {"test", "127.0.0.1"}, .life_ms = 60000};
    uuid_make(session.id);
    return session;
}

static struct user new_user(const char *email, struct session_start *ret_session)
{
    struct user user = {.email = email, .name = "Ada", .role = "user", .password_hash = "hash"};
    *ret_session = new_session();
    assert_int_equal(users_store_register(database, &user, ret_session), 0);
    return user;
}

struct counting {
    const char *sql, *argument;
    int64_t count;
};

static int count_body(struct transaction *tx, void *arg)
{
    struct counting *counting = arg;
    struct rows rows;
    int error = sql_query(tx, &rows, counting->sql, "t", counting->argument);
    counting->count = error ? error : rows_integer(&rows, 0, 0);
    return error;
}

static int count_of(const char *sql, const char *argument)
{
    struct counting counting = {sql, argument, 0};
    assert_int_equal(database_read(database, count_body, &counting), 0);
    return (int)counting.count;
}

static int64_t last_number(void)
{
    json_t *list;
    int64_t last;
    assert_int_equal(users_store_endings_after(database, 0, 1, &list, &last), 0);
    return last;
}

/* ---- accounts ---- */

static void accounts(void)
{
    struct session_start session;
    struct user user = new_user("Ada@Example.com", &session), found, again = user;
    bool known;
    assert_int_equal(users_store_register(database, &again, NULL), -EEXIST);
    again.email = "ADA@example.COM";
    assert_int_equal(users_store_register(database, &again, NULL), -EEXIST);
    assert_int_equal(users_store_find_by_email(database, "ada@EXAMPLE.com", "127.0.0.1", &found, &known), 0);
    assert_string_equal(found.id, user.id);
    assert_string_equal(found.email, "Ada@Example.com");
    assert_true(known);
    assert_int_equal(users_store_find_by_email(database, "ada@example.com", "127.0.0.2", &found, &known), 0);
    assert_false(known);
    assert_int_equal(users_store_find_by_email(database, "eve@example.com", "127.0.0.1", &found, &known), -ENOENT);
    assert_int_equal(users_store_change_profile(database, user.id, "Countess", NULL, &found), 0);
    assert_string_equal(found.name, "Countess");
    assert_string_equal(found.email, "Ada@Example.com");
    struct user eve = new_user("eve@example.com", &session);
    assert_int_equal(users_store_change_profile(database, eve.id, NULL, "ADA@example.com", &found), -EEXIST);
    assert_int_equal(users_store_change_profile(database, eve.id, NULL, "EVE@example.com", &found), 0);
    assert_string_equal(found.email, "EVE@example.com");
}

static void endings_are_numbered(void)
{
    struct session_start session, second = new_session(), third = new_session();
    struct user user = new_user("ends@example.com", &session), changed;
    struct endings endings = {0};
    user.password_hash = "hash";
    int64_t before = last_number();
    assert_int_equal(users_store_login(database, &user, &second, &changed, &endings), 0);
    assert_int_equal(users_store_login(database, &user, &third, &changed, &endings), 0);
    assert_int_equal(endings.count, 0);
    assert_int_equal(users_store_end_session(database, user.id, session.id, "logout", &endings), 0);
    assert_int_equal(endings.count, 1);
    assert_int_equal(endings.list[0].number, before + 1);
    assert_int_equal(users_store_end_session(database, user.id, session.id, "logout", &endings), -ENOENT);
    assert_int_equal(users_store_change_password(database, user.id, "another", "new", second.id, &endings), -EACCES);
    assert_int_equal(users_store_change_password(database, user.id, "hash", "new", second.id, &endings), 0);
    assert_int_equal(endings.count, 1);
    assert_string_equal(endings.list[0].session_id, third.id);
    assert_int_equal(users_store_login(database, &user, &third, &changed, &endings), -EACCES);
    assert_int_equal(users_store_change_role(database, user.id, "user", &changed, &endings), 0);
    assert_int_equal(endings.count, 0);
    assert_int_equal(users_store_change_role(database, user.id, "admin", &changed, &endings), 0);
    assert_string_equal(changed.role, "admin");
    assert_int_equal(endings.count, 1);
    assert_int_equal(last_number(), before + 3);
    json_t *list;
    int64_t last;
    assert_int_equal(users_store_endings_after(database, before, 100, &list, &last), 0);
    assert_int_equal(json_array_size(list), 3);
    assert_int_equal(json_get_integer(json_array_get(list, 0), "number"), before + 1);
}

static void deleting(void)
{
    struct session_start session;
    struct user user = new_user("gone@example.com", &session), found;
    struct endings endings;
    assert_int_equal(users_store_delete(database, user.id, &endings), 0);
    assert_int_equal(endings.count, 1);
    assert_int_equal(users_store_find(database, user.id, &found), -ENOENT);
    assert_int_equal(users_store_delete(database, user.id, &endings), -ENOENT);
    struct user again = new_user("gone@example.com", &session);
    assert_string_not_equal(again.id, user.id);
}

static void too_many_sessions(void)
{
    struct session_start first, session;
    struct user user = new_user("many@example.com", &first), changed;
    struct endings endings;
    for (int i = 1; i < SESSIONS_MAX; i++) {
        session = new_session();
        assert_int_equal(users_store_login(database, &user, &session, &changed, &endings), 0);
        assert_int_equal(endings.count, 0);
    }
    session = new_session();
    assert_int_equal(users_store_login(database, &user, &session, &changed, &endings), 0);
    assert_int_equal(endings.count, 1);
    assert_string_equal(endings.list[0].session_id, first.id);
}

/* ---- refreshing ---- */

static struct refresh use(const char *session_id, int64_t generation)
{
    struct refresh refresh = {.token = {.generation = generation}, .place = {"test", "127.0.0.1"}, .life_ms = 60000};
    memcpy(refresh.token.session_id, session_id, UUID_SIZE);
    return refresh;
}

static void refreshing(void)
{
    struct session_start session;
    struct user user = new_user("refresh@example.com", &session);
    struct refresh refresh = use(session.id, 1);
    assert_int_equal(users_store_refresh(database, &refresh), 0);
    assert_int_equal(refresh.generation, 2);
    assert_string_equal(refresh.user.id, user.id);
    refresh = use(session.id, 1);
    assert_int_equal(users_store_refresh(database, &refresh), 0);
    assert_int_equal(refresh.generation, 2);
    refresh = use(session.id, 2);
    assert_int_equal(users_store_refresh(database, &refresh), 0);
    assert_int_equal(refresh.generation, 3);
    refresh = use(session.id, 1);
    assert_int_equal(users_store_refresh(database, &refresh), -EACCES);
    assert_int_equal(refresh.ended.count, 1);
    assert_int_equal(count_of("SELECT count(*) FROM audit WHERE kind = 'refresh_token_reused' AND user_id = ?1", user.id), 1);
    refresh = use(session.id, 3);
    assert_int_equal(users_store_refresh(database, &refresh), -EACCES);
    assert_int_equal(refresh.ended.count, 0);
}

static void expired(void)
{
    struct session_start session = new_session();
    struct user user = {.email = "late@example.com", .name = "Ada", .role = "user", .password_hash = "hash"};
    session.life_ms = -1;
    assert_int_equal(users_store_register(database, &user, &session), 0);
    struct refresh refresh = use(session.id, 1);
    assert_int_equal(users_store_refresh(database, &refresh), -EACCES);
    assert_int_equal(users_store_clean(database), 0);
    assert_int_equal(count_of("SELECT count(*) FROM sessions WHERE id = ?1", session.id), 0);
}

/* ---- races ---- */

static int register_one(void *arg)
{
    struct user user = {.email = arg, .name = "Ada", .role = "user", .password_hash = "hash"};
    struct session_start session = new_session();
    return users_store_register(database, &user, &session);
}

static int refresh_one(void *arg)
{
    struct refresh refresh = use(arg, 1);
    int error = users_store_refresh(database, &refresh);
    return error ? error : (int)refresh.generation;
}

static int reuse_one(void *arg)
{
    struct refresh refresh = use(arg, 1);
    int error = users_store_refresh(database, &refresh);
    return error == -EACCES ? (int)refresh.ended.count : error;
}

static int end_one(void *arg)
{
    const struct user *user = arg;
    struct endings endings;
    return users_store_change_password(database, user->id, "hash", "new", NULL, &endings);
}

static int delete_one(void *arg)
{
    struct endings endings;
    return users_store_delete(database, arg, &endings);
}

static int login_or_delete(void *arg)
{
    static int turn;
    const struct user *user = arg;
    struct user changed;
    struct endings endings;
    struct session_start session = new_session();
    if (__atomic_fetch_add(&turn, 1, __ATOMIC_SEQ_CST) == RACERS / 2)
        return users_store_delete(database, user->id, &endings);
    return users_store_login(database, user, &session, &changed, &endings);
}

static void races(void)
{
    struct session_start session;
    assert_int_equal(race(register_one, (void *)"race@example.com", 0, -EEXIST), 1);
    assert_int_equal(count_of("SELECT count(*) FROM users WHERE email_key = ?1", "race@example.com"), 1);

    new_user("tabs@example.com", &session);
    assert_int_equal(race(refresh_one, session.id, 2, 2), RACERS);

    struct refresh refresh = use(session.id, 2);
    assert_int_equal(users_store_refresh(database, &refresh), 0);
    int64_t before = last_number();
    assert_int_equal(race(reuse_one, session.id, 1, 0), 1);
    assert_int_equal(last_number(), before + 1);

    struct user user = new_user("pass@example.com", &session);
    assert_int_equal(race(end_one, &user, 0, -EACCES), 1);

    user = new_user("delete@example.com", &session);
    assert_int_equal(race(delete_one, (void *)user.id, 0, -ENOENT), 1);

    /* No session outlives its user, whichever comes first. */
    user = new_user("both@example.com", &session);
    assert_true(race(login_or_delete, &user, 0, -EACCES) >= 1);
    assert_int_equal(count_of("SELECT count(*) FROM sessions WHERE user_id = ?1", user.id), 0);
}

static int number_one(void *arg)
{
    struct session_start session = new_session();
    struct user user = {.email = session.id, .name = "Ada", .role = "user", .password_hash = "hash"};
    struct endings endings;
    int error = users_store_register(database, &user, &session);
    return error ? error : users_store_end_session(database, user.id, session.id, "logout", &endings);
}

static void numbers_have_no_gaps(void)
{
    json_t *list;
    int64_t before = last_number(), last;
    assert_int_equal(race(number_one, NULL, 0, 0), RACERS);
    assert_int_equal(users_store_endings_after(database, before, 1000, &list, &last), 0);
    assert_int_equal(json_array_size(list), RACERS);
    for (int i = 0; i < RACERS; i++)
        assert_int_equal(json_get_integer(json_array_get(list, (size_t)i), "number"), before + 1 + i);
}

static void events(void)
{
    struct session_start session;
    struct user user = new_user("events@example.com", &session);
    /* One to the topic, without the email; one to the queue, where functions belong to the system. */
    assert_int_equal(count_of("SELECT count(*) FROM outbox_stream WHERE key = ?1 AND body LIKE '%purser.user.registered%'", user.id), 1);
    assert_int_equal(count_of("SELECT count(*) FROM outbox_stream WHERE key = ?1 AND body LIKE '%events@example.com%'", user.id), 0);
    assert_int_equal(count_of("SELECT count(*) FROM outbox_queue WHERE key = ?1 AND body LIKE '%events@example.com%'", user.id), 1);
}

/* ---- keys ---- */

static const char *kid_of(struct key_ring *ring)
{
    struct token_claims claims = {"0198f0aa-0000-7000-8000-00000000aaaa", "s", "user", "t", clock_wall_ms(), clock_wall_ms() + 60000};
    char header[512] = {0};
    json_t *tree;
    struct text rest = text_of(key_ring_sign(ring, fiber_arena(), &claims)), part;
    text_split(&rest, '.', &part);
    long size = base64url_decode(part, header, sizeof header - 1);
    assert_true(size > 0 && json_parse(fiber_arena(), (struct text){header, (size_t)size}, &tree, NULL) == 0);
    return json_get_string(tree, "kid");
}

static size_t published(struct key_ring *ring)
{
    return json_array_size(json_object_get(key_ring_published(ring, fiber_arena()), "keys"));
}

static void keys(void)
{
    struct key_ring *ring, *other, *wrong;
    struct err err;
    const char *kid = NULL;
    assert_int_equal(key_ring_open(database, "secret", &ring, &err), 0);
    assert_int_equal(key_ring_open(database, "secret", &other, &err), 0);
    assert_int_equal(key_ring_open(database, "another secret", &wrong, &err), -EACCES);
    const char *first = kid_of(ring);
    assert_string_equal(kid_of(other), first);
    assert_int_equal(published(ring), 1);

    /* Published before it signs. */
    assert_int_equal(settings_set("key_lead", "1h", &err), 0);
    assert_int_equal(key_ring_rotate(ring, &kid), 0);
    assert_string_equal(kid_of(ring), first);
    assert_int_equal(published(ring), 2);
    assert_int_equal(published(other), 1);
    assert_int_equal(key_ring_refresh(other), 0);
    assert_int_equal(published(other), 2);

    /* A bounded number of them. */
    int made = 0, error;
    while ((error = key_ring_rotate(ring, &kid)) == 0)
        made++;
    assert_int_equal(error, -EMFILE);
    assert_int_equal(made, 6);
    key_ring_close(ring);
    key_ring_close(other);
}

static void body(void)
{
    struct err err = {0};
    if (database_open("users", &database, &err) || database_migrate(database, "users", &err))
        fail_msg("%s", err.message);
    accounts();
    endings_are_numbered();
    deleting();
    too_many_sessions();
    refreshing();
    expired();
    races();
    numbers_have_no_gaps();
    events();
    keys();
    database_close(database);
}

static void test_store(void **state)
{
    on_fiber(2, body);
}

int main(void)
{
    char folder[] = "/tmp/purser-test-users-XXXXXX", command[128];
    char *none[] = {NULL};
    const char *url = getenv("PURSER_TEST_DATABASE_URL");
    struct err err;
    if (sodium_init() < 0 || !mkdtemp(folder) || settings_load(none, &err) || settings_set("data", folder, &err) ||
        (url && settings_set("database_url", url, &err)))
        return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_store)};
    int failed = cmocka_run_group_tests_name("users/store", tests, NULL, NULL);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) || failed;
}
