/* `purser admin create` and `purser keys rotate`: calls to the user service, running or not. */
#include "base/settings.h"
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* From the terminal without showing it, or a line of standard input. */
static bool ask_password(char *ret_password, size_t size)
{
    struct termios before, quiet;
    bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
    if (terminal) {
        fputs("Password: ", stderr);
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
    }
    bool read = fgets(ret_password, (int)size, stdin) != NULL;
    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
        fputc('\n', stderr);
    }
    if (read)
        ret_password[strcspn(ret_password, "\n")] = '\0';
    return read;
}

static int create(const char *email, const char *password, const char *name)
{
    struct arena *arena = arena_new();
    int status = 0;
    json_t *answer = NULL;
    if (!arena)
        return cli_fail(1, "out of memory");
    json_t *body = json_make(arena, "{s:s, s:s, s:s}", "email", email, "password", password, "name", name ? name : "Administrator");
    int result = cli_ask(arena, "users", "POST", "/internal/admins", body, &status, &answer) ? 1 : 0;
    if (!result && status == 201)
        printf("%s is an administrator.\n", email);
    else if (!result)
        result = cli_fail(1, "%s was not made an administrator: %s", email, cli_problem(answer));
    arena_free(arena);
    return result;
}

int cli_admin(struct cli_arguments *arguments)
{
    const char *email = cli_take_flag(arguments, "email"), *password = cli_take_flag(arguments, "password");
    const char *name = cli_take_flag(arguments, "name");
    char typed[1024];
    if (arguments->word_count != 1 || strcmp(arguments->words[0], "create") != 0 || !email)
        return cli_wrong_use("admin");
    if (!cli_load_settings(arguments))
        return 1;
    if (!password && *settings_text("admin_password"))
        password = settings_text("admin_password");
    if (!password && ask_password(typed, sizeof typed))
        password = typed;
    return password ? create(email, password, name) : cli_fail(1, "no password was given");
}

int cli_keys(struct cli_arguments *arguments)
{
    if (arguments->word_count != 1 || strcmp(arguments->words[0], "rotate") != 0)
        return cli_wrong_use("keys");
    if (!cli_load_settings(arguments))
        return 1;
    struct arena *arena = arena_new();
    int status = 0;
    json_t *answer = NULL;
    if (!arena)
        return cli_fail(1, "out of memory");
    int result = cli_ask(arena, "users", "POST", "/internal/keys/rotate", NULL, &status, &answer) ? 1 : 0;
    if (!result && status / 100 == 2)
        printf("A new key is published as %s; tokens are signed with it as soon as every gateway has it.\n",
               json_get_string(answer, "kid") ? json_get_string(answer, "kid") : "the newest of the key set");
    else if (!result)
        result = cli_fail(1, "the keys were not rotated: %s", cli_problem(answer));
    arena_free(arena);
    return result;
}
