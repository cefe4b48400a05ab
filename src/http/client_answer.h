/* An answer as its bytes come in: interim ones dropped, the head parsed, the body gathered. For the files of this folder. */
#ifndef PURSER_HTTP_CLIENT_ANSWER_H
#define PURSER_HTTP_CLIENT_ANSWER_H

#include "http/message.h"
#include "http/parser.h"

struct client_answer {
    bool to_head, head_done;
    size_t scanned, head_size;
    struct buffer in; /* from the first byte of the head on, as long as there is no body */
    struct http_head head;
    struct http_chunks chunks;
    struct buffer body;
};

/* For the next one; `to_head`: of a request by HEAD, so that there is no body. Keeps nothing of the last. */
void client_answer_begin(struct client_answer *answer, bool to_head);
/* 1: it is whole (whether another may follow on the connection, head.keep_alive says); 0: more is needed; negative: -EPROTO, -EMSGSIZE
 * (a body above 16 MB), -ENOMEM. */
int client_answer_take(struct client_answer *answer, struct text bytes);
/* Whether it is whole now that no more bytes come. */
bool client_answer_is_whole_at_end(const struct client_answer *answer);
/* Copies it into the fiber's arena. */
struct http_response client_answer_copy(const struct client_answer *answer);
/* Gives its buffers back. */
void client_answer_fini(struct client_answer *answer);

#endif
