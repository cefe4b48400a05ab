/*
 * JSON on jansson. Trees are reference-counted; those made here are deferred on the arena, so that handlers need no
 * decref. Depth is at most 64, duplicate keys and trailing bytes are refused (RFC 8259, RFC 7493).
 */
#ifndef PURSER_BASE_JSON_H
#define PURSER_BASE_JSON_H

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 64

/* Parses one JSON value. 0 and a tree that goes with the arena, or with words in `err` -EINVAL, or -EILSEQ: it is well-formed, but one of its strings
 * has a NUL (\u0000), which none of ours can hold. Integers beyond 64 bits
 * are kept as JSON reals (so that a rule can refuse them at their pointer). */
int json_parse(struct arena *arena, struct text source, json_t **ret_tree, struct err *err);

/* Ends the piece of work for want of memory, as memory_short() does. */
_Noreturn void json_short(void);
/* For whoever goes on although jansson, called straight, may have been short of memory: nobody else's work ends for it later. */
void json_forgive(void);

/* Takes the reference over: `tree` is released with the arena. NULL (jansson was short of memory) goes to memory_short(). */
json_t *json_keep(struct arena *arena, json_t *tree);

/* json_pack (jansson's format strings), kept by the arena. A wrong format is a bug and aborts. */
json_t *json_make(struct arena *arena, const char *format, ...);

/* Compact text in the arena; reals are as short as reads back the same. */
char *json_print(struct arena *arena, const json_t *tree, size_t *ret_size);

/* The same for reals in `text` that jansson printed: in its place, and the new size. No NUL is put behind it. */
size_t json_shorten_reals(char *text, size_t size);

/* Every tree's memory comes from memory_take from here on. Before the first use of JSON. */
void json_begin(void);

/* As json_object_set and json_array_append, and as their kin that take `value` over: they end the piece of work where memory is short,
 * as json_keep does. A `value` that is NULL is one that there was no memory for. */
void json_put(json_t *object, const char *key, json_t *value);
void json_put_new(json_t *object, const char *key, json_t *value);
void json_add(json_t *array, json_t *value);
void json_add_new(json_t *array, json_t *value);

/* Member access that never fails: NULL or 0 where it is absent or of another type. */
const char *json_get_string(const json_t *object, const char *key);
int64_t json_get_integer(const json_t *object, const char *key);
bool json_get_bool(const json_t *object, const char *key);

#endif
