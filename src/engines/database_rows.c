/* Rows as cells of text: adapters add them, whoever asked reads them. */
#include "engines/database_ops.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct text *rows_add(struct rows_builder *builder)
{
    struct rows *rows = builder->rows;
    if (rows->count == builder->room) {
        unsigned room = builder->room ? builder->room * 2 : 4;
        struct text *cells = arena_alloc(builder->arena, sizeof *cells * room * (rows->columns ? rows->columns : 1));
        if (rows->count)
            memcpy(cells, rows->cells, sizeof *cells * rows->count * rows->columns);
        rows->cells = cells;
        builder->room = room;
    }
    return rows->cells + (size_t)rows->count++ * rows->columns;
}

struct text rows_number(struct arena *arena, int64_t number)
{
    char room[DECIMAL_ROOM];
    struct text digits = decimal_print(number, room);
    return (struct text){arena_copy(arena, digits.at, digits.size), digits.size};
}

static const struct text *cell(const struct rows *rows, unsigned row, unsigned column)
{
    assert(row < rows->count && column < rows->columns);
    return &rows->cells[(size_t)row * rows->columns + column];
}

const char *rows_text(const struct rows *rows, unsigned row, unsigned column)
{
    return cell(rows, row, column)->at;
}

bool rows_null(const struct rows *rows, unsigned row, unsigned column)
{
    return cell(rows, row, column)->at == NULL;
}

int64_t rows_integer(const struct rows *rows, unsigned row, unsigned column)
{
    const char *at = cell(rows, row, column)->at;
    if (!at)
        return 0;
    if (*at == 't' || *at == 'f') /* PostgreSQL's boolean */
        return *at == 't';
    return strtoll(at, NULL, 10);
}
