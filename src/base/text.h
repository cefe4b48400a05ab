/* Slices of bytes, and the growing buffer. Bytes travel as pointer and length. */
#ifndef PURSER_BASE_TEXT_H
#define PURSER_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes that belong to somebody else; not NUL-terminated. */
struct text {
    const char *at;
    size_t size;
};

static inline struct text text_of(const char *string)
{
    return (struct text){string, string ? strlen(string) : 0};
}

bool text_equal(struct text a, struct text b);
/* ASCII case does not count (RFC 9110 field names, schemes). */
bool text_equal_nocase(struct text a, struct text b);
bool text_starts(struct text whole, struct text start);
/* Without spaces and tabs at both ends. */
struct text text_trim(struct text whole);
/* Takes the next part up to `separator` off `rest` into `ret_part`; false, and an empty part, when nothing is left. */
bool text_split(struct text *rest, char separator, struct text *ret_part);
/* A whole decimal number without sign or leading blanks. 0, or -EINVAL, or -ERANGE beyond INT64_MAX. */
int text_to_int64(struct text digits, int64_t *ret_value);
/* In decimal, in room of the caller's. */
#define DECIMAL_ROOM 24
struct text decimal_print(int64_t number, char room[DECIMAL_ROOM]);
/* Whether the bytes are valid UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool text_is_utf8(struct text bytes);

/* A growing buffer on the heap. Zero-initialise; buffer_fini frees. Growth that fails makes `failed` true and drops what
 * is appended from then on: check once, at the end. */
struct buffer {
    char *at;
    size_t size, room;
    bool failed;
};
void buffer_fini(struct buffer *buffer);
void buffer_add(struct buffer *buffer, const void *at, size_t size);
void buffer_add_string(struct buffer *buffer, const char *string);
void buffer_printf(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Drops `size` bytes from the front. */
void buffer_take(struct buffer *buffer, size_t size);

/* Lower-case hexadecimal; `ret_hex` has room for 2 * size + 1. */
void hex_encode(const void *bytes, size_t size, char *ret_hex);
/* base64url without padding (RFC 4648 section 5); `ret_out` has room for BASE64URL_SIZE(size). Returns the length. */
#define BASE64URL_SIZE(size) (((size) + 2) / 3 * 4 + 1)
size_t base64url_encode(const void *bytes, size_t size, char *ret_out);
/* Strict: no padding, no other characters. Returns the length, or -EINVAL, or -ENOSPC. */
long base64url_decode(struct text coded, void *ret_bytes, size_t room);

#endif
