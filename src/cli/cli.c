/* The table of commands, and what commands share. */
#include "cli/cli.h"

#include "base/json.h"
#include "base/settings.h"
#include "cli/main.h"
#include "functions/functions.h"
#include "notifications/notifications.h"
#include "orders/orders.h"
#include "payments/payments.h"
#include "sandbox/sandbox.h"
#include "service/control.h"
#include "service/process.h"
#include "users/users.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const struct service *const cli_services[] = {
    &sandbox_service, &users_service, &payments_service, &orders_service, &notifications_service, &functions_service, NULL,
};

static const struct command {
    const char *name;
    int (*run)(struct cli_arguments *arguments);
} commands[] = {
    {"run", cli_run},   {"migrate", cli_migrate},   {"admin", cli_admin}, {"keys", cli_keys},
    {"function", cli_function}, {"backup", cli_backup}, {"restore", cli_restore}, {"move", cli_move}, {"health", cli_health},
    {"help", cli_help},
};

int cli_fail(int status, const char *format, ...)
{
    va_list arguments;
    fputs("purser: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return status;
}

const char *cli_take_flag(struct cli_arguments *arguments, const char *name)
{
    size_t size = strlen(name);
    for (char **flag = arguments->flags; *flag; flag++) {
        if (strncmp(*flag, "--", 2) || strncmp(*flag + 2, name, size) || (*flag)[2 + size] != '=')
            continue;
        const char *value = *flag + 2 + size + 1;
        for (char **rest = flag; *rest; rest++)
            rest[0] = rest[1];
        return value;
    }
    return NULL;
}

bool cli_load_settings(struct cli_arguments *arguments)
{
    struct err err;
    if (settings_load(arguments->flags, &err) == 0)
        return true;
    cli_fail(1, "%s", err.message);
    return false;
}

const char *cli_problem(const json_t *answer)
{
    const char *detail = json_get_string(answer, "detail"), *title = json_get_string(answer, "title");
    const json_t *first = json_array_get(json_object_get(answer, "errors"), 0);
    if (first)
        detail = json_get_string(first, "detail");
    return detail ? detail : title ? title : "no reason was given";
}

struct ask {
    const char *service, *method, *target;
    const json_t *body;
    int error, status;
    char *text; /* the answer, on the heap: the fiber's memory goes with it */
};

static FIBER_FN int ask_job(void *arg)
{
    struct ask *ask = arg;
    json_t *answer = NULL;
    ask->error = service_ask_as_administrator(ask->service, ask->method, ask->target, ask->body, &ask->status, &answer);
    if (ask->error)
        return cli_fail(1, "the %s service did not answer: %s", ask->service, strerror(-ask->error));
    ask->text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
    return 0;
}

/* No system runs: the one service is started for the call. */
static int ask_here(struct ask *ask)
{
    static bool started;
    if (started) /* a process starts once */
        return cli_fail(1, "this takes several calls: start the system first"), -EIO;
    started = true;
    const struct service *services[] = {NULL, NULL};
    for (unsigned i = 0; cli_services[i]; i++)
        if (strcmp(cli_services[i]->name, ask->service) == 0)
            services[0] = cli_services[i];
    struct process_plan plan = {.services = services, .job = ask_job, .arg = ask};
    return process_run(&plan) ? -EIO : 0;
}

int cli_ask(struct arena *arena, const char *service, const char *method, const char *target, const json_t *body, int *ret_status,
            json_t **ret_answer)
{
    struct err err;
    int error = control_ask(arena, service, method, target, body, ret_status, ret_answer, &err);
    if (error && error != -ENOENT)
        cli_fail(1, "%s", err.message);
    if (error != -ENOENT)
        return error;
    struct ask ask = {service, method, target, body, 0, 0, NULL};
    error = ask_here(&ask);
    *ret_status = ask.status;
    *ret_answer = NULL;
    if (!error && ask.text)
        error = json_parse(arena, text_of(ask.text), ret_answer, NULL);
    free(ask.text);
    return error;
}

/* Words and flags apart; "--name value" becomes "--name=value". */
static struct cli_arguments part(struct arena *arena, int count, char **list)
{
    struct cli_arguments parted = {
        .words = arena_alloc(arena, ((size_t)count + 1) * sizeof(char *)),
        .flags = arena_alloc(arena, ((size_t)count + 1) * sizeof(char *)),
    };
    unsigned flags = 0;
    for (int i = 0; i < count; i++) {
        if (strncmp(list[i], "--", 2) != 0)
            parted.words[parted.word_count++] = list[i];
        else if (!strchr(list[i], '=') && i + 1 < count && strncmp(list[i + 1], "--", 2) != 0) {
            parted.flags[flags++] = arena_printf(arena, "%s=%s", list[i], list[i + 1]);
            i++;
        } else
            parted.flags[flags++] = list[i];
    }
    return parted;
}

static bool asks_for_help(const struct cli_arguments *arguments)
{
    for (char **flag = arguments->flags; *flag; flag++)
        if (!strcmp(*flag, "--help") || !strncmp(*flag, "--help=", 7))
            return true;
    for (char **word = arguments->words; *word; word++)
        if (!strcmp(*word, "-h"))
            return true;
    return false;
}

int cli_main(int count, char **list)
{
    json_begin();
    struct arena *arena = arena_new();
    if (!arena)
        return cli_fail(1, "out of memory");
    umask(077); /* whatever is written holds people's data */
    int status = 2;
    const char *name = count > 1 ? list[1] : "help";
    struct cli_arguments arguments = part(arena, count > 2 ? count - 2 : 0, list + 2);
    if (strcmp(name, "--version") == 0) {
        printf("purser %s\n", PURSER_VERSION);
        status = 0;
    } else if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        status = cli_help(&arguments);
    } else {
        const struct command *found = NULL;
        for (unsigned i = 0; i < sizeof commands / sizeof *commands; i++)
            if (strcmp(commands[i].name, name) == 0)
                found = &commands[i];
        if (!found)
            status = cli_fail(2, "there is no command `%s`; `purser help` lists them", name);
        else
            status = asks_for_help(&arguments) ? cli_help_on(name) : found->run(&arguments);
    }
    arena_free(arena);
    return status;
}
