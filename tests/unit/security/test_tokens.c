/* Access tokens: what is made here is accepted, and whatever is not exactly that is refused (RFC 8725). The forger here holds the real key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/settings.h"
#include "security/tokens.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>

#define USER "0198f0aa-0000-7000-8000-00000000aaaa"
#define SESSION "0198f0aa-0000-7000-8000-00000000bbbb"

static struct arena *arena;
static EVP_PKEY *forger;      /* whose public half the key set has, as kid "k1" */
static char jwks[1024];
static struct key_set *set;

static char *coded(const void *bytes, size_t size)
{
    char *text = arena_alloc(arena, BASE64URL_SIZE(size));
    base64url_encode(bytes, size, text);
    return text;
}

static size_t sign_der(EVP_PKEY *key, const char *said, unsigned char *ret_der, size_t room)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(context, ret_der, &room, (const unsigned char *)said, strlen(said)), 1);
    EVP_MD_CTX_free(context);
    return room;
}

static char *sign_raw(EVP_PKEY *key, const char *said)
{
    unsigned char der[128], raw[64];
    const unsigned char *at = der;
    size_t size = sign_der(key, said, der, sizeof der);
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)size);
    BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + 32, 32);
    ECDSA_SIG_free(signature);
    return coded(raw, sizeof raw);
}

static char *unsigned_token(const char *header, const char *claims)
{
    return arena_printf(arena, "%s.%s", coded(header, strlen(header)), coded(claims, strlen(claims)));
}

static char *forge(const char *header, const char *claims)
{
    char *said = unsigned_token(header, claims);
    return arena_printf(arena, "%s.%s", said, sign_raw(forger, said));
}

static int verify(const char *token)
{
    struct token_claims claims;
    return token_verify(arena, set, text_of(token), &claims, NULL);
}

#define HEADER "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"k1\"}"

/* Good claims but for one, which is replaced by `member` ("\"exp\":\"soon\""), or left out. */
static char *claims_with(const char *name, const char *member)
{
    long long now = clock_wall_ms() / 1000;
    const struct { const char *name, *value; } all[] = {
        {"iss", "\"purser\""}, {"aud", "\"purser\""}, {"sub", "\"" USER "\""}, {"sid", "\"" SESSION "\""}, {"role", "\"user\""},
        {"jti", "\"j1\""}, {"iat", arena_printf(arena, "%lld", now)}, {"exp", arena_printf(arena, "%lld", now + 900)},
    };
    char *text = arena_strdup(arena, "");
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        bool this_one = strcmp(all[i].name, name) == 0;
        if (this_one && !member)
            continue;
        text = arena_printf(arena, "%s%s\"%s\":%s", text, *text ? "," : "", all[i].name, this_one ? member : all[i].value);
    }
    return arena_printf(arena, "{%s}", text);
}

static int read_set(const char *document, struct key_set **ret_set)
{
    struct err err;
    json_t *tree;
    return json_parse(arena, text_of(document), &tree, &err) ? -EBADMSG : key_set_read(tree, ret_set, &err);
}

static int setup(void **state)
{
    char *none[] = {NULL};
    unsigned char point[65];
    size_t size;
    struct err err;
    if (sodium_init() < 0 || settings_load(none, &err))
        return -1;
    arena = arena_new();
    forger = EVP_EC_gen("P-256");
    EVP_PKEY_set_utf8_string_param(forger, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed");
    if (!EVP_PKEY_get_octet_string_param(forger, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point, sizeof point, &size))
        return -1;
    snprintf(jwks, sizeof jwks, "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"ES256\",\"use\":\"sig\",\"kid\":\"k1\",\"x\":\"%s\",\"y\":\"%s\"}]}",
             coded(point + 1, 32), coded(point + 33, 32));
    return read_set(jwks, &set);
}

static int teardown(void **state)
{
    key_set_unref(set);
    EVP_PKEY_free(forger);
    arena_free(arena);
    return 0;
}

static void test_round_trip(void **state)
{
    struct err err;
    struct signing_key *key = signing_key_new(), *opened = NULL;
    struct key_set *own;
    struct token_claims said = {USER, SESSION, "admin", "t1", clock_wall_ms(), clock_wall_ms() + 60000}, heard;
    char *sealed = signing_key_seal(arena, key, "secret");
    assert_int_equal(signing_key_open(sealed, "secret", &opened, &err), 0);
    assert_string_equal(signing_key_id(opened), signing_key_id(key));
    assert_int_equal(key_set_read(json_make(arena, "{s:[O]}", "keys", signing_key_jwk(arena, key)), &own, &err), 0);
    const char *token = token_sign(arena, opened, &said);
    assert_int_equal(token_verify(arena, own, text_of(token), &heard, &err), 0);
    assert_string_equal(heard.user_id, USER);
    assert_string_equal(heard.session_id, SESSION);
    assert_string_equal(heard.role, "admin");
    assert_int_equal(heard.expires_wall_ms, said.expires_wall_ms / 1000 * 1000);
    assert_int_equal(token_verify(arena, set, text_of(token), &heard, &err), -ENOKEY);
    key_set_unref(own);
    signing_key_free(opened);
    signing_key_free(key);
}

static void test_sealed_keys_open_with_their_secret_alone(void **state)
{
    struct err err;
    struct signing_key *key = signing_key_new(), *opened = NULL;
    char *sealed = signing_key_seal(arena, key, "secret");
    assert_int_equal(signing_key_open(sealed, "Secret", &opened, &err), -EACCES);
    assert_non_null(strstr(err.message, "PURSER_KEY_SECRET"));
    for (size_t i = 0; i < strlen(sealed); i += 7) {
        char *other = arena_strdup(arena, sealed);
        other[i] = other[i] == 'A' ? 'B' : 'A';
        assert_true(signing_key_open(other, "secret", &opened, &err) < 0);
    }
    assert_int_equal(signing_key_open("", "secret", &opened, &err), -EINVAL);
    signing_key_free(key);
}

static void test_the_forger_can_sign(void **state)
{
    assert_int_equal(verify(forge(HEADER, claims_with("", NULL))), 0);
    assert_int_equal(verify(forge("{\"alg\":\"ES256\",\"kid\":\"k1\"}", claims_with("", NULL))), 0);
}

static void test_headers(void **state)
{
    static const char *const bad[] = {
        "{}", "[]", "\"ES256\"", "null", "{\"alg\":\"ES256\"}",
        "{\"alg\":\"none\",\"kid\":\"k1\"}", "{\"alg\":\"None\",\"kid\":\"k1\"}", "{\"alg\":\"HS256\",\"kid\":\"k1\"}",
        "{\"alg\":\"RS256\",\"kid\":\"k1\"}", "{\"alg\":\"ES384\",\"kid\":\"k1\"}", "{\"alg\":\"es256\",\"kid\":\"k1\"}",
        "{\"alg\":[\"ES256\"],\"kid\":\"k1\"}", "{\"alg\":null,\"kid\":\"k1\"}", "{\"kid\":\"k1\"}",
        "{\"alg\":\"ES256\",\"kid\":5}", "{\"alg\":\"ES256\",\"kid\":[\"k1\"]}", "{\"alg\":\"ES256\",\"kid\":null}",
        "{\"alg\":\"ES256\",\"kid\":\"k1\",\"jwk\":{}}", "{\"alg\":\"ES256\",\"kid\":\"k1\",\"jku\":\"http://127.0.0.1/\"}",
        "{\"alg\":\"ES256\",\"kid\":\"k1\",\"x5u\":\"http://127.0.0.1/\"}", "{\"alg\":\"ES256\",\"kid\":\"k1\",\"x5c\":[]}",
        "{\"alg\":\"ES256\",\"kid\":\"k1\",\"crit\":[\"exp\"]}", "{\"alg\":\"ES256\",\"kid\":\"k1\",\"crit\":[]}",
        "{\"alg\":\"ES256\",\"kid\":\"k1\",\"b64\":false}", "{\"alg\":\"ES256\",\"kid\":\"k1\",\"zip\":\"DEF\"}",
        "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"refresh\"}", "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":7}",
        "{\"alg\":\"none\",\"alg\":\"ES256\",\"kid\":\"k1\"}", "{\"alg\":\"ES256\",\"kid\":\"k1\"} ,",
    };
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        if (verify(forge(bad[i], claims_with("", NULL))) != -EACCES)
            fail_msg("accepted: %s", bad[i]);
    static const char *const unknown[] = {"", "k2", "K1", "k1 ", "../../dev/null", "' OR 1=1 --"};
    for (unsigned i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        char *header = arena_printf(arena, "{\"alg\":\"ES256\",\"kid\":\"%s\"}", unknown[i]);
        assert_int_equal(verify(forge(header, claims_with("", NULL))), -ENOKEY);
    }
}

static void test_signatures(void **state)
{
    char *claims = claims_with("", NULL), *said = unsigned_token(HEADER, claims), *good = sign_raw(forger, said);
    unsigned char raw[80] = {0}, der[128];
    size_t der_size = sign_der(forger, said, der, sizeof der);
    assert_int_equal(base64url_decode(text_of(good), raw, sizeof raw), 64);
    unsigned char halves[3][64];
    for (unsigned i = 0; i < 3; i++)
        memcpy(halves[i], raw, 64);
    memset(halves[0], 0, 32);
    memset(halves[1] + 32, 0, 32);
    memset(halves[2], 0xff, 64);
    unsigned char hmac[32];
    crypto_auth_hmacsha256_state state_of_hmac;
    crypto_auth_hmacsha256_init(&state_of_hmac, (const unsigned char *)jwks, strlen(jwks));
    crypto_auth_hmacsha256_update(&state_of_hmac, (const unsigned char *)said, strlen(said));
    crypto_auth_hmacsha256_final(&state_of_hmac, hmac);
    const char *const bad[] = {
        "", coded("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 64),
        coded(halves[0], 64), coded(halves[1], 64), coded(halves[2], 64), coded(der, der_size), coded(raw, 63), coded(raw, 65), coded(raw, 32),
        coded(hmac, 32), arena_printf(arena, "%s=", good), arena_printf(arena, "%s.x", good), arena_printf(arena, " %s", good),
    };
    assert_int_equal(verify(arena_printf(arena, "%s.%s", said, good)), 0);
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        if (verify(arena_printf(arena, "%s.%s", said, bad[i])) != -EACCES)
            fail_msg("signature %u was accepted", i);
    for (unsigned bit = 0; bit < 512; bit += 5) {
        unsigned char flipped[64];
        memcpy(flipped, raw, 64);
        flipped[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_int_equal(verify(arena_printf(arena, "%s.%s", said, coded(flipped, 64))), -EACCES);
    }
}

static void test_another_key(void **state)
{
    EVP_PKEY *other = EVP_EC_gen("P-256");
    char *said = unsigned_token(HEADER, claims_with("", NULL));
    assert_int_equal(verify(arena_printf(arena, "%s.%s", said, sign_raw(other, said))), -EACCES);
    EVP_PKEY_free(other);
}

static void test_claims(void **state)
{
    static const char *const bad[][2] = {
        {"iss", NULL}, {"iss", "\"other\""}, {"iss", "[\"purser\"]"}, {"aud", NULL}, {"aud", "\"other\""}, {"aud", "[\"purser\"]"},
        {"sub", NULL}, {"sub", "5"}, {"sub", "\"me\""}, {"sub", "\"\""}, {"sid", NULL}, {"sid", "5"}, {"role", NULL}, {"role", "true"},
        {"jti", NULL}, {"exp", NULL}, {"exp", "\"9999999999\""}, {"exp", "9999999999.5"}, {"exp", "true"}, {"exp", "null"}, {"exp", "-1"},
        {"exp", "9223372036854775807"}, {"exp", "99999999999999999999"}, {"exp", "[9999999999]"}, {"iat", NULL}, {"iat", "\"0\""},
        {"iat", "9999999999"},
    };
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        if (verify(forge(HEADER, claims_with(bad[i][0], bad[i][1]))) != -EACCES)
            fail_msg("accepted: %s %s", bad[i][0], bad[i][1] ? bad[i][1] : "missing");
    assert_int_equal(verify(forge(HEADER, claims_with("exp", arena_printf(arena, "%lld", (long long)(clock_wall_ms() / 1000 - 1))))), -EKEYEXPIRED);
    assert_int_equal(verify(forge(HEADER, "[]")), -EACCES);
    assert_int_equal(verify(forge(HEADER, "{")), -EACCES);
    assert_int_equal(verify(forge(HEADER, "")), -EACCES);
}

static void test_what_is_no_token(void **state)
{
    static const char *const bad[] = {"", ".", "..", "...", "a", "a.b", "a.b.c", "a.b.c.d", "e30.e30.", "e30.e30.e30", "v1.AZMvTnscfSqcVT8fagt8EQ.1.q0p5Zk1l"};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(verify(bad[i]), -EACCES);
    char *large = arena_alloc(arena, TOKEN_SIZE_MAX + 2);
    memset(large, 'a', TOKEN_SIZE_MAX + 1);
    assert_int_equal(verify(large), -EACCES);
    char *good = forge(HEADER, claims_with("", NULL));
    for (size_t i = 0; i <= strlen(good); i += 3)
        assert_true(token_verify(arena, set, (struct text){good, i}, &(struct token_claims){0}, NULL) < 0 || i == strlen(good));
}

static void test_key_sets(void **state)
{
    struct err err;
    struct key_set *other;
    assert_int_equal(read_set("[]", &other), -EINVAL);
    assert_int_equal(read_set("{}", &other), -EINVAL);
    assert_int_equal(read_set("{\"keys\":{}}", &other), -EINVAL);
    /* What is for others is passed over. */
    const char *mixed = "{\"keys\":[5,{},{\"kty\":\"oct\",\"k\":\"AAAA\",\"kid\":\"k1\",\"alg\":\"HS256\"},"
                        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"ES256\",\"kid\":\"k1\",\"x\":\"AAAA\",\"y\":\"AAAA\"}]}";
    assert_int_equal(read_set(mixed, &other), 0);
    char *token = forge(HEADER, claims_with("", NULL));
    assert_int_equal(token_verify(arena, other, text_of(token), &(struct token_claims){0}, &err), -ENOKEY);
    key_set_unref(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_sealed_keys_open_with_their_secret_alone),
        cmocka_unit_test(test_the_forger_can_sign),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_another_key),
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_what_is_no_token),
        cmocka_unit_test(test_key_sets),
    };
    return cmocka_run_group_tests_name("security/tokens", tests, setup, teardown);
}
