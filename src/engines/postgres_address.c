/* Where PostgreSQL is and as whom, from the URL of the settings. */
#include "engines/postgres_connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static char *option_of(const PQconninfoOption *options, const char *keyword, const char *otherwise)
{
    for (; options->keyword; options++)
        if (!strcmp(options->keyword, keyword) && options->val && *options->val)
            return strdup(options->val);
    return strdup(otherwise);
}

int postgres_address_of(const char *url, const char *schema, struct postgres_address *ret_address, struct err *err)
{
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &message);
    if (!options) {
        err_set(err, -EINVAL, "PURSER_DATABASE_URL: %s", message ? message : "out of memory");
        PQfreemem(message);
        return -EINVAL;
    }
    struct postgres_address address = {
        .host = option_of(options, "host", "127.0.0.1"),
        .port = option_of(options, "port", "5432"),
        .password = option_of(options, "password", ""),
        .database = option_of(options, "dbname", "purser"),
        .sslmode = option_of(options, "sslmode", "prefer"),
        .schema = strdup(schema),
    };
    char *user = option_of(options, "user", "purser");
    if (!user || asprintf(&address.user, "%s_%s", user, schema) < 0)
        address.user = NULL;
    free(user);
    PQconninfoFree(options);
    if (!address.host || !address.port || !address.user || !address.password || !address.database || !address.sslmode || !address.schema) {
        postgres_address_fini(&address);
        return err_set(err, -ENOMEM, "out of memory");
    }
    *ret_address = address;
    return 0;
}

void postgres_address_fini(struct postgres_address *address)
{
    free(address->host);
    free(address->port);
    free(address->user);
    free(address->password);
    free(address->database);
    free(address->sslmode);
    free(address->schema);
}
