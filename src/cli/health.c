/* `purser health`: asks this machine's Purser whether it is ready, for container health checks. Blocking and short. */
#include "base/settings.h"
#include "cli/cli.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define TIMEOUT_S 2

/* A connected socket, or -1. `address` is host:port. */
static int reach(const char *address)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    struct timeval limit = {.tv_sec = TIMEOUT_S};
    char host[256];
    const char *colon = strrchr(address, ':');
    if (!colon || (size_t)(colon - address) >= sizeof host)
        return -1;
    snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    if (getaddrinfo(host, colon + 1, &hints, &found))
        return -1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, found->ai_addr, found->ai_addrlen)) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

int cli_health(struct cli_arguments *arguments)
{
    static const char question[] = "GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    char answer[2048];
    size_t size = 0;
    ssize_t n = 0;
    if (arguments->word_count)
        return cli_wrong_use("health");
    if (!cli_load_settings(arguments))
        return 1;
    const char *address = settings_text("admin_listen");
    if (strcmp(address, "off") == 0)
        return cli_fail(
            1,
            "PURSER_ADMIN_LISTEN is off, so there is no address to ask for health; give the running system one, and this command the same");
    int fd = reach(address);
    if (fd < 0)
        return cli_fail(1, "nothing answers on %s (PURSER_ADMIN_LISTEN)", address);
    if (send(fd, question, sizeof question - 1, MSG_NOSIGNAL) == (ssize_t)sizeof question - 1)
        while (size < sizeof answer - 1 && (n = recv(fd, answer + size, sizeof answer - 1 - size, 0)) > 0)
            size += (size_t)n;
    close(fd);
    answer[size] = '\0';
    const char *body = strstr(answer, "\r\n\r\n");
    printf("%s\n", body ? body + 4 : "no answer");
    return strncmp(answer, "HTTP/1.1 200 ", 13) == 0 ? 0 : 1;
}
