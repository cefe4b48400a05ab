/* Paths and queries behind the parser: percent-decoding, query parameters, and the router over a table with every kind of pattern. */
#include "http/resource.h"
#include "http/router.h"

#include <assert.h>
#include <setjmp.h>
#include <stdlib.h>

static void handle(void *context, struct http_request *request, struct http_response *response)
{
    for (unsigned i = 0; i < 4; i++)
        if (request->parameters[i].size)
            assert(text_is_utf8(request->parameters[i]));
    respond_empty(response, 204);
}

static const struct route routes[] = {
    {HTTP_GET, "/a", ROUTE_PUBLIC, handle},         {HTTP_GET, "/a/{x}", ROUTE_PUBLIC, handle}, {HTTP_GET, "/a/{x}/b/{y}", ROUTE_PUBLIC, handle},
    {HTTP_GET, "/a/b/{z}", ROUTE_PUBLIC, handle},   {HTTP_GET, "/f/{rest...}", ROUTE_PUBLIC, handle}, {HTTP_POST, "/a", ROUTE_USER, handle},
    {0},
};

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static struct router *router;
    if (!router)
        router = router_new(routes, NULL);
    jmp_buf rescue;
    struct arena *arena = arena_new();
    memory_rescue = &rescue;
    if (arena && _setjmp(rescue) == 0) {
        struct text bytes = {arena_copy(arena, data, size), size};
        http_percent_decode(arena, bytes);
        struct http_request request = {.arena = arena, .method = HTTP_GET, .method_name = {"GET", 3}, .target = bytes, .path = bytes, .query = bytes};
        const char *mark = memchr(bytes.at, '?', bytes.size);
        if (mark)
            request.path.size = (size_t)(mark - bytes.at);
        http_query(&request, "a");
        http_query(&request, "limit");
        struct http_response response = {.arena = arena};
        struct page page;
        if (request_page(&request, &response, &page))
            assert(page.limit >= 1 && page.limit <= 100 && page.cursor);
        response = (struct http_response){.arena = arena};
        router_handle(router, &request, &response);
        assert(response.status);
    }
    memory_rescue = NULL;
    arena_free(arena);
    return 0;
}
