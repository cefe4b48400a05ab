/* Objects put together as text, without a tree in between: for what is printed for every order. */
#ifndef PURSER_BASE_JSON_TEXT_H
#define PURSER_BASE_JSON_TEXT_H

#include "base/arena.h"
#include "base/text.h"

/*
 * An object of the members that follow, each a name (as it is printed) and a value. `types` has a letter for each:
 *   s  const char *; left out where it is NULL
 *   n  const char *; null where it is NULL
 *   i  int64_t
 *   p  int64_t; left out where it is 0
 *   j  struct text *: JSON already; left out where its `at` is NULL
 * Strings get their escapes; one that is no UTF-8 ends the piece of work, as it does in json_make. In the arena, with a NUL behind it.
 */
struct text json_text(struct arena *arena, const char *types, ...);
/* An array of what is JSON already. */
struct text json_text_array(struct arena *arena, const struct text *elements, size_t count);

#endif
