/* One connection of the load generator: non-blocking bytes out, whole HTTP answers or WebSocket frames in. Nothing here waits. */
#ifndef PURSER_BENCH_WIRE_H
#define PURSER_BENCH_WIRE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire {
    int fd;
    bool websocket;   /* the upgrade is done */
    bool waits_for_room; /* free for the caller */
    char *in, *out;   /* buffers that grow */
    size_t in_len, in_cap, out_len, out_cap;
    int64_t sent_us;  /* free for the caller */
    unsigned user;    /* free for the caller */
};

struct wire_answer {
    int status;
    const char *body; /* in the wire's buffer, until wire_consume */
    size_t body_len, total_len;
};

struct wire_frame {
    unsigned opcode;
    const char *payload;
    size_t payload_len, total_len;
};

/* Connects from 127.x.y.z made of `number`, so that limits by address see many clients. 0 or -errno. */
int wire_connect(struct wire *wire, const struct sockaddr_in *to, unsigned number);
void wire_close(struct wire *wire);
/* Queues bytes and writes what goes. 0 or -errno. */
int wire_send(struct wire *wire, const char *bytes, size_t len);
/* Writes what waits. */
int wire_flush(struct wire *wire);
/* Reads what is there: 0, or -ECONNRESET at the end of the stream. */
int wire_fill(struct wire *wire);
/* true: an answer is whole. */
bool wire_answer(const struct wire *wire, struct wire_answer *ret_answer);
bool wire_frame(const struct wire *wire, struct wire_frame *ret_frame);
void wire_consume(struct wire *wire, size_t len);
/* A masked frame with up to 125 bytes. */
int wire_send_frame(struct wire *wire, unsigned opcode, const char *payload, size_t len);
int64_t wire_now_us(void);

#endif
