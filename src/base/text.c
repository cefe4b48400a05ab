/* Slices and the growing buffer; hexadecimal and base64url (libsodium's, in constant time). */
#include "base/text.h"

#include "base/memory.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

bool text_equal(struct text a, struct text b)
{
    return a.size == b.size && (!a.size || !memcmp(a.at, b.at, a.size));
}

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

bool text_equal_nocase(struct text a, struct text b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++)
        if (lower(a.at[i]) != lower(b.at[i]))
            return false;
    return true;
}

bool text_starts(struct text whole, struct text start)
{
    return whole.size >= start.size && (!start.size || !memcmp(whole.at, start.at, start.size));
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct text text_trim(struct text whole)
{
    while (whole.size && is_blank(whole.at[0])) {
        whole.at++;
        whole.size--;
    }
    while (whole.size && is_blank(whole.at[whole.size - 1]))
        whole.size--;
    return whole;
}

bool text_split(struct text *rest, char separator, struct text *ret_part)
{
    if (!rest->at) {
        *ret_part = (struct text){"", 0};
        return false;
    }
    const char *found = rest->size ? memchr(rest->at, separator, rest->size) : NULL;
    if (!found) {
        *ret_part = *rest;
        *rest = (struct text){NULL, 0};
        return true;
    }
    size_t size = (size_t)(found - rest->at);
    *ret_part = (struct text){rest->at, size};
    *rest = (struct text){found + 1, rest->size - size - 1};
    return true;
}

int text_to_int64(struct text digits, int64_t *ret_value)
{
    if (!digits.size)
        return -EINVAL;
    int64_t value = 0;
    bool too_large = false;
    for (size_t i = 0; i < digits.size; i++) {
        char c = digits.at[i];
        if (c < '0' || c > '9')
            return -EINVAL;
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, c - '0', &value))
            too_large = true;
    }
    if (too_large)
        return -ERANGE;
    *ret_value = value;
    return 0;
}

struct text decimal_print(int64_t number, char room[DECIMAL_ROOM])
{
    char *end = room + DECIMAL_ROOM, *at = end;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do
        *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0)
        *--at = '-';
    return (struct text){at, (size_t)(end - at)};
}

/* The length of the sequence at `at`, or 0 if it is none (the table of RFC 3629 section 4). */
static size_t utf8_sequence(const unsigned char *at, size_t left)
{
    unsigned char first = at[0], low = 0x80, high = 0xbf;
    size_t size;
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        size = 2;
    else if ((first & 0xf0) == 0xe0)
        size = 3;
    else if (first >= 0xf0 && first <= 0xf4)
        size = 4;
    else
        return 0;
    if (first == 0xe0)
        low = 0xa0;
    else if (first == 0xed)
        high = 0x9f;
    else if (first == 0xf0)
        low = 0x90;
    else if (first == 0xf4)
        high = 0x8f;
    if (left < size || at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

bool text_is_utf8(struct text bytes)
{
    const unsigned char *at = (const unsigned char *)bytes.at;
    for (size_t i = 0; i < bytes.size;) {
        size_t size = utf8_sequence(at + i, bytes.size - i);
        if (!size)
            return false;
        i += size;
    }
    return true;
}

void buffer_fini(struct buffer *buffer)
{
    free(buffer->at);
    *buffer = (struct buffer){0};
}

/* Makes room for `more` bytes and a NUL; false where memory is short. */
static bool buffer_reserve(struct buffer *buffer, size_t more)
{
    if (buffer->failed)
        return false;
    if (buffer->room > buffer->size && buffer->room - buffer->size > more)
        return true;
    size_t room = buffer->room ? buffer->room * 2 : 256;
    if (more >= SIZE_MAX / 4 - buffer->size) {
        buffer->failed = true;
        return false;
    }
    while (room - buffer->size <= more)
        room *= 2;
    char *at = memory_grow(buffer->at, room);
    if (!at) {
        buffer->failed = true;
        return false;
    }
    buffer->at = at;
    buffer->room = room;
    return true;
}

void buffer_add(struct buffer *buffer, const void *at, size_t size)
{
    if (!buffer_reserve(buffer, size))
        return;
    if (size)
        memcpy(buffer->at + buffer->size, at, size);
    buffer->size += size;
    buffer->at[buffer->size] = 0;
}

void buffer_add_string(struct buffer *buffer, const char *string)
{
    buffer_add(buffer, string, strlen(string));
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0 || !buffer_reserve(buffer, (size_t)size + 1))
        return;
    va_start(arguments, format);
    vsnprintf(buffer->at + buffer->size, (size_t)size + 1, format, arguments);
    va_end(arguments);
    buffer->size += (size_t)size;
}

void buffer_take(struct buffer *buffer, size_t size)
{
    if (size >= buffer->size) {
        buffer->size = 0;
        return;
    }
    memmove(buffer->at, buffer->at + size, buffer->size - size);
    buffer->size -= size;
}

void hex_encode(const void *bytes, size_t size, char *ret_hex)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++) {
        ret_hex[2 * i] = digits[at[i] >> 4];
        ret_hex[2 * i + 1] = digits[at[i] & 15];
    }
    ret_hex[2 * size] = 0;
}

size_t base64url_encode(const void *bytes, size_t size, char *ret_out)
{
    size_t room = sodium_base64_ENCODED_LEN(size, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_bin2base64(ret_out, room, bytes, size, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return room - 1;
}

long base64url_decode(struct text coded, void *ret_bytes, size_t room)
{
    size_t size = 0;
    if (!coded.size)
        return 0;
    if (coded.size / 4 * 3 + (coded.size % 4 ? coded.size % 4 - 1 : 0) > room)
        return -ENOSPC;
    if (sodium_base642bin(ret_bytes, room, coded.at, coded.size, NULL, &size, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING))
        return -EINVAL;
    return (long)size;
}
