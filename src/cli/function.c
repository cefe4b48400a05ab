/* `purser function deploy|list|invoke|logs|rollback`: calls to the function service, running or not. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOURCE_MAX (1024 * 1024)
#define TRIGGERS_MAX 16

/* A whole file on the arena; NULL after one line. */
static char *read_file(struct arena *arena, const char *path)
{
    FILE *file = strcmp(path, "-") ? fopen(path, "r") : stdin;
    if (!file) {
        cli_fail(1, "%s cannot be read: %s", path, strerror(errno));
        return NULL;
    }
    char *text = arena_alloc(arena, SOURCE_MAX + 1);
    size_t size = fread(text, 1, SOURCE_MAX + 1, file);
    if (file != stdin)
        fclose(file);
    if (size <= SOURCE_MAX)
        return text;
    cli_fail(1, "%s is larger than a source may be (%d bytes)", path, SOURCE_MAX);
    return NULL;
}

/* The file's name without folder and .js. */
static const char *name_of(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = arena_strdup(arena, slash ? slash + 1 : path);
    char *dot = strrchr(name, '.');
    if (dot && dot != name)
        *dot = '\0';
    return name;
}

static bool take_number(struct cli_arguments *arguments, json_t *body, const char *flag, const char *field)
{
    const char *text = cli_take_flag(arguments, flag);
    int64_t number;
    if (!text)
        return true;
    if (text_to_int64(text_of(text), &number)) {
        cli_fail(2, "--%s is a whole number", flag);
        return false;
    }
    json_put_new(body, field, json_integer(number));
    return true;
}

/* What the flags say of the function, into the request's body; false after one line. */
static bool take_definition(struct arena *arena, struct cli_arguments *arguments, json_t *body)
{
    json_t *triggers = json_keep(arena, json_array());
    const char *text;
    while (json_array_size(triggers) < TRIGGERS_MAX && (text = cli_take_flag(arguments, "trigger")))
        json_add_new(triggers, json_string(text));
    if (json_array_size(triggers))
        json_put(body, "triggers", triggers);
    if ((text = cli_take_flag(arguments, "access")))
        json_put_new(body, "access", json_string(text));
    if ((text = cli_take_flag(arguments, "reuse")))
        json_put_new(body, "reuse", json_boolean(!strcmp(text, "on") || !strcmp(text, "true")));
    return take_number(arguments, body, "timeout-ms", "timeout_ms") && take_number(arguments, body, "memory-mb", "memory_mb") &&
           take_number(arguments, body, "concurrency", "concurrency");
}

static int deploy(struct arena *arena, struct cli_arguments *arguments, const char *path)
{
    const char *flag = cli_take_flag(arguments, "name"), *name = flag ? flag : name_of(arena, path);
    json_t *body = json_keep(arena, json_object()), *answer;
    int status;
    if (!take_definition(arena, arguments, body))
        return 2;
    if (!cli_load_settings(arguments))
        return 1;
    char *source = read_file(arena, path);
    if (!source)
        return 1;
    json_put_new(body, "source", json_string(source));
    const char *target = arena_printf(arena, "/internal/functions/%s", name);
    if (cli_ask(arena, "functions", "PUT", target, body, &status, &answer))
        return 1;
    if (status / 100 != 2)
        return cli_fail(1, "%s was not deployed: %s", name, cli_problem(answer));
    printf("%s is at version %lld.\n", name, (long long)json_get_integer(answer, "version"));
    return 0;
}

static void print_function(const json_t *function)
{
    json_t *trigger;
    size_t index;
    printf("%-32s version %-4lld %-7s %s", json_get_string(function, "name"), (long long)json_get_integer(function, "version"),
           json_get_string(function, "access"), json_get_bool(function, "builtin") ? "built in " : "");
    json_array_foreach(json_object_get(function, "triggers"), index, trigger)
    {
        printf("%s%s", index ? ", " : "on ", json_string_value(trigger));
    }
    putchar('\n');
}

static int list(struct arena *arena)
{
    const char *cursor = "";
    do {
        json_t *answer, *function;
        size_t index;
        int status;
        const char *target = arena_printf(arena, "/api/v1/functions?limit=100%s%s", *cursor ? "&cursor=" : "", cursor);
        if (cli_ask(arena, "functions", "GET", target, NULL, &status, &answer))
            return 1;
        if (status != 200)
            return cli_fail(1, "functions cannot be listed: %s", cli_problem(answer));
        json_array_foreach(json_object_get(answer, "data"), index, function)
        {
            print_function(function);
        }
        cursor = json_get_string(answer, "next_cursor");
    } while (cursor);
    return 0;
}

static void print_logs(const json_t *logs)
{
    json_t *line;
    size_t index;
    json_array_foreach(logs, index, line)
    {
        fprintf(stderr, "%s\n", json_string_value(line));
    }
}

/* The result goes to standard output, what the function logged to standard error. */
static int invoke(struct arena *arena, const char *name, const char *event)
{
    json_t *body, *answer;
    struct err err;
    int status;
    if (json_parse(arena, text_of(event ? event : "null"), &body, &err))
        return cli_fail(2, "the event is not JSON: %s", err.message);
    const char *target = arena_printf(arena, "/api/v1/functions/%s/invocations", name);
    if (cli_ask(arena, "functions", "POST", target, body, &status, &answer))
        return 1;
    print_logs(json_object_get(answer, "logs"));
    if (status != 200)
        return cli_fail(1, "%s failed: %s", name, cli_problem(answer));
    char *result = json_dumps(json_object_get(answer, "result"), JSON_ENCODE_ANY | JSON_INDENT(2));
    if (!result)
        memory_short();
    printf("%.*s\n", (int)json_shorten_reals(result, strlen(result)), result);
    free(result);
    return 0;
}

static int logs(struct arena *arena, const char *name)
{
    json_t *answer, *call;
    size_t index;
    int status;
    const char *target = arena_printf(arena, "/api/v1/functions/%s/logs?limit=100", name);
    if (cli_ask(arena, "functions", "GET", target, NULL, &status, &answer))
        return 1;
    if (status != 200)
        return cli_fail(1, "the logs of %s cannot be read: %s", name, cli_problem(answer));
    json_t *calls = json_object_get(answer, "data");
    for (size_t i = json_array_size(calls); i-- > 0;) { /* oldest first, as a terminal reads */
        call = json_array_get(calls, i);
        const char *error = json_get_string(json_object_get(call, "error"), "message");
        json_t *line;
        printf("%s version %lld %s %s%s%s\n", json_get_string(call, "at"), (long long)json_get_integer(call, "version"),
               json_get_string(call, "trigger"), json_get_string(call, "status"), error ? ": " : "", error ? error : "");
        json_array_foreach(json_object_get(call, "logs"), index, line)
        {
            printf("    %s\n", json_string_value(line));
        }
    }
    return 0;
}

/* To the version given, else to the one before the current. */
static int rollback(struct arena *arena, const char *name, const char *version)
{
    json_t *answer;
    int64_t number = 0;
    int status;
    if (version && text_to_int64(text_of(version), &number))
        return cli_fail(2, "--version is a whole number");
    json_t *body = version ? json_make(arena, "{s:I}", "version", (json_int_t)number) : json_make(arena, "{}");
    const char *target = arena_printf(arena, "/internal/functions/%s/rollback", name);
    if (cli_ask(arena, "functions", "POST", target, body, &status, &answer))
        return 1;
    if (status != 200)
        return cli_fail(1, "%s was not rolled back: %s", name, cli_problem(answer));
    printf("%s is back at version %lld.\n", name, (long long)json_get_integer(answer, "version"));
    return 0;
}

static int run(struct arena *arena, struct cli_arguments *arguments)
{
    const char *verb = arguments->words[0], *word = arguments->word_count > 1 ? arguments->words[1] : NULL;
    if (!strcmp(verb, "deploy") && word)
        return deploy(arena, arguments, word);
    const char *event = cli_take_flag(arguments, "event"), *version = cli_take_flag(arguments, "version");
    if (!cli_load_settings(arguments))
        return 1;
    if (!strcmp(verb, "list") && !word)
        return list(arena);
    if (!strcmp(verb, "invoke") && word)
        return invoke(arena, word, arguments->word_count > 2 ? arguments->words[2] : event);
    if (!strcmp(verb, "logs") && word)
        return logs(arena, word);
    if (!strcmp(verb, "rollback") && word)
        return rollback(arena, word, version);
    return -1;
}

int cli_function(struct cli_arguments *arguments)
{
    struct arena *arena = arena_new();
    if (!arena)
        return cli_fail(1, "out of memory");
    int status = arguments->word_count ? run(arena, arguments) : -1;
    arena_free(arena);
    return status >= 0 ? status : cli_wrong_use("function");
}
