/* The URLs that this process calls: http://host, with a port and a target where they are said (RFC 3986, RFC 9110 section 4.2.1). */
#ifndef PURSER_HTTP_URL_H
#define PURSER_HTTP_URL_H

#include "base/text.h"

struct http_url {
    struct text host;   /* a name or an address; an IPv6 address without its brackets */
    int port;           /* 80 where none is said */
    struct text target; /* from the first slash on; empty where there is none */
};

/* NULL, or what is wrong with it, such as "has no host". Texts are borrowed from `url`. */
const char *http_url_parse(struct text url, struct http_url *ret_url);

#endif
