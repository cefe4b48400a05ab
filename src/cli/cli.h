/* The command line: `purser COMMAND …`. */
#ifndef PURSER_CLI_CLI_H
#define PURSER_CLI_CLI_H

#include "base/err.h"
#include "base/json.h"
#include "runtime/fiber.h"

/* What follows the command; words are parted from flags. */
struct cli_arguments {
    char **words; /* ends with NULL */
    unsigned word_count;
    char **flags; /* --name=value each, ends with NULL; flags of the command itself have been taken out by cli_take_flag */
};

/* A command answers with its exit status: 0, 1 for a failure said in one line, 2 for a wrong use. */
int cli_run(struct cli_arguments *arguments);
int cli_migrate(struct cli_arguments *arguments);
int cli_admin(struct cli_arguments *arguments);
int cli_keys(struct cli_arguments *arguments);
int cli_function(struct cli_arguments *arguments);
int cli_backup(struct cli_arguments *arguments);
int cli_restore(struct cli_arguments *arguments);
int cli_move(struct cli_arguments *arguments);
int cli_health(struct cli_arguments *arguments);
int cli_help(struct cli_arguments *arguments);

/* How one command is used: what was asked for (0), or what was not followed (2). */
int cli_help_on(const char *command);
int cli_wrong_use(const char *command);

/* Takes --name=VALUE out of the flags; NULL if it is not there. */
const char *cli_take_flag(struct cli_arguments *arguments, const char *name);
/* Reads the settings from what is left; false after one line on standard error. */
bool cli_load_settings(struct cli_arguments *arguments);
/* "purser: …" on standard error; returns `status`. */
int cli_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A call with an administrator's rights to `service`: to the running system through its control socket, else to that service started in
 * this process for this one call. 0 and status and answer (arena), or negative after one line. */
int cli_ask(struct arena *arena, const char *service, const char *method, const char *target, const json_t *body, int *ret_status,
            json_t **ret_answer);
/* The detail of a problem answer, or its title, for a line. */
const char *cli_problem(const json_t *answer);

/* All services by their names, in order of starting; ends with NULL. */
extern const struct service *const cli_services[];

#endif
