/*
 * Access tokens by OpenSSL's EVP: made and checked here whole, so that nothing of a token decides how it is checked. The algorithm is the
 * key's (P-256, hence ES256); a header may only name the key. JWS signatures are r || s of 32 bytes each (RFC 7518 section 3.4), which OpenSSL
 * wants as DER.
 */
#include "security/tokens.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/settings.h"
#include "base/uuid.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define COORDINATE 32
#define POINT (1 + 2 * COORDINATE) /* uncompressed: 4, x, y */
#define KID_SIZE 44
#define KEYS_MAX 16
#define SET_BACK_MAX_MS 86400000 /* a clock that was set back since, or another machine's, logs nobody out */

struct signing_key {
    EVP_PKEY *pkey;
    unsigned char secret[COORDINATE];
    unsigned char point[POINT];
    char kid[KID_SIZE];
};

struct public_key {
    char kid[KID_SIZE];
    EVP_PKEY *pkey;
};

struct key_set {
    int references;
    unsigned count;
    struct public_key keys[KEYS_MAX];
};

/* ---- keys ---- */

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

/* ---- signing ---- */

static char *part(struct arena *arena, const json_t *tree)
{
    size_t size;
    char *text = json_print(arena, tree, &size), *coded = arena_alloc(arena, BASE64URL_SIZE(size));
    base64url_encode(text, size, coded);
    return coded;
}

static bool to_raw(const unsigned char *der, size_t size, unsigned char ret_raw[2 * COORDINATE])
{
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)size);
    bool done = signature && BN_bn2binpad(ECDSA_SIG_get0_r(signature), ret_raw, COORDINATE) == COORDINATE &&
                BN_bn2binpad(ECDSA_SIG_get0_s(signature), ret_raw + COORDINATE, COORDINATE) == COORDINATE;
    ECDSA_SIG_free(signature);
    return done;
}

char *token_sign(struct arena *arena, const struct signing_key *key, const struct token_claims *claims)
{
    const char *issuer = settings_text("issuer");
    json_t *header = json_make(arena, "{s:s, s:s, s:s}", "alg", "ES256", "typ", "JWT", "kid", key->kid);
    json_t *body = json_make(arena, "{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:s}", "iss", issuer, "aud", issuer, "sub", claims->user_id,
                             "sid", claims->session_id, "role", claims->role, "iat", (json_int_t)(claims->issued_wall_ms / 1000), "exp",
                             (json_int_t)(claims->expires_wall_ms / 1000), "jti", claims->token_id);
    char *said = arena_printf(arena, "%s.%s", part(arena, header), part(arena, body)), coded[BASE64URL_SIZE(2 * COORDINATE)];
    unsigned char der[128], raw[2 * COORDINATE];
    size_t size = sizeof der;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key->pkey) == 1 &&
                EVP_DigestSign(context, der, &size, (const unsigned char *)said, strlen(said)) == 1 && to_raw(der, size, raw);
    EVP_MD_CTX_free(context);
    if (!done)
        memory_short(); /* with a key that is whole, nothing else makes it fail */
    base64url_encode(raw, sizeof raw, coded);
    return arena_printf(arena, "%s.%s", said, coded);
}

/* ---- key sets ---- */

static bool read_coordinate(const json_t *jwk, const char *name, unsigned char *ret_bytes)
{
    const char *text = json_get_string(jwk, name);
    return text && base64url_decode(text_of(text), ret_bytes, COORDINATE) == COORDINATE;
}

static bool says(const json_t *jwk, const char *name, const char *wanted)
{
    const char *text = json_get_string(jwk, name);
    return text && strcmp(text, wanted) == 0;
}

/* Keys that are not for ES256 are passed over: a set may hold others (RFC 7517 section 5). */
static bool read_key(const json_t *jwk, struct public_key *ret_key)
{
    unsigned char point[POINT] = {4};
    const char *kid = json_get_string(jwk, "kid");
    if (!says(jwk, "kty", "EC") || !says(jwk, "crv", "P-256") || !says(jwk, "alg", "ES256") || !kid || strlen(kid) >= KID_SIZE ||
        !read_coordinate(jwk, "x", point + 1) || !read_coordinate(jwk, "y", point + 1 + COORDINATE))
        return false;
    snprintf(ret_key->kid, KID_SIZE, "%s", kid);
    ret_key->pkey = make_pkey(point, NULL);
    return ret_key->pkey != NULL;
}

int key_set_parse(struct text jwks, struct key_set **ret_set, struct err *err)
{
    json_error_t error;
    size_t i;
    json_t *tree = jwks.size <= 64 * 1024 ? json_loadb(jwks.at, jwks.size, JSON_REJECT_DUPLICATES, &error) : NULL, *jwk;
    const json_t *list = json_object_get(tree, "keys");
    struct key_set *set = json_is_array(list) ? calloc(1, sizeof *set) : NULL;
    if (!set) {
        json_decref(tree);
        return err_set(err, -EINVAL, "this is no key set");
    }
    set->references = 1;
    json_array_foreach(list, i, jwk)
        if (set->count < KEYS_MAX && read_key(jwk, &set->keys[set->count]))
            set->count++;
    json_decref(tree);
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

/* ---- verifying ---- */

static EVP_PKEY *find_key(const struct key_set *set, const char *kid)
{
    for (unsigned i = 0; i < set->count; i++)
        if (strcmp(set->keys[i].kid, kid) == 0)
            return set->keys[i].pkey;
    return NULL;
}

static int parse_part(struct arena *arena, struct text coded, json_t **ret_tree)
{
    char *bytes = arena_alloc(arena, coded.size + 1);
    long size = base64url_decode(coded, bytes, coded.size);
    if (size < 0 || json_parse(arena, (struct text){bytes, (size_t)size}, ret_tree, NULL))
        return -EINVAL;
    return json_is_object(*ret_tree) ? 0 : -EINVAL;
}

/* What a header may say: that it is ES256, and which key. Whatever would bring a key or demand something is refused unread. */
static int check_header(const json_t *header, const char **ret_kid, struct err *err)
{
    static const char *const dangerous[] = {"jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "crit", "b64", "zip", "enc"};
    for (unsigned i = 0; i < sizeof dangerous / sizeof *dangerous; i++)
        if (json_object_get(header, dangerous[i]))
            return err_set(err, -EACCES, "the header has %s", dangerous[i]);
    if (!says(header, "alg", "ES256"))
        return err_set(err, -EACCES, "the algorithm is not ES256");
    if (json_object_get(header, "typ") && !says(header, "typ", "JWT"))
        return err_set(err, -EACCES, "the type is not JWT");
    *ret_kid = json_get_string(header, "kid");
    if (!*ret_kid || strlen(*ret_kid) >= KID_SIZE)
        return err_set(err, -EACCES, "there is no key id");
    return 0;
}

static bool signature_holds(EVP_PKEY *pkey, struct text said, const unsigned char raw[2 * COORDINATE])
{
    unsigned char der[128], *end = der;
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, COORDINATE, NULL), *s = BN_bin2bn(raw + COORDINATE, COORDINATE, NULL);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool holds = false;
    if (!signature || !r || !s || !context || BN_is_zero(r) || BN_is_zero(s) || !ECDSA_SIG_set0(signature, r, s)) {
        BN_free(r);
        BN_free(s);
    } else {
        int size = i2d_ECDSA_SIG(signature, &end);
        holds = size > 0 && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, pkey) == 1 &&
                EVP_DigestVerify(context, der, (size_t)size, (const unsigned char *)said.at, said.size) == 1;
    }
    ECDSA_SIG_free(signature);
    EVP_MD_CTX_free(context);
    return holds;
}

static int check_claims(const json_t *body, struct token_claims *claims, struct err *err)
{
    const char *issuer = settings_text("issuer");
    const json_t *exp = json_object_get(body, "exp"), *iat = json_object_get(body, "iat");
    int64_t now = clock_wall_ms();
    if (!says(body, "iss", issuer) || !says(body, "aud", issuer))
        return err_set(err, -EACCES, "the token is not from here or not for here");
    if (!json_is_integer(exp) || !json_is_integer(iat) || json_integer_value(exp) < 0 || json_integer_value(exp) > INT64_MAX / 1000)
        return err_set(err, -EACCES, "exp and iat have to be numbers");
    *claims = (struct token_claims){
        .user_id = json_get_string(body, "sub"),
        .session_id = json_get_string(body, "sid"),
        .role = json_get_string(body, "role"),
        .token_id = json_get_string(body, "jti"),
        .issued_wall_ms = json_integer_value(iat) * 1000,
        .expires_wall_ms = json_integer_value(exp) * 1000,
    };
    if (!claims->user_id || !claims->session_id || !claims->role || !claims->token_id || !uuid_is_valid(claims->user_id))
        return err_set(err, -EACCES, "a claim is missing");
    if (claims->expires_wall_ms <= now)
        return err_set(err, -EKEYEXPIRED, "the token has expired");
    if (claims->issued_wall_ms > now + SET_BACK_MAX_MS)
        return err_set(err, -EACCES, "the token is from the future");
    return 0;
}

int token_verify(struct arena *arena, struct key_set *set, struct text token, struct token_claims *ret_claims, struct err *err)
{
    struct text rest = token, header_part, body_part, signature_part;
    json_t *header, *body;
    const char *kid = NULL;
    unsigned char raw[2 * COORDINATE];
    if (token.size > TOKEN_SIZE_MAX || !text_split(&rest, '.', &header_part) || !text_split(&rest, '.', &body_part) ||
        !text_split(&rest, '.', &signature_part) || rest.at)
        return err_set(err, -EACCES, "this is no token");
    if (parse_part(arena, header_part, &header))
        return err_set(err, -EACCES, "the header is no object");
    int error = check_header(header, &kid, err);
    if (error)
        return error;
    if (base64url_decode(signature_part, raw, sizeof raw) != (long)sizeof raw)
        return err_set(err, -EACCES, "the signature is not 64 bytes");
    EVP_PKEY *pkey = find_key(set, kid);
    if (!pkey)
        return err_set(err, -ENOKEY, "the key is not known");
    struct text said = {token.at, header_part.size + 1 + body_part.size};
    if (!signature_holds(pkey, said, raw))
        return err_set(err, -EACCES, "the signature does not hold");
    if (parse_part(arena, body_part, &body))
        return err_set(err, -EACCES, "the claims are no object");
    return check_claims(body, ret_claims, err);
}
