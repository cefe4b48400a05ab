/*
 * How processes of one system know each other: identity travels in X-User-Id, X-User-Role and X-Session-Id, and X-Purser-Internal signs
 * time, method, target, identity, the client's address, an idempotency key and the body with PURSER_INTERNAL_SECRET. A signature is good for 60 s, and
 * for the same request again in that time.
 */
#ifndef PURSER_SERVICE_INTERNAL_H
#define PURSER_SERVICE_INTERNAL_H

#include "http/message.h"

/* Adds identity, trace, client address, deadline and signature to `headers`, which are those that go to another process: a key among them is signed. */
void internal_sign(const struct http_request *request, struct http_headers *headers);
/* Checks the signature and fills request->identity, client_address and the fiber's deadline; strips the headers. false after a 401 or 403
 * answer. Without a secret only loopback callers are believed. */
bool internal_accept(struct http_request *request, struct http_response *response);
/* Takes away what a client outside may not say (X-User-…, X-Session-Id, X-Purser-…); X-Session-Mode stays. */
void internal_strip(struct http_headers *headers);

#endif
