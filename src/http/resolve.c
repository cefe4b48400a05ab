/* Names to addresses, on libuv's threads; what is an address already needs none. A lookup that nobody waits for any more ends by itself. */
#include "http/client.h"

#include "base/memory.h"
#include "runtime/worker.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

struct lookup {
    uv_getaddrinfo_t request;
    struct fiber *fiber; /* NULL: given up */
    struct addrinfo *found;
    bool done;
    int error;
};

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct lookup *lookup = request->data;
    if (!lookup->fiber) {
        uv_freeaddrinfo(found);
        free(lookup);
        return;
    }
    lookup->done = true;
    lookup->error = status;
    lookup->found = found;
    fiber_wake(lookup->fiber);
}

static void give_up(void *arg)
{
    struct lookup *lookup = arg;
    lookup->fiber = NULL;
    if (!lookup->done)
        return; /* the answer frees it */
    uv_freeaddrinfo(lookup->found);
    free(lookup);
}

static const char *print_address(const struct addrinfo *found, int port)
{
    char host[INET6_ADDRSTRLEN];
    if (found->ai_family == AF_INET6) {
        uv_ip6_name((struct sockaddr_in6 *)found->ai_addr, host, sizeof host);
        return arena_printf(fiber_arena(), "[%s]:%d", host, port);
    }
    uv_ip4_name((struct sockaddr_in *)found->ai_addr, host, sizeof host);
    return arena_printf(fiber_arena(), "%s:%d", host, port);
}

/* NULL for what is a name. */
static const char *address_as_it_is(const char *host, int port)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    if (uv_inet_pton(AF_INET, host, bytes) == 0)
        return arena_printf(fiber_arena(), "%s:%d", host, port);
    if (uv_inet_pton(AF_INET6, host, bytes) == 0)
        return arena_printf(fiber_arena(), "[%s]:%d", host, port);
    return NULL;
}

FIBER_FN int http_resolve(const char *host, int port, const char **ret_addresses, unsigned room)
{
    const char *numeric = room ? address_as_it_is(host, port) : NULL;
    if (numeric) {
        ret_addresses[0] = numeric;
        return 1;
    }
    struct lookup *lookup = memory_get_zeroed(sizeof *lookup);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    int count = 0;
    if (!lookup)
        memory_short();
    lookup->request.data = lookup;
    lookup->fiber = fiber_self();
    int error = uv_getaddrinfo(worker_loop(), &lookup->request, on_resolved, host, NULL, &hints);
    if (error) {
        free(lookup);
        return error;
    }
    fiber_defer(give_up, lookup);
    while (!lookup->done && !error)
        error = fiber_wait();
    if (!error && lookup->error)
        error = lookup->error == UV_EAI_MEMORY ? -ENOMEM : lookup->error == UV_EAI_AGAIN ? -EAGAIN : -ENOENT;
    for (struct addrinfo *found = error ? NULL : lookup->found; found && count < (int)room; found = found->ai_next)
        if (found->ai_family == AF_INET || found->ai_family == AF_INET6)
            ret_addresses[count++] = print_address(found, port);
    return error ? error : count;
}
