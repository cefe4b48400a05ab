/* Access tokens: whatever comes, nothing is accepted that the key did not sign. The key is that of RFC 7515, A.3. */
#include "security/tokens.h"

#include <stdlib.h>

static const char jwks[] = "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"ES256\",\"use\":\"sig\",\"kid\":\"k\","
                           "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct key_set *keys;
    struct arena *arena = arena_new();
    struct token_claims claims;
    struct err err;
    json_t *tree;
    if (!arena)
        return 0;
    if (!keys && (json_parse(arena, text_of(jwks), &tree, &err) || key_set_read(tree, &keys, &err)))
        abort();
    if (token_verify(arena, keys, (struct text){(const char *)data, size}, &claims, &err) == 0)
        abort();
    arena_free(arena);
    return 0;
}
