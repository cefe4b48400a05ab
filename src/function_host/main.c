/* purser-function-host: the process that JavaScript runs under, and the only one that links JavaScriptCore. It is started
 * by the functions service with a command socket and a table of slots; it is of no use by hand. */
#include "function_host/engine.h"
#include "function_host/groups.h"
#include "function_host/protocol.h"
#include "function_host/seal.h"
#include "function_host/snapshot.h"
#include "function_host/walls.h"
#include "function_host/zygote.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static _Noreturn void usage(void)
{
    fprintf(stderr, "purser-function-host: started by `purser run functions`, not by hand\n");
    exit(2);
}

static struct function_slots *map_slots(void)
{
    struct stat status;
    if (fstat(FUNCTION_HOST_SLOTS_FD, &status) || (size_t)status.st_size < sizeof(struct function_slots))
        usage();
    struct function_slots *slots =
        mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, FUNCTION_HOST_SLOTS_FD, 0);
    if (slots == MAP_FAILED ||
        sizeof(*slots) + slots->count * sizeof(slots->slot[0]) > (size_t)status.st_size)
        usage();
    return slots;
}

/* Nothing that the engine opens may lie where a worker's socket goes. */
static void reserve_socket_place(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0 || (fd != SEAL_SOCKET_FD && dup3(fd, SEAL_SOCKET_FD, O_CLOEXEC) < 0)) {
        fprintf(stderr, "purser-function-host: /dev/null cannot be opened\n");
        exit(1);
    }
    if (fd != SEAL_SOCKET_FD)
        close(fd);
}

int main(int count, char **arguments)
{
    uint32_t walls = 0;
    struct function_slots *slots = map_slots();
    reserve_socket_place();
    /* Ctrl-C in a terminal is for the service, which ends us when the last call is done. Not a session: the scheduler shares
     * processor time between sessions first, so priorities within one would mean nothing to those outside it. */
    setpgid(0, 0);
    prctl(PR_SET_NAME, "purser-function");
    groups_start(count > 1 ? arguments[1] : "off");
    walls_enter_namespaces(&walls);
    engine_init();
    seal_init(&walls);
    walls_close_root(&walls);
    snapshot_survey(walls_proc());
    zygote_serve(FUNCTION_HOST_COMMAND_FD, slots, walls);
    return 0;
}
