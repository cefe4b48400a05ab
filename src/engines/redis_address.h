/* Where Redis is, and as whom one signs in. */
#ifndef PURSER_ENGINES_REDIS_ADDRESS_H
#define PURSER_ENGINES_REDIS_ADDRESS_H

#include "base/err.h"
#include "base/text.h"

struct redis_address {
    char host[256], user[128], password[256];
    int port, database;
};
/* redis://[[user]:password@]host[:port][/database]. 0 or -EINVAL with words; rediss: is refused, since hiredis 0.14 speaks no TLS. */
int redis_address_parse(const char *url, struct redis_address *ret_address, struct err *err);

#endif
