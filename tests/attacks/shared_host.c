#include "shared_host.h"

#include <stdio.h>
#include <stdlib.h>

#define SCRIPT_BYTES_MAX 65536

struct host host;
static const char *executable;

void shared_host_arguments(int argc, char **argv)
{
    if (argc != 2)
        exit(2);
    executable = argv[1];
}

int shared_host_start(void **state)
{
    host_start(&host, executable);
    return 0;
}

int shared_host_stop(void **state)
{
    host_stop(&host);
    return 0;
}

char *shared_host_script(const char *folder_variable, const char *name)
{
    char path[512];
    const char *folder = getenv(folder_variable);
    assert_non_null(folder);
    snprintf(path, sizeof(path), "%s/%s.js", folder, name);
    FILE *file = fopen(path, "re");
    if (!file)
        fail_msg("%s cannot be read", path);
    char *text = calloc(1, SCRIPT_BYTES_MAX);
    size_t size = fread(text, 1, SCRIPT_BYTES_MAX, file);
    fclose(file);
    assert_in_range(size, 1, SCRIPT_BYTES_MAX - 1);
    return text;
}
