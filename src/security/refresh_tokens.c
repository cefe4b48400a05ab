/* Refresh tokens. One is accepted only if making it again gives the same bytes, so there is one spelling of each. */
#include "security/refresh_tokens.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define SESSION_BYTES 16
#define SESSION_CODED 22
#define TOKEN_MAX 128

/* The secret's own key for this purpose, so that no code made with it means anything elsewhere. */
static void code_of(const char *secret, const char *session_id, int64_t generation, unsigned char ret_code[crypto_auth_hmacsha256_BYTES])
{
    static const char purpose[] = "purser refresh tokens";
    unsigned char key[crypto_auth_hmacsha256_KEYBYTES];
    char said[UUID_SIZE + 24];
    crypto_generichash(key, sizeof key, (const unsigned char *)secret, strlen(secret), (const unsigned char *)purpose, sizeof purpose - 1);
    int size = snprintf(said, sizeof said, "%s.%" PRId64, session_id, generation);
    crypto_auth_hmacsha256(ret_code, (const unsigned char *)said, (unsigned long long)size, key);
    sodium_memzero(key, sizeof key);
}

static void pack_session(const char *session_id, unsigned char ret_bytes[SESSION_BYTES])
{
    size_t size;
    sodium_hex2bin(ret_bytes, SESSION_BYTES, session_id, UUID_SIZE - 1, "-", &size, NULL);
}

static void unpack_session(const unsigned char bytes[SESSION_BYTES], char ret_id[UUID_SIZE])
{
    char hex[2 * SESSION_BYTES + 1];
    hex_encode(bytes, SESSION_BYTES, hex);
    snprintf(ret_id, UUID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

char *refresh_token_print(struct arena *arena, const char *secret, const char *session_id, int64_t generation)
{
    unsigned char code[crypto_auth_hmacsha256_BYTES], session[SESSION_BYTES] = {0};
    char coded[BASE64URL_SIZE(sizeof code)], coded_session[BASE64URL_SIZE(SESSION_BYTES)];
    code_of(secret, session_id, generation, code);
    pack_session(session_id, session);
    base64url_encode(code, sizeof code, coded);
    base64url_encode(session, sizeof session, coded_session);
    return arena_printf(arena, "v1.%s.%" PRId64 ".%s", coded_session, generation, coded);
}

int refresh_token_parse(struct arena *arena, const char *secret, struct text token, struct refresh_token *ret_token)
{
    struct text rest = token, version, session, generation;
    unsigned char bytes[SESSION_BYTES];
    struct refresh_token parsed;
    if (token.size > TOKEN_MAX || !text_split(&rest, '.', &version) || !text_split(&rest, '.', &session) ||
        !text_split(&rest, '.', &generation) || session.size != SESSION_CODED ||
        base64url_decode(session, bytes, sizeof bytes) != SESSION_BYTES || text_to_int64(generation, &parsed.generation))
        return -EACCES;
    unpack_session(bytes, parsed.session_id);
    const char *made = refresh_token_print(arena, secret, parsed.session_id, parsed.generation);
    if (strlen(made) != token.size || sodium_memcmp(made, token.at, token.size) != 0)
        return -EACCES;
    *ret_token = parsed;
    return 0;
}
