/*
 * Idempotency keys. PostgreSQL inserts the key's row first, so that a concurrent repeat waits for it, and completes it at the end; SQLite,
 * where one body runs at a time, looks first and inserts once. Most keys are new, so a body may go on without waiting for that row.
 */
#include "messaging/idempotency.h"

#include "base/clock.h"
#include "http/problem.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#define KEY_MAX 255

static bool is_key(struct text value)
{
    for (size_t i = 0; i < value.size; i++)
        if (value.at[i] < 0x21 || value.at[i] > 0x7e)
            return false;
    return value.size >= 1 && value.size <= KEY_MAX;
}

static const char *hash_of(const struct http_request *request)
{
    crypto_hash_sha256_state state;
    unsigned char digest[crypto_hash_sha256_BYTES];
    char *hex = arena_alloc(request->arena, 2 * sizeof digest + 1);
    const struct text parts[] = {request->method_name, {" ", 1}, request->path, {"\n", 1}, request->body};
    crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        crypto_hash_sha256_update(&state, (const unsigned char *)parts[i].at, parts[i].size);
    crypto_hash_sha256_final(&state, digest);
    hex_encode(digest, sizeof digest, hex);
    return hex;
}

bool idempotency_of(struct http_request *request, struct http_response *response, struct idempotency *ret_key)
{
    struct text value = http_header(&request->headers, "Idempotency-Key");
    *ret_key = (struct idempotency){0};
    if (!value.at)
        return true;
    value = text_trim(value);
    if (!is_key(value)) {
        problem(response, 422, "invalid", "Idempotency-Key should be 1 to %d visible ASCII characters.", KEY_MAX);
        return false;
    }
    /* Those who have not signed in share nobody's keys but those of their address. */
    const char *user = request->identity.user_id ? request->identity.user_id : request->client_address ? request->client_address : "";
    ret_key->key = arena_copy(request->arena, value.at, value.size);
    ret_key->scope = arena_printf(request->arena, "%s %.*s %.*s", user, (int)request->method_name.size, request->method_name.at,
                                  (int)request->path.size, request->path.at);
    ret_key->hash = hash_of(request);
    return true;
}

static void take_answer(struct idempotency *key, const struct rows *rows)
{
    key->mismatch = strcmp(rows_text(rows, 0, 0), key->hash) != 0;
    key->replayed = !key->mismatch;
    key->status = (int)rows_integer(rows, 0, 1);
    key->body = rows_null(rows, 0, 2) ? (struct text){"", 0} : rows->cells[2];
    key->content_type = rows_text(rows, 0, 3);
    key->location = rows_text(rows, 0, 4);
}

static int find(struct transaction *tx, const struct idempotency *key, struct rows *ret_rows)
{
    return sql_query(tx, ret_rows, "SELECT hash, status, body, content_type, location FROM idempotency WHERE scope = ?1 AND key = ?2", "tt",
                     key->scope, key->key);
}

int idempotency_is_answered(struct transaction *tx, const struct idempotency *key)
{
    struct rows rows;
    int code = key->key ? find(tx, key, &rows) : 0;
    return code < 0 || !key->key ? code : rows.count > 0;
}

static int look(struct transaction *tx, struct idempotency *key)
{
    struct rows rows;
    int code = find(tx, key, &rows);
    if (code < 0 || !rows.count)
        return code;
    take_answer(key, &rows);
    return 1;
}

int idempotency_begin(struct transaction *tx, struct idempotency *key)
{
    int code = idempotency_ask(tx, &key, 1);
    if (code)
        return code;
    code = idempotency_check(tx, &key, 1);
    return code == -EALREADY ? look(tx, key) : code;
}

static void ask_together(struct transaction *tx, struct idempotency *const *keys, unsigned count)
{
    struct rows *asked = arena_alloc(transaction_arena(tx), sizeof *asked);
    struct sql_list list = {0};
    int64_t now = clock_wall_ms();
    for (unsigned i = 0; i < count; i++) {
        keys[i]->asked = asked;
        if (keys[i]->key)
            sql_list_add(tx, &list, "ttti", keys[i]->scope, keys[i]->key, keys[i]->hash, now);
    }
    sql_ask_list(tx, asked,
                 "INSERT INTO idempotency (scope, key, hash, created_at) SELECT scope, key, hash, now::bigint "
                 "FROM unnest(?1::text[], ?2::text[], ?3::text[], ?4::text[]) AS asked (scope, key, hash, now) "
                 "ON CONFLICT DO NOTHING RETURNING id, scope, key",
                 &list);
}

int idempotency_ask(struct transaction *tx, struct idempotency *const *keys, unsigned count)
{
    int code = 0;
    for (unsigned i = 0; i < count; i++)
        keys[i]->replayed = keys[i]->mismatch = false;
    if (database_is_postgres(transaction_database(tx)))
        ask_together(tx, keys, count);
    else
        for (unsigned i = 0; i < count && code == 0; i++)
            code = keys[i]->key ? look(tx, keys[i]) : 0;
    return code;
}

static bool is_of(const struct rows *rows, unsigned row, const struct idempotency *key)
{
    return strcmp(rows_text(rows, row, 1), key->scope) == 0 && strcmp(rows_text(rows, row, 2), key->key) == 0;
}

/* The new ones have come back in their order. */
int idempotency_check(struct transaction *tx, struct idempotency *const *keys, unsigned count)
{
    unsigned row = 0;
    if (!database_is_postgres(transaction_database(tx)))
        return 0;
    int code = sql_settle(tx);
    for (unsigned i = 0; i < count && code == 0; i++) {
        const struct rows *asked = keys[i]->asked;
        if (!keys[i]->key)
            continue;
        if (row == asked->count || !is_of(asked, row, keys[i]))
            return -EALREADY;
        keys[i]->row = rows_integer(asked, row++, 0);
    }
    return code;
}

int idempotency_look(struct transaction *tx, struct idempotency *key)
{
    int code = look(tx, key);
    return code < 0 ? code : code ? 0 : -EAGAIN;
}

int idempotency_finish(struct transaction *tx, struct idempotency *key, int status, struct text body, const char *content_type,
                       const char *location)
{
    static const struct sql_set answers = {
        .together = "UPDATE idempotency SET status = new.status::integer, body = new.body, content_type = new.content_type, "
                    "location = new.location FROM unnest(?1::text[], ?2::text[], ?3::text[], ?4::text[], ?5::text[]) "
                    "AS new (id, status, body, content_type, location) "
                    "WHERE idempotency.id = new.id::bigint AND idempotency.id = ANY (?1::text[]::bigint[])",
    };
    if (!key->key)
        return 0;
    if (database_is_postgres(transaction_database(tx))) {
        sql_add(tx, &answers, "iistt", key->row, (int64_t)status, &body, content_type, location);
        return 0;
    }
    return sql_send(tx,
                    "INSERT INTO idempotency (scope, key, hash, status, body, content_type, location, created_at) "
                    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    "tttistti", key->scope, key->key, key->hash, (int64_t)status, &body, content_type, location, clock_wall_ms());
}

bool idempotency_answer(struct idempotency *key, struct http_response *response)
{
    if (key->mismatch) {
        problem(response, 422, "invalid", "This Idempotency-Key came before with another body.");
        return true;
    }
    if (!key->replayed)
        return false;
    respond_bytes(response, key->status, key->content_type ? key->content_type : "application/json", key->body);
    if (key->location)
        http_header_set(response->arena, &response->headers, "Location", key->location);
    http_header_set(response->arena, &response->headers, "Idempotent-Replayed", "true");
    return true;
}
