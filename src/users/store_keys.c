/* Sealed signing keys in the database, so that every instance of the service signs with the same ones. */
#include "base/clock.h"
#include "users/store.h"

#include <errno.h>

struct reading {
    struct stored_key *keys;
    unsigned count;
};

static int keys_body(struct transaction *tx, void *arg)
{
    struct reading *work = arg;
    struct rows rows;
    int error = sql_query(tx, &rows, "SELECT kid, sealed, signs_from FROM signing_keys ORDER BY signs_from, kid", "");
    if (error)
        return error;
    work->count = rows.count;
    work->keys = arena_alloc(transaction_arena(tx), (rows.count + 1) * sizeof *work->keys);
    for (unsigned i = 0; i < rows.count; i++)
        work->keys[i] = (struct stored_key){rows_text(&rows, i, 0), rows_text(&rows, i, 1), rows_integer(&rows, i, 2)};
    return 0;
}

FIBER_FN int users_store_keys(struct database *database, struct stored_key **ret_keys, unsigned *ret_count)
{
    struct reading work = {0};
    int error = database_read(database, keys_body, &work);
    if (error)
        return error;
    *ret_keys = work.keys;
    *ret_count = work.count;
    return 0;
}

static int insert(struct transaction *tx, const struct stored_key *key)
{
    int result = sql_run(tx, "INSERT INTO signing_keys (kid, sealed, created_at, signs_from) VALUES (?1, ?2, ?3, ?4)", "ttii", key->kid,
                         key->sealed, clock_wall_ms(), key->signs_from_wall_ms);
    return result < 0 ? result : 0;
}

static int add_body(struct transaction *tx, void *arg)
{
    return insert(tx, arg);
}

/* Two instances that start at once: the counter's row is a lock that both have. */
static int first_body(struct transaction *tx, void *arg)
{
    struct rows rows;
    int error = sql_query_locked(tx, &rows, "SELECT last FROM ending_counter WHERE id = 1", "");
    if (!error)
        error = sql_query(tx, &rows, "SELECT kid FROM signing_keys LIMIT 1", "");
    return error || rows.count ? error : insert(tx, arg);
}

FIBER_FN int users_store_first_key(struct database *database, const struct stored_key *key)
{
    return database_transact(database, first_body, (void *)key);
}

FIBER_FN int users_store_add_key(struct database *database, const struct stored_key *key)
{
    return database_transact(database, add_body, (void *)key);
}

static int drop_body(struct transaction *tx, void *arg)
{
    int result = sql_run(tx, "DELETE FROM signing_keys WHERE kid = ?1", "t", (const char *)arg);
    return result < 0 ? result : 0;
}

FIBER_FN int users_store_drop_key(struct database *database, const char *kid)
{
    return database_transact(database, drop_body, (void *)kid);
}
