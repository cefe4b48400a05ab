/* For tests of what keeps data: runs `body` on a fiber of worker 0, with `workers` workers, over a data folder of its own. */
#ifndef PURSER_TESTS_IN_FOLDER_H
#define PURSER_TESTS_IN_FOLDER_H

#include "base/settings.h"
#include "engines/database.h"
#include "runtime/on_fiber.h"

#include <stdio.h>
#include <stdlib.h>

static inline void in_folder(unsigned workers, void (*body)(void))
{
    char folder[] = "/tmp/purser-test-XXXXXX", command[64];
    char *flags[] = {NULL};
    struct err err = {0};
    assert_non_null(mkdtemp(folder));
    setenv("PURSER_DATA", folder, 1);
    if (settings_load(flags, &err))
        fail_msg("%s", err.message);
    on_fiber(workers, body);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
}

/* A service's database, with its tables. */
static inline FIBER_FN struct database *database_of(const char *service)
{
    struct database *database;
    struct err err = {0};
    if (database_open(service, &database, &err) || database_migrate(database, service, &err))
        fail_msg("%s", err.message);
    return database;
}

#endif
