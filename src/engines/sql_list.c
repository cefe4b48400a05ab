/*
 * Statements over many rows. PostgreSQL takes the rows' columns as arrays and does all of them in one statement, which saves the plan, the message
 * and the answer of each; a statement costs SQLite no round trip, and there each row has its own.
 */
#include "engines/database_ops.h"

#include <assert.h>
#include <stdlib.h>

/* The rows of a set that are not written yet. */
struct sql_pending {
    const struct sql_set *set;
    struct sql_list list;
    struct sql_pending *next;
};

static struct text *add_row(struct arena *arena, struct sql_list *list, unsigned columns)
{
    assert(!list->count || list->columns == columns);
    list->columns = columns;
    if (list->count == list->room) {
        unsigned room = list->room ? list->room * 2 : 8;
        struct text *cells = arena_alloc(arena, sizeof *cells * room * columns);
        if (list->count)
            memcpy(cells, list->cells, sizeof *cells * list->count * columns);
        list->cells = cells;
        list->room = room;
    }
    return list->cells + (size_t)list->count++ * columns;
}

static void add_cells(struct arena *arena, struct sql_list *list, const char *types, va_list cells)
{
    struct text *cell = add_row(arena, list, (unsigned)strlen(types));
    for (; *types; types++, cell++) {
        if (*types == 'i')
            *cell = rows_number(arena, va_arg(cells, int64_t));
        else if (*types == 't')
            *cell = text_of(va_arg(cells, const char *));
        else if (*types == 's')
            *cell = *va_arg(cells, const struct text *);
        else
            abort();
    }
}

void sql_list_add(struct transaction *tx, struct sql_list *list, const char *types, ...)
{
    va_list cells;
    va_start(cells, types);
    add_cells(tx->arena, list, types, cells);
    va_end(cells);
}

static struct sql_statement statement_of(struct arena *arena, const char *sql, const struct sql_list *list)
{
    struct sql_statement statement = {.sql = sql, .count = list->columns};
    assert(list->columns <= SQL_ARGUMENTS_MAX);
    for (unsigned i = 0; i < list->columns; i++)
        statement.arguments[i] =
            (struct sql_argument){.type = 'b', .text = postgres_text_array(arena, list->cells + i, list->count, list->columns)};
    return statement;
}

void sql_ask_list(struct transaction *tx, struct rows *ret_rows, const char *sql, const struct sql_list *list)
{
    *ret_rows = (struct rows){0};
    sql_write_sets(tx);
    if (tx->failed || !list->count)
        return;
    struct sql_statement statement = statement_of(tx->arena, sql, list);
    tx->database->ops->ask(tx, ret_rows, &statement);
}

/* ---- sets ---- */

static struct sql_list *pending_of(struct transaction *tx, const struct sql_set *set)
{
    struct sql_pending **last = &tx->pending;
    for (; *last; last = &(*last)->next)
        if ((*last)->set == set)
            return &(*last)->list;
    struct sql_pending *pending = arena_alloc(tx->arena, sizeof *pending);
    *pending = (struct sql_pending){.set = set};
    *last = pending;
    return &pending->list;
}

/* The caller's own may be gone when the row is written. */
static void keep_last(struct arena *arena, struct sql_list *list, const char *types)
{
    struct text *cell = list->cells + (size_t)(list->count - 1) * list->columns;
    for (unsigned i = 0; i < list->columns; i++)
        if (types[i] != 'i' && cell[i].at)
            cell[i].at = arena_copy(arena, cell[i].at, cell[i].size);
}

void sql_add(struct transaction *tx, const struct sql_set *set, const char *types, ...)
{
    va_list cells;
    va_start(cells, types);
    if (database_is_postgres(tx->database)) {
        struct sql_list *list = pending_of(tx, set);
        add_cells(tx->arena, list, types, cells);
        keep_last(tx->arena, list, types);
    } else {
        sql_send_list(tx, set->each, types, cells);
    }
    va_end(cells);
}

void sql_write_sets(struct transaction *tx)
{
    while (tx->pending && !tx->failed) {
        const struct sql_pending *pending = tx->pending;
        struct sql_statement statement = statement_of(tx->arena, pending->set->together, &pending->list);
        tx->pending = pending->next;
        tx->database->ops->send(tx, &statement);
    }
}
