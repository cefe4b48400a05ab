/* The options of Linux (see the header). */
#include "base/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define PROBE_AFTER_S 5
#define PROBE_EVERY_S 3
#define PROBES 3
#define UNACKNOWLEDGED_MS 15000

void socket_guard(int fd)
{
    int one = 1, after = PROBE_AFTER_S, every = PROBE_EVERY_S, probes = PROBES;
    unsigned unacknowledged = UNACKNOWLEDGED_MS;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &after, sizeof after);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged, sizeof unacknowledged);
}
