/* Signatures of provider callbacks. The time is signed too, so that a callback that was overheard is good for minutes only; replays within them
 * meet the event's id, which is stored once. */
#include "contracts/callbacks.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static void signature_of(const char *secret, int64_t at_s, struct text body, char ret_hex[2 * crypto_auth_hmacsha256_BYTES + 1])
{
    char time[24];
    unsigned char code[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    int time_size = snprintf(time, sizeof time, "%lld.", (long long)at_s);
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret, strlen(secret));
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)time, (unsigned long long)time_size);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)body.at, body.size);
    crypto_auth_hmacsha256_final(&state, code);
    hex_encode(code, sizeof code, ret_hex);
}

char *callback_sign(struct arena *arena, const char *secret, int64_t now_s, struct text body)
{
    char hex[2 * crypto_auth_hmacsha256_BYTES + 1];
    signature_of(secret, now_s, body, hex);
    return arena_printf(arena, "t=%lld,v1=%s", (long long)now_s, hex);
}

int callback_verify(const char *secret, int64_t now_s, struct text header, struct text body)
{
    struct text time, code = header;
    int64_t at_s;
    char hex[2 * crypto_auth_hmacsha256_BYTES + 1];
    if (!text_split(&code, ',', &time) || !text_starts(time, text_of("t=")) || !text_starts(code, text_of("v1=")))
        return -EACCES;
    time = (struct text){time.at + 2, time.size - 2};
    code = (struct text){code.at + 3, code.size - 3};
    if (text_to_int64(time, &at_s) || at_s < now_s - CALLBACK_AGE_MAX_S || at_s > now_s + CALLBACK_AGE_MAX_S)
        return -EACCES;
    signature_of(secret, at_s, body, hex);
    return code.size == sizeof hex - 1 && sodium_memcmp(code.at, hex, sizeof hex - 1) == 0 ? 0 : -EACCES;
}
