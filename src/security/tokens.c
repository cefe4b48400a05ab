/*
 * Access tokens by OpenSSL's EVP: made and checked here whole, so that nothing of a token decides how it is checked. The algorithm is the
 * key's (P-256, hence ES256); a header may only name the key. JWS signatures are r || s of 32 bytes each (RFC 7518 section 3.4), which OpenSSL
 * wants as DER.
 */
#include "security/signing_keys.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/settings.h"
#include "base/uuid.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <sodium.h>
#include <string.h>

#define SET_BACK_MAX_MS 86400000 /* a clock that was set back since, or another machine's, logs nobody out */

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

/* ---- verifying ---- */

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
    if (!json_says(header, "alg", "ES256"))
        return err_set(err, -EACCES, "the algorithm is not ES256");
    if (json_object_get(header, "typ") && !json_says(header, "typ", "JWT"))
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
    if (!json_says(body, "iss", issuer) || !json_says(body, "aud", issuer))
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
    EVP_PKEY *pkey = key_set_find(set, kid);
    if (!pkey)
        return err_set(err, -ENOKEY, "the key is not known");
    struct text said = {token.at, header_part.size + 1 + body_part.size};
    if (!signature_holds(pkey, said, raw))
        return err_set(err, -EACCES, "the signature does not hold");
    if (parse_part(arena, body_part, &body))
        return err_set(err, -EACCES, "the claims are no object");
    return check_claims(body, ret_claims, err);
}
