/* `purser help`, `purser help settings`, `purser help routes`; `purser COMMAND --help`, which a wrong use shows, too. */
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
    "  purser help [settings|routes|COMMAND]   this text, every setting, every route, how a command is used\n"
    "  purser --version\n"
    "\n"
    "Settings are environment variables (PURSER_LISTEN) or flags (--listen=127.0.0.1:3000).\n"
    "Exit status: 0, 1 for a failure said in one line, 2 for a wrong use.\n";

static const struct {
    const char *command, *usage;
} usages[] = {
    {"run", "purser run [SERVICE…]\n"
            "  SERVICE is gateway, users, orders, payments, notifications, functions or sandbox; none: all of them"},
    {"migrate", "purser migrate"},
    {"admin", "purser admin create --email EMAIL [--password PASSWORD] [--name NAME]"},
    {"keys", "purser keys rotate"},
    {"function", "purser function deploy FILE [--name NAME] [--trigger T]… [--access public|user|admin] [--timeout-ms N]\n"
                 "                             [--memory-mb N] [--concurrency N] [--reuse on]\n"
                 "purser function list | invoke NAME [JSON] | logs NAME | rollback NAME [--version N]"},
    {"backup", "purser backup DIR"},
    {"restore", "purser restore DIR [--force]"},
    {"move", "purser move --from DATA --to postgres://USER:PASSWORD@HOST:PORT/DATABASE"},
    {"health", "purser health"},
    {"help", "purser help [settings [--format markdown] | routes | COMMAND]"},
};

static const char *usage_of(const char *command)
{
    for (unsigned i = 0; i < sizeof usages / sizeof *usages; i++)
        if (!strcmp(usages[i].command, command))
            return usages[i].usage;
    return NULL;
}

int cli_wrong_use(const char *command)
{
    return cli_fail(2, "usage: %s", usage_of(command));
}

int cli_help_on(const char *command)
{
    const char *lines = usage_of(command);
    if (!lines)
        return cli_fail(2, "there is no help on `%s`; `purser help` lists the commands", command);
    printf("%s\n\n`purser help` says what each command does, `purser help settings` what else may stand here as a flag.\n", lines);
    return 0;
}

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
    if (*topic)
        return cli_help_on(topic);
    fputs(usage, stdout);
    return 0;
}
