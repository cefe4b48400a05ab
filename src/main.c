/* Where the process starts. */
#include "cli/main.h"

int main(int count, char **list)
{
    return cli_main(count, list);
}
