/* One host for all cases of an executable, which is given as its only argument. */
#ifndef PURSER_TESTS_SHARED_HOST_H
#define PURSER_TESTS_SHARED_HOST_H

#include "host_client.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

extern struct host host;

/* At the start of main: ends the program with 2 unless it was given the host's executable. */
void shared_host_arguments(int argc, char **argv);
/* Set-up and tear-down of a group of cases: start it and stop it. */
int shared_host_start(void **state);
int shared_host_stop(void **state);

/* The text of NAME.js in the folder that the environment names; owned. The case fails without it. */
char *shared_host_script(const char *folder_variable, const char *name);

#endif
