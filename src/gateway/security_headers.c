/* Answers of an API are never pages: the policy for them allows nothing. Pages (static files) have set theirs already. */
#include "gateway/security_headers.h"

static const struct {
    const char *name, *value;
} defaults[] = {
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Origin-Agent-Cluster", "?1"},
    {"Referrer-Policy", "no-referrer"},
    {"Strict-Transport-Security", "max-age=31536000; includeSubDomains"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-DNS-Prefetch-Control", "off"},
    {"X-Download-Options", "noopen"},
    {"X-Frame-Options", "SAMEORIGIN"},
    {"X-Permitted-Cross-Domain-Policies", "none"},
    {"X-XSS-Protection", "0"},
};

void security_headers(struct http_response *response)
{
    bool has_policy = http_header(&response->headers, "Content-Security-Policy").at != NULL;
    for (unsigned i = has_policy ? 1 : 0; i < sizeof defaults / sizeof *defaults; i++)
        http_header_add(response->arena, &response->headers, defaults[i].name, defaults[i].value);
}
