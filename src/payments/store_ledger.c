/* The SQL of the ledger, which is only ever added to, and of the events that providers call back with. */
#include "base/clock.h"
#include "payments/store.h"

#include <string.h>
#include <strings.h>

int payments_store_ledger_move(struct transaction *tx, const char *transaction_id, const char *from, const char *to, const char *currency,
                      int64_t amount_minor)
{
    static const struct sql_set entries = {
        "INSERT INTO ledger_entries (transaction_id, account, currency, amount, created_at) "
        "VALUES (?1, ?2, ?4, CAST(0 AS BIGINT) - ?5, ?6), (?1, ?3, ?4, ?5, ?6)",
        "INSERT INTO ledger_entries (transaction_id, account, currency, amount, created_at) "
        "SELECT id::uuid, unnest(ARRAY[source, target]), currency, unnest(ARRAY[0 - amount::bigint, amount::bigint]), now::bigint "
        "FROM unnest(?1::text[], ?2::text[], ?3::text[], ?4::text[], ?5::text[], ?6::text[]) "
        "AS moved (id, source, target, currency, amount, now)",
    };
    sql_add(tx, &entries, "ttttii", transaction_id, from, to, currency, amount_minor, clock_wall_ms());
    return 0;
}

int payments_store_ledger_balances(struct transaction *tx, struct rows *ret_rows)
{
    return sql_query(tx, ret_rows,
                     "SELECT account, currency, sum(amount) FROM ledger_entries GROUP BY account, currency ORDER BY currency, account", "");
}

int payments_store_ledger_faults(struct transaction *tx, int64_t *ret_unbalanced, int64_t *ret_difference)
{
    struct rows rows;
    int code = sql_query(tx, &rows,
                         "SELECT (SELECT count(*) FROM (SELECT transaction_id FROM ledger_entries GROUP BY transaction_id, currency "
                         "HAVING sum(amount) <> 0) AS unbalanced), "
                         "(SELECT coalesce(sum(amount - settled), 0) FROM payments WHERE status IN ('succeeded', 'partially_refunded', "
                         "'refunded')) + (SELECT coalesce(sum(amount), 0) FROM ledger_entries WHERE account = 'provider')",
                         "");
    if (code < 0)
        return code;
    *ret_unbalanced = rows_integer(&rows, 0, 0);
    *ret_difference = rows_integer(&rows, 0, 1);
    return 0;
}

/* ---- events of providers ---- */

/* Both questions of one event. */
struct answers {
    struct rows kept, pending;
};

static void ask_of_each(struct transaction *tx, const char *provider, const struct provider_event *event, struct answers *ret_answers)
{
    sql_ask(tx, &ret_answers->kept,
            "INSERT INTO provider_events (provider, id, body, received_at) VALUES (?1, ?2, ?3, ?4) "
            "ON CONFLICT (provider, id) DO NOTHING RETURNING id",
            "ttsi", provider, event->id, &event->body, clock_wall_ms());
    if (event->key && event->is_refund)
        sql_ask(tx, &ret_answers->pending, "SELECT id FROM refunds WHERE id = ?1 AND status = 'pending'", "t", event->key);
    else if (event->key)
        sql_ask(tx, &ret_answers->pending, "SELECT id FROM payments WHERE id = ?1 AND status = 'pending'", "t", event->key);
}

static int keep_each(struct transaction *tx, const char *provider, struct provider_event *list, unsigned count)
{
    struct answers *answers = arena_alloc(transaction_arena(tx), sizeof *answers * (count + 1));
    memset(answers, 0, sizeof *answers * (count + 1));
    for (unsigned i = 0; i < count; i++)
        ask_of_each(tx, provider, &list[i], &answers[i]);
    int code = sql_settle(tx);
    for (unsigned i = 0; i < count && code == 0; i++)
        list[i].is_news = answers[i].kept.count && answers[i].pending.count;
    return code;
}

static bool has_id(const struct rows *rows, const char *id)
{
    bool found = false;
    for (unsigned i = 0; i < rows->count && !found; i++)
        found = strcasecmp(rows_text(rows, i, 0), id) == 0;
    return found;
}

/* Most events tell what is known already, so few are pending. The new ones come back in the order of the list. */
static int keep_together(struct transaction *tx, const char *provider, struct provider_event *list, unsigned count)
{
    struct sql_list events = {0}, payments = {0}, refunds = {0};
    struct rows kept, pending_payments, pending_refunds;
    int64_t now = clock_wall_ms();
    for (unsigned i = 0; i < count; i++) {
        sql_list_add(tx, &events, "ttsi", provider, list[i].id, &list[i].body, now);
        if (list[i].key)
            sql_list_add(tx, list[i].is_refund ? &refunds : &payments, "t", list[i].key);
    }
    sql_ask_list(tx, &kept,
                 "INSERT INTO provider_events (provider, id, body, received_at) SELECT provider, id, body, now::bigint "
                 "FROM unnest(?1::text[], ?2::text[], ?3::text[], ?4::text[]) AS told (provider, id, body, now) "
                 "ON CONFLICT (provider, id) DO NOTHING RETURNING id",
                 &events);
    sql_ask_list(tx, &pending_payments, "SELECT id FROM payments WHERE id = ANY (?1::text[]::uuid[]) AND status = 'pending'", &payments);
    sql_ask_list(tx, &pending_refunds, "SELECT id FROM refunds WHERE id = ANY (?1::text[]::uuid[]) AND status = 'pending'", &refunds);
    int code = sql_settle(tx);
    for (unsigned i = 0, row = 0; i < count && code == 0; i++) {
        bool is_new = row < kept.count && strcmp(rows_text(&kept, row, 0), list[i].id) == 0;
        row += is_new;
        list[i].is_news = is_new && list[i].key && has_id(list[i].is_refund ? &pending_refunds : &pending_payments, list[i].key);
    }
    return code;
}

int payments_store_events(struct transaction *tx, const char *provider, struct provider_event *list, unsigned count)
{
    return database_is_postgres(transaction_database(tx)) ? keep_together(tx, provider, list, count) : keep_each(tx, provider, list, count);
}
