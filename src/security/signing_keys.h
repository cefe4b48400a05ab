/* The keys of tokens.h from inside: signing_keys.c makes, seals and reads them, tokens.c signs and checks with them. */
#ifndef PURSER_SECURITY_SIGNING_KEYS_H
#define PURSER_SECURITY_SIGNING_KEYS_H

#include "security/tokens.h"

#include <openssl/evp.h>
#include <string.h>

#define COORDINATE 32              /* bytes of one of P-256; a signature has two numbers of that size */
#define POINT (1 + 2 * COORDINATE) /* uncompressed: 4, x, y */
#define KID_SIZE 44

struct signing_key {
    EVP_PKEY *pkey;
    unsigned char secret[COORDINATE];
    unsigned char point[POINT];
    char kid[KID_SIZE];
};

/* Whether the member is this text. */
static inline bool json_says(const json_t *object, const char *name, const char *wanted)
{
    const char *text = json_get_string(object, name);
    return text && strcmp(text, wanted) == 0;
}

/* The set's, or NULL. */
EVP_PKEY *key_set_find(const struct key_set *set, const char *kid);

#endif
