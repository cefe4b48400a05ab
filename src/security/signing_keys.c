/*
 * The keys of access tokens, all P-256: private ones, which sign and are sealed for the database, and sets of public ones, as a JWKS document
 * has them (RFC 7517).
 */
#include "security/signing_keys.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 16

struct public_key {
    char kid[KID_SIZE];
    EVP_PKEY *pkey;
};

struct key_set {
    int references;
    unsigned count;
    struct public_key keys[KEYS_MAX];
};

/* ---- private keys ---- */

/* A P-256 key from its point, and its secret where there is one. NULL when short of memory or off the curve. */
static EVP_PKEY *make_pkey(const unsigned char point[POINT], const unsigned char *secret)
{
    EVP_PKEY *pkey = NULL;
    BIGNUM *number = secret ? BN_bin2bn(secret, COORDINATE, NULL) : NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM *parameters = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (builder && context && (number || !secret) &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, POINT) &&
        (!number || OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, number)))
        parameters = OSSL_PARAM_BLD_to_param(builder);
    if (parameters && EVP_PKEY_fromdata_init(context) == 1 &&
        EVP_PKEY_fromdata(context, &pkey, secret ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        pkey = NULL;
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(builder);
    EVP_PKEY_CTX_free(context);
    BN_clear_free(number);
    return pkey;
}

/* RFC 7638: SHA-256 over the required members in this order. */
static void thumbprint(const unsigned char point[POINT], char ret_kid[KID_SIZE])
{
    char x[BASE64URL_SIZE(COORDINATE)], y[BASE64URL_SIZE(COORDINATE)], said[256];
    unsigned char digest[crypto_hash_sha256_BYTES];
    base64url_encode(point + 1, COORDINATE, x);
    base64url_encode(point + 1 + COORDINATE, COORDINATE, y);
    int size = snprintf(said, sizeof said, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", x, y);
    crypto_hash_sha256(digest, (const unsigned char *)said, (size_t)size);
    base64url_encode(digest, sizeof digest, ret_kid);
}

/* Takes the numbers out of a fresh key. */
static bool read_numbers(EVP_PKEY *pkey, struct signing_key *key)
{
    size_t size = 0;
    BIGNUM *number = NULL;
    bool done = EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, key->point, POINT, &size) && size == POINT &&
                EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_PRIV_KEY, &number) &&
                BN_bn2binpad(number, key->secret, COORDINATE) == COORDINATE;
    BN_clear_free(number);
    return done;
}

static struct signing_key *finish_key(struct signing_key *key)
{
    thumbprint(key->point, key->kid);
    key->pkey = make_pkey(key->point, key->secret);
    if (key->pkey)
        return key;
    signing_key_free(key);
    return NULL;
}

struct signing_key *signing_key_new(void)
{
    struct signing_key *key = calloc(1, sizeof *key);
    EVP_PKEY *pkey = key ? EVP_EC_gen("P-256") : NULL;
    bool uncompressed = pkey && EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed");
    bool read = uncompressed && read_numbers(pkey, key);
    EVP_PKEY_free(pkey);
    if (read)
        return finish_key(key);
    free(key);
    return NULL;
}

void signing_key_free(struct signing_key *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->pkey);
    sodium_memzero(key, sizeof *key);
    free(key);
}

const char *signing_key_id(const struct signing_key *key)
{
    return key->kid;
}

/* ---- sealed: nonce, then the box of secret and point ---- */

#define NONCE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define SEALED_PLAIN (COORDINATE + POINT)
#define SEALED_BYTES (NONCE + SEALED_PLAIN + crypto_aead_xchacha20poly1305_ietf_ABYTES)

static void sealing_key(const char *secret, unsigned char ret_key[crypto_aead_xchacha20poly1305_ietf_KEYBYTES])
{
    static const unsigned char purpose[] = "purser signing keys";
    crypto_generichash(ret_key, crypto_aead_xchacha20poly1305_ietf_KEYBYTES, (const unsigned char *)secret, strlen(secret), purpose,
                       sizeof purpose - 1);
}

char *signing_key_seal(struct arena *arena, const struct signing_key *key, const char *secret)
{
    unsigned char plain[SEALED_PLAIN], sealed[SEALED_BYTES], sealing[crypto_aead_xchacha20poly1305_ietf_KEYBYTES];
    sealing_key(secret, sealing);
    memcpy(plain, key->secret, COORDINATE);
    memcpy(plain + COORDINATE, key->point, POINT);
    randombytes_buf(sealed, NONCE);
    crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + NONCE, NULL, plain, sizeof plain, NULL, 0, NULL, sealed, sealing);
    sodium_memzero(plain, sizeof plain);
    char *text = arena_alloc(arena, BASE64URL_SIZE(sizeof sealed));
    base64url_encode(sealed, sizeof sealed, text);
    return text;
}

int signing_key_open(const char *text, const char *secret, struct signing_key **ret_key, struct err *err)
{
    unsigned char plain[SEALED_PLAIN], sealed[SEALED_BYTES], sealing[crypto_aead_xchacha20poly1305_ietf_KEYBYTES];
    if (base64url_decode(text_of(text), sealed, sizeof sealed) != (long)sizeof sealed)
        return err_set(err, -EINVAL, "a sealed key is damaged");
    sealing_key(secret, sealing);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, sealed + NONCE, sizeof sealed - NONCE, NULL, 0, sealed, sealing))
        return err_set(err, -EACCES, "a sealed key does not open: PURSER_KEY_SECRET is not the one it was sealed with");
    struct signing_key *key = calloc(1, sizeof *key);
    if (!key)
        return err_set(err, -ENOMEM, "out of memory");
    memcpy(key->secret, plain, COORDINATE);
    memcpy(key->point, plain + COORDINATE, POINT);
    sodium_memzero(plain, sizeof plain);
    key = finish_key(key);
    if (!key)
        return err_set(err, -EINVAL, "a sealed key is no P-256 key");
    *ret_key = key;
    return 0;
}

json_t *signing_key_jwk(struct arena *arena, const struct signing_key *key)
{
    char x[BASE64URL_SIZE(COORDINATE)], y[BASE64URL_SIZE(COORDINATE)];
    base64url_encode(key->point + 1, COORDINATE, x);
    base64url_encode(key->point + 1 + COORDINATE, COORDINATE, y);
    return json_make(arena, "{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "kty", "EC", "crv", "P-256", "alg", "ES256", "use", "sig", "kid",
                     key->kid, "x", x, "y", y);
}

/* ---- key sets ---- */

static bool read_coordinate(const json_t *jwk, const char *name, unsigned char *ret_bytes)
{
    const char *text = json_get_string(jwk, name);
    return text && base64url_decode(text_of(text), ret_bytes, COORDINATE) == COORDINATE;
}

/* Keys that are not for ES256 are passed over: a set may hold others (RFC 7517 section 5). */
static bool read_key(const json_t *jwk, struct public_key *ret_key)
{
    unsigned char point[POINT] = {4};
    const char *kid = json_get_string(jwk, "kid");
    if (!json_says(jwk, "kty", "EC") || !json_says(jwk, "crv", "P-256") || !json_says(jwk, "alg", "ES256") || !kid || strlen(kid) >= KID_SIZE ||
        !read_coordinate(jwk, "x", point + 1) || !read_coordinate(jwk, "y", point + 1 + COORDINATE))
        return false;
    snprintf(ret_key->kid, KID_SIZE, "%s", kid);
    ret_key->pkey = make_pkey(point, NULL);
    return ret_key->pkey != NULL;
}

int key_set_read(const json_t *jwks, struct key_set **ret_set, struct err *err)
{
    size_t i;
    const json_t *list = json_object_get(jwks, "keys"), *jwk;
    if (!json_is_array(list))
        return err_set(err, -EINVAL, "this is no key set");
    struct key_set *set = calloc(1, sizeof *set);
    if (!set)
        return err_set(err, -ENOMEM, "out of memory");
    set->references = 1;
    json_array_foreach(list, i, jwk)
        if (set->count < KEYS_MAX && read_key(jwk, &set->keys[set->count]))
            set->count++;
    *ret_set = set;
    return 0;
}

struct key_set *key_set_ref(struct key_set *set)
{
    __atomic_add_fetch(&set->references, 1, __ATOMIC_RELAXED);
    return set;
}

void key_set_unref(struct key_set *set)
{
    if (!set || __atomic_sub_fetch(&set->references, 1, __ATOMIC_ACQ_REL))
        return;
    for (unsigned i = 0; i < set->count; i++)
        EVP_PKEY_free(set->keys[i].pkey);
    free(set);
}

static void release(void *set)
{
    key_set_unref(set);
}

void key_set_keep(struct arena *arena, struct key_set *set)
{
    arena_defer(arena, release, set);
}

EVP_PKEY *key_set_find(const struct key_set *set, const char *kid)
{
    for (unsigned i = 0; i < set->count; i++)
        if (strcmp(set->keys[i].kid, kid) == 0)
            return set->keys[i].pkey;
    return NULL;
}
