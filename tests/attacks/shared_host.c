#include "shared_host.h"

#include <stdlib.h>

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
