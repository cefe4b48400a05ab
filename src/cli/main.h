/* What main() calls. */
#ifndef PURSER_CLI_MAIN_H
#define PURSER_CLI_MAIN_H

/* Returns the exit status. */
int cli_main(int count, char **list);

#endif
