/* uv_getaddrinfo for a fiber. libuv's thread finishes what it began, so the fiber stays until then. */
#include "engines/resolve.h"

#include "engines/wakeup.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>

struct question {
    uv_getaddrinfo_t request;
    struct wakeup answered;
    char *ret_address;
    int code;
};

static void on_answer(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct question *question = request->data;
    question->code = -EAGAIN;
    for (const struct addrinfo *item = list; item && status == 0; item = item->ai_next)
        if (getnameinfo(item->ai_addr, item->ai_addrlen, question->ret_address, RESOLVE_ADDRESS_SIZE, NULL, 0, NI_NUMERICHOST) == 0) {
            question->code = 0;
            break;
        }
    uv_freeaddrinfo(list);
    wakeup_ring(&question->answered);
}

int resolve_address(const char *host, char ret_address[RESOLVE_ADDRESS_SIZE])
{
    unsigned char bytes[16];
    if (uv_inet_pton(AF_INET, host, bytes) == 0 || uv_inet_pton(AF_INET6, host, bytes) == 0) {
        size_t size = strlen(host);
        memcpy(ret_address, host, size + 1);
        return 0;
    }
    struct question question = {.ret_address = ret_address};
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    question.request.data = &question;
    if (uv_getaddrinfo(worker_loop(), &question.request, on_answer, host, NULL, &hints) < 0)
        return -EAGAIN;
    wakeup_wait_uninterrupted(&question.answered);
    return question.code;
}
