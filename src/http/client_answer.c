/* Takes an answer apart. Nothing here waits or knows of connections. */
#include "http/client_answer.h"

#include "runtime/fiber.h"

#include <errno.h>

#define ANSWER_MAX (16 * 1024 * 1024)

void client_answer_begin(struct client_answer *answer, bool to_head)
{
    answer->to_head = to_head;
    answer->head_done = false;
    answer->scanned = answer->in.size = answer->body.size = 0;
    answer->chunks = (struct http_chunks){0};
}

/* Whether the head of the final answer is there; interim ones are dropped. */
static int take_head(struct client_answer *answer)
{
    struct buffer *in = &answer->in;
    for (;;) {
        long size = http_head_find((struct text){in->at, in->size}, &answer->scanned);
        if (size <= 0)
            return size < 0 ? -EPROTO : 0;
        if (http_response_parse((struct text){in->at, (size_t)size}, answer->to_head, &answer->head))
            return -EPROTO;
        answer->scanned = 0;
        answer->head_size = (size_t)size;
        if (answer->head.status >= 200)
            return 1;
        if (answer->head.status == 101)
            return -EPROTO; /* nobody asked for it */
        buffer_take(in, (size_t)size);
    }
}

/* Takes body bytes; 1 when it is whole. ret_used tells how many belonged to it. */
static int take_body(struct client_answer *answer, struct text bytes, size_t *ret_used)
{
    struct http_head *head = &answer->head;
    if (head->body == HTTP_BODY_NONE) {
        *ret_used = 0;
        return 1;
    }
    if (head->body == HTTP_BODY_CHUNKED)
        return http_chunks_feed(&answer->chunks, bytes, &answer->body, ANSWER_MAX, ret_used);
    size_t missing = head->body == HTTP_BODY_LENGTH ? (size_t)head->content_length - answer->body.size : SIZE_MAX;
    *ret_used = bytes.size < missing ? bytes.size : missing;
    if (answer->body.size + *ret_used > ANSWER_MAX || (head->body == HTTP_BODY_LENGTH && head->content_length > ANSWER_MAX))
        return -EMSGSIZE;
    buffer_add(&answer->body, bytes.at, *ret_used);
    return answer->body.failed ? -ENOMEM : *ret_used == missing;
}

int client_answer_take(struct client_answer *answer, struct text bytes)
{
    size_t used = 0;
    if (!answer->head_done) {
        buffer_add(&answer->in, bytes.at, bytes.size);
        int result = answer->in.failed ? -ENOMEM : take_head(answer);
        if (result <= 0)
            return result;
        answer->head_done = true;
        bytes = (struct text){answer->in.at + answer->head_size, answer->in.size - answer->head_size};
    }
    int result = take_body(answer, bytes, &used);
    if (result == 1 && used < bytes.size)
        answer->head.keep_alive = false; /* more than an answer: nothing later on it can be trusted */
    return result == -EBADMSG ? -EPROTO : result;
}

bool client_answer_is_whole_at_end(const struct client_answer *answer)
{
    return answer->head_done && answer->head.body == HTTP_BODY_UNTIL_CLOSE;
}

static struct text moved(struct text bytes, const char *from, const char *to)
{
    return (struct text){to + (bytes.at - from), bytes.size};
}

struct http_response client_answer_copy(const struct client_answer *answer)
{
    struct arena *arena = fiber_arena();
    const struct http_head *head = &answer->head;
    const char *from = answer->in.at, *to = arena_copy(arena, from, answer->head_size);
    struct http_response response = {.arena = arena, .status = head->status};
    response.headers.list = arena_alloc(arena, (head->count + 1) * sizeof *response.headers.list);
    response.headers.count = response.headers.room = head->count;
    for (unsigned i = 0; i < head->count; i++)
        response.headers.list[i] = (struct http_header){moved(head->headers[i].name, from, to), moved(head->headers[i].value, from, to)};
    response.body = (struct text){arena_copy(arena, answer->body.at ? answer->body.at : "", answer->body.size),
                                   answer->body.size};
    return response;
}

void client_answer_fini(struct client_answer *answer)
{
    buffer_fini(&answer->in);
    buffer_fini(&answer->body);
}
