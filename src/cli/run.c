/* `purser run` and `purser migrate`: picks the services and hands them to the process skeleton. */
#include "base/log.h"
#include "base/memory.h"
#include "base/settings.h"
#include "base/uuid.h"
#include "cli/cli.h"
#include "gateway/gateway.h"
#include "runtime/signals.h"
#include "service/control.h"
#include "service/process.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SERVICES_ROOM 16
#define DEMO_EMAIL "admin@example.com"

struct choice {
    const struct service *services[SERVICES_ROOM];
    unsigned count;
    bool gateway;
};

static bool is_chosen(const struct choice *choice, const char *name)
{
    for (unsigned i = 0; i < choice->count; i++)
        if (strcmp(choice->services[i]->name, name) == 0)
            return true;
    return false;
}

static bool is_named(const struct cli_arguments *arguments, const char *name)
{
    for (unsigned i = 0; i < arguments->word_count; i++)
        if (strcmp(arguments->words[i], name) == 0)
            return true;
    return false;
}

static bool sandbox_is_inside(void)
{
    return strcmp(settings_text("payment_provider_url"), "sandbox:") == 0;
}

/* All of them, or those that were named; the sandbox comes along where payments asks the one inside. */
static void choose(const struct cli_arguments *arguments, struct choice *choice)
{
    bool all = arguments->word_count == 0;
    choice->gateway = all || is_named(arguments, "gateway");
    for (unsigned i = 0; cli_services[i]; i++) {
        const char *name = cli_services[i]->name;
        bool wanted = all || is_named(arguments, name);
        if (strcmp(name, "sandbox") == 0)
            wanted = is_named(arguments, name) || (sandbox_is_inside() && (all || is_named(arguments, "payments")));
        if (strcmp(name, "functions") == 0 && all)
            wanted = settings_flag("functions") && !*settings_text("functions_url");
        if (wanted)
            choice->services[choice->count++] = cli_services[i];
    }
}

static int check_words(const struct cli_arguments *arguments)
{
    for (unsigned i = 0; i < arguments->word_count; i++) {
        bool known = strcmp(arguments->words[i], "gateway") == 0;
        for (unsigned k = 0; cli_services[k]; k++)
            known |= strcmp(arguments->words[i], cli_services[k]->name) == 0;
        if (!known)
            return cli_fail(2, "there is no service `%s`; there are gateway users orders payments notifications functions sandbox",
                            arguments->words[i]);
    }
    return 0;
}

/* The environment variable of a setting: PURSER_LISTEN of "listen". */
static const char *variable_of(const char *setting, char ret_variable[64])
{
    int size = snprintf(ret_variable, 64, "PURSER_%s", setting);
    for (int i = 0; i < size && i < 64; i++)
        if (ret_variable[i] >= 'a' && ret_variable[i] <= 'z')
            ret_variable[i] = (char)(ret_variable[i] - 32);
    return ret_variable;
}

/* A gateway has to know where each service is. */
static int check_reach(const struct choice *choice)
{
    for (unsigned i = 0; choice->gateway && cli_services[i]; i++) {
        const char *name = cli_services[i]->name;
        char setting[64];
        if (strcmp(name, "sandbox") == 0 || (strcmp(name, "functions") == 0 && !settings_flag("functions")) || is_chosen(choice, name))
            continue;
        snprintf(setting, sizeof setting, "%s_url", name);
        if (!*settings_text(setting)) {
            char variable[64];
            return cli_fail(1, "the %s service does not run here: set %s to where it is", name, variable_of(setting, variable));
        }
    }
    return 0;
}

/* The settings that say where this process listens: the gateway's or each service's own, and the administrator's. */
static unsigned list_listens(const struct choice *choice, char ret_settings[][64])
{
    unsigned count = 0;
    if (choice->gateway)
        snprintf(ret_settings[count++], 64, "listen");
    for (unsigned i = 0; !choice->gateway && i < choice->count; i++)
        snprintf(ret_settings[count++], 64, "%s_listen", choice->services[i]->name);
    snprintf(ret_settings[count++], 64, "admin_listen");
    return count;
}

/* The kernel would only say that the address is taken, not that it is taken by ourselves. */
static int check_listens(const struct choice *choice)
{
    char settings[SERVICES_ROOM + 2][64], variables[2][64];
    unsigned count = list_listens(choice, settings);
    for (unsigned i = 0; i < count; i++)
        for (unsigned k = 0; k < i; k++) {
            const char *address = settings_text(settings[i]), *port = strrchr(address, ':');
            if (port && strcmp(port, ":0") != 0 && strcmp(address, settings_text(settings[k])) == 0)
                return cli_fail(1, "%s and %s are both %s; give each an address of its own", variable_of(settings[k], variables[0]),
                                variable_of(settings[i], variables[1]), address);
        }
    return 0;
}

/* First start of a demonstration: an administrator whose password is said once. */
static FIBER_FN void welcome(void *unused)
{
    (void)unused;
    if (!settings_flag("demo") || !service_is_here("users"))
        return;
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
    unsigned char random[16];
    char password[sizeof random + 1] = {0};
    random_bytes(random, sizeof random);
    for (unsigned i = 0; i < sizeof random; i++)
        password[i] = letters[random[i] % (sizeof letters - 1)];
    json_t *body = json_make(fiber_arena(), "{s:s, s:s, s:s}", "email", DEMO_EMAIL, "password", password, "name", "Administrator");
    int status = 0;
    if (service_ask("users", "POST", "/internal/admins", body, &status, NULL) == 0 && status == 201)
        printf("\n  Administrator: %s  password: %s  (said only this once)\n", DEMO_EMAIL, password);
    printf("  Purser is at http://%s\n\n", gateway_front.address());
    fflush(stdout);
}

static void warn_of_unknown(void *unused, const char *variable, const char *similar)
{
    (void)unused;
    log_warn("this variable is no setting", "{s:s, s:s?}", "variable", variable, "similar", similar);
}

int cli_run(struct cli_arguments *arguments)
{
    signals_remember_reload();
    struct choice choice = {0};
    int status = check_words(arguments);
    if (status)
        return status;
    if (!cli_load_settings(arguments))
        return 1;
    memory_keep_heap();
    settings_each_unknown(environ, warn_of_unknown, NULL);
    choose(arguments, &choice);
    status = check_reach(&choice);
    if (!status)
        status = check_listens(&choice);
    if (status)
        return status;
    struct process_plan plan = {
        .services = choice.services,
        .front = choice.gateway ? &gateway_front : NULL,
        .ready = choice.gateway ? welcome : NULL,
    };
    return process_run(&plan);
}

/* Whoever holds the data folder has migrated what is in it when it started, unless it is of another version. Databases of a cluster are asked
 * themselves: the process next door may have none of them. */
static bool is_migrated_by_whoever_runs(void)
{
    if (strncmp(settings_text("database_url"), "sqlite:", 7) != 0)
        return false;
    struct arena *arena = arena_new();
    bool is_done = arena && control_schema_is_ours(arena);
    arena_free(arena);
    return is_done;
}

static FIBER_FN int migrated(void *unused)
{
    (void)unused;
    printf("The tables are as this version needs them.\n");
    return 0;
}

int cli_migrate(struct cli_arguments *arguments)
{
    if (arguments->word_count)
        return cli_wrong_use("migrate");
    if (!cli_load_settings(arguments))
        return 1;
    if (is_migrated_by_whoever_runs()) {
        printf("The tables are as this version needs them: the system that runs brought them there when it started.\n");
        return 0;
    }
    struct choice choice = {0};
    choose(arguments, &choice);
    struct process_plan plan = {.services = choice.services, .tables_only = true, .job = migrated};
    return process_run(&plan);
}
