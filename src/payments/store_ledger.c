/* The SQL of the ledger, which is only ever added to, and of the events that providers call back with. */
#include "base/clock.h"
#include "payments/store.h"

int payments_store_ledger_move(struct transaction *tx, const char *transaction_id, const char *from, const char *to, const char *currency,
                      int64_t amount_minor)
{
    return sql_send(tx,
                    "INSERT INTO ledger_entries (transaction_id, account, currency, amount, created_at) "
                    "VALUES (?1, ?2, ?4, CAST(0 AS BIGINT) - ?5, ?6), (?1, ?3, ?4, ?5, ?6)",
                    "ttttii", transaction_id, from, to, currency, amount_minor, clock_wall_ms());
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

void payments_store_event_ask(struct transaction *tx, const char *provider, const char *id, struct text body, struct rows *ret_rows)
{
    sql_ask(tx, ret_rows,
            "INSERT INTO provider_events (provider, id, body, received_at) VALUES (?1, ?2, ?3, ?4) "
            "ON CONFLICT (provider, id) DO NOTHING RETURNING 1",
            "ttsi", provider, id, &body, clock_wall_ms());
}
