/* `purser help`, `purser help settings`, `purser help routes`. */
#include "base/settings.h"
#include "cli/cli.h"
#include "gateway/gateway.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
    "Purser: an order platform. One executable holds the gateway and its services.\n"
    "\n"
    "  purser run [SERVICE…]            the whole system in one process, or the services named:\n"
    "                                   gateway users orders payments notifications functions sandbox\n"
    "  purser migrate                   bring the databases' tables up to this version\n"
    "  purser admin create --email E    make an administrator (asks for the password, or --password P)\n"
    "  purser keys rotate               publish a new signing key and change over to it\n"
    "  purser function deploy FILE [--trigger T]   also: list, invoke NAME, logs NAME, rollback NAME\n"
    "  purser backup DIR                copy the data folder, as of one moment, while the system runs or not\n"
    "  purser restore DIR [--force]     put a backup into the data folder; nothing may run\n"
    "  purser move --from DATA --to postgres://…   copy an embedded installation into a cluster's databases\n"
    "  purser health                    whether this machine's Purser is ready (exit status 0)\n"
    "  purser help [settings|routes]    this text, every setting, every route\n"
    "  purser --version\n"
    "\n"
    "Settings are environment variables (PURSER_LISTEN) or flags (--listen=127.0.0.1:3000).\n"
    "Exit status: 0, 1 for a failure said in one line, 2 for a wrong use.\n";

static int print_settings(bool markdown)
{
    struct buffer out = {0};
    settings_print(&out, markdown);
    fwrite(out.at, 1, out.size, stdout);
    buffer_fini(&out);
    return 0;
}

static void print_routes(const struct route *routes)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER"};
    for (; routes->pattern; routes++)
        if (routes->access != ROUTE_INTERNAL)
            printf("%s %s\n", names[routes->method], routes->pattern);
}

int cli_help(struct cli_arguments *arguments)
{
    const char *topic = arguments->word_count ? arguments->words[0] : "";
    bool markdown = cli_take_flag(arguments, "format") != NULL;
    if (strcmp(topic, "settings") == 0)
        return print_settings(markdown);
    if (strcmp(topic, "routes") == 0) {
        print_routes(gateway_routes);
        for (unsigned i = 0; cli_services[i]; i++)
            if (!cli_services[i]->answers_anyone) /* the sandbox provider is no part of this API */
                print_routes(cli_services[i]->routes);
        return 0;
    }
    if (*topic) {
        fprintf(stderr, "purser: there is no help on `%s`; there is `purser help`, `purser help settings` and `purser help routes`\n", topic);
        return 2;
    }
    fputs(usage, stdout);
    return 0;
}
