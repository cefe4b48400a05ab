/* Classes of bytes in HTTP (RFC 9110 section 5.6.2, RFC 3986). For the parser's own files. */
#ifndef PURSER_HTTP_BYTES_H
#define PURSER_HTTP_BYTES_H

#include "base/text.h"

enum {
    HTTP_BYTE_TOKEN = 1, /* tchar */
    HTTP_BYTE_FIELD = 2, /* field values: visible, obs-text, blank and tab */
    HTTP_BYTE_PATH = 4,  /* pchar and the slash, without the escape's % */
    HTTP_BYTE_HOST = 8,  /* reg-name without escapes */
    HTTP_BYTE_DIGIT = 16,
    HTTP_BYTE_HEX = 32,
    HTTP_BYTE_IPV6 = 64, /* between the brackets */
};

extern const unsigned char http_byte_classes[256];

static inline bool http_byte_is(char byte, unsigned char class)
{
    return http_byte_classes[(unsigned char)byte] & class;
}

static inline bool http_bytes_are(struct text bytes, unsigned char class)
{
    for (size_t i = 0; i < bytes.size; i++)
        if (!http_byte_is(bytes.at[i], class))
            return false;
    return true;
}

#endif
