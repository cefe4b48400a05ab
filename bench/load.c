/*
 * The load generator of `make bench`: one thread, many keep-alive connections, each from a loopback address of its own.
 *
 *   load get ADDRESS PORT PATH CONNECTIONS SECONDS [TOKENS]          one GET after the other
 *   load post ADDRESS PORT PATH CONNECTIONS SECONDS BODY [TOKENS]    one POST of that JSON after the other
 *   load flood ADDRESS PORT PATH CONNECTIONS SECONDS BODY RATE       RATE of them a second whether answered or not
 *   load orders ADDRESS PORT SKUS CONNECTIONS SECONDS TOKENS         orders, each followed to `order.paid` on its buyer's WebSocket
 *   load open ADDRESS PORT SKUS CONNECTIONS SECONDS TOKENS RATE      the same, RATE orders a second whether answered or not
 *   load idle ADDRESS PORT SOCKETS TOKENS                            opens WebSockets, says so, holds them until its input ends
 *
 * At a fixed rate each request has a time at which it is meant to be sent, and what it took counts from there, also where it had to wait for a
 * free connection. A # in BODY is each request's own number. TOKENS and SKUS are files with one a line. Prints a line once its WebSockets are open and the requests begin, at the end one JSON
 * object, with the CPU time that the requests cost itself. It is no test: it counts what it sees, and the caller judges.
 */
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LINES_MAX = 20000, ORDERS_MAX = 1 << 21, EVENTS_MAX = 512, DRAIN_S = 60 };

struct lines {
    char *line[LINES_MAX];
    unsigned count;
};

/* Times in a logarithmic histogram: 16 steps a doubling. */
struct times {
    uint64_t count[40 * 16], total;
};

struct order {
    char id[37];
    int64_t sent_us;
};

static struct {
    struct sockaddr_in to;
    int epoll;
    struct lines tokens, skus;
    const char *path, *body, *body_rest; /* body: of POSTs, else NULL; body_rest: what is behind the request's number, if it has one */
    size_t body_len;
    struct wire *wires;
    unsigned wire_count, open_sockets;
    uint64_t answers, good, bad, refused, next_key;
    struct times answer_times, refusal_times, paid_times;
    struct order *orders; /* open addressing by id */
    uint64_t acknowledged, paid;
    bool ending;
    /* At a fixed rate: connections that have nothing to do, and the orders sent so far. */
    double rate; /* 0: one after the other */
    int64_t started_us;
    struct wire **idle;
    unsigned idle_count;
    uint64_t sent;
} load;

static void times_add(struct times *times, int64_t us)
{
    unsigned exponent = us < 1 ? 0 : 63 - (unsigned)__builtin_clzll((uint64_t)us);
    unsigned step = exponent < 4 ? 0 : ((uint64_t)us >> (exponent - 4)) & 15;
    unsigned slot = exponent * 16 + step;
    times->count[slot < 640 ? slot : 639]++;
    times->total++;
}

static int64_t times_at(const struct times *times, double part)
{
    uint64_t seen = 0;
    for (unsigned slot = 0; slot < 640; slot++) {
        seen += times->count[slot];
        if (seen && seen >= (uint64_t)((double)times->total * part))
            return (1LL << (slot / 16)) + (slot / 16 < 4 ? 0 : (int64_t)(slot % 16) << (slot / 16 - 4));
    }
    return 0;
}

static void read_lines(const char *path, struct lines *ret_lines)
{
    FILE *file = fopen(path, "r");
    size_t cap = 0;
    char *line = NULL;
    if (!file) {
        perror(path);
        exit(1);
    }
    while (ret_lines->count < LINES_MAX && getline(&line, &cap, file) > 0) {
        line[strcspn(line, "\n")] = 0;
        if (*line)
            ret_lines->line[ret_lines->count++] = strdup(line);
    }
    free(line);
    fclose(file);
}

static void watch(struct wire *wire, int action, bool for_room)
{
    struct epoll_event event = {.events = EPOLLIN | (for_room ? EPOLLOUT : 0), .data.ptr = wire};
    wire->waits_for_room = for_room;
    epoll_ctl(load.epoll, action, wire->fd, &event);
}

/* Room to write is asked for only while something is left to be written: else the loop would never sleep. */
static void watch_again(struct wire *wire)
{
    if (wire->waits_for_room != (wire->out_len > 0))
        watch(wire, EPOLL_CTL_MOD, wire->out_len > 0);
}

static void die(const char *what, int error)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(-error));
    exit(1);
}

static void open_wire(struct wire *wire, unsigned number)
{
    int error = wire_connect(wire, &load.to, number);
    if (error < 0)
        die("connect", error);
    watch(wire, EPOLL_CTL_ADD, true); /* it may not be connected yet */
}

/* GET, and POST of one body */

static void send_get(struct wire *wire, int64_t meant_us)
{
    static uint64_t turn;
    char text[4096], number[24] = "";
    const char *token = load.tokens.count ? load.tokens.line[turn % load.tokens.count] : NULL;
    int number_len = load.body_rest ? snprintf(number, sizeof number, "%llu", (unsigned long long)turn) : 0;
    turn++;
    int len = snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: bench\r\n%s%s%s", load.body ? "POST" : "GET", load.path,
                       token ? "Authorization: Bearer " : "", token ? token : "", token ? "\r\n" : "");
    if (load.body)
        len += snprintf(text + len, sizeof text - (size_t)len, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s%s%s",
                        load.body_len + (size_t)number_len, load.body, number, load.body_rest ? load.body_rest : "");
    else
        len += snprintf(text + len, sizeof text - (size_t)len, "\r\n");
    wire->sent_us = meant_us;
    wire_send(wire, text, (size_t)len);
}

/* Orders */

static struct order *order_slot(const char *id)
{
    uint64_t hash = 1469598103934665603ULL;
    for (unsigned i = 0; i < 36; i++)
        hash = (hash ^ (unsigned char)id[i]) * 1099511628211ULL;
    for (uint64_t at = hash % ORDERS_MAX;; at = (at + 1) % ORDERS_MAX)
        if (!load.orders[at].id[0] || !memcmp(load.orders[at].id, id, 36))
            return &load.orders[at];
}

static void send_order(struct wire *wire, int64_t meant_us)
{
    static unsigned turn;
    char text[4096], body[256];
    const char *sku = load.skus.line[load.next_key % load.skus.count];
    wire->user = turn++ % load.tokens.count;
    int body_len = snprintf(body, sizeof body, "{\"items\":[{\"sku\":\"%s\",\"quantity\":1}],\"payment_method\":\"pm_card_visa\"}", sku);
    int len = snprintf(text, sizeof text,
                       "POST /api/v1/orders HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
                       "Idempotency-Key: %d-%llu\r\nContent-Length: %d\r\n\r\n%s",
                       load.tokens.line[wire->user], (int)getpid(), (unsigned long long)load.next_key++, body_len, body);
    wire->sent_us = meant_us;
    wire_send(wire, text, (size_t)len);
}

/* The paid notification may come before the 201 has been read: whoever is first leaves a mark. */
static void order_acknowledged(const struct wire *wire, const struct wire_answer *answer)
{
    const char *id = memmem(answer->body, answer->body_len, "\"id\":\"", 6);
    if (!id || answer->body_len < 48)
        return;
    struct order *order = order_slot(id + 6);
    load.acknowledged++;
    if (order->id[0]) {
        load.paid++;
        times_add(&load.paid_times, order->sent_us - wire->sent_us);
    }
    memcpy(order->id, id + 6, 36);
    order->sent_us = wire->sent_us;
}

static void order_paid(const struct wire_frame *frame)
{
    const char *id = memmem(frame->payload, frame->payload_len, "\"order_id\":\"", 12);
    if (!id || !memmem(frame->payload, frame->payload_len, "\"order.paid\"", 12))
        return;
    struct order *order = order_slot(id + 12);
    if (order->id[0]) {
        load.paid++;
        times_add(&load.paid_times, wire_now_us() - order->sent_us);
        return;
    }
    memcpy(order->id, id + 12, 36);
    order->sent_us = wire_now_us();
}

/* Sockets */

static void send_upgrade(struct wire *wire, unsigned number)
{
    char text[4096];
    int len = snprintf(text, sizeof text,
                       "GET /api/v1/notifications/ws HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: purser.v1\r\n"
                       "Authorization: Bearer %s\r\n\r\n",
                       load.tokens.line[number % load.tokens.count]);
    wire_send(wire, text, (size_t)len);
}

static void on_frames(struct wire *wire)
{
    struct wire_frame frame;
    while (wire_frame(wire, &frame)) {
        if (frame.opcode == 9)
            wire_send_frame(wire, 10, frame.payload, frame.payload_len);
        else if (frame.opcode == 1 && load.orders)
            order_paid(&frame);
        wire_consume(wire, frame.total_len);
    }
}

/* The loop */

static void take_body(char *body)
{
    load.body = body;
    load.body_len = strlen(body);
    char *mark = strchr(body, '#');
    if (!mark)
        return;
    *mark = 0;
    load.body_len--;
    load.body_rest = mark + 1;
}

static void send_one(struct wire *wire, int64_t meant_us)
{
    if (load.orders)
        send_order(wire, meant_us);
    else
        send_get(wire, meant_us);
}

static int64_t meant_us(uint64_t request)
{
    return load.started_us + (int64_t)((double)request * 1e6 / load.rate);
}

/* What is due by now, on the connections that are free. */
static void send_due(void)
{
    while (!load.ending && load.idle_count && meant_us(load.sent) <= wire_now_us()) {
        struct wire *wire = load.idle[--load.idle_count];
        send_one(wire, meant_us(load.sent++));
        watch_again(wire);
    }
}

static void next_request(struct wire *wire)
{
    if (load.rate > 0)
        load.idle[load.idle_count++] = wire;
    else if (!load.ending)
        send_one(wire, wire_now_us());
}

static void on_answer(struct wire *wire, const struct wire_answer *answer)
{
    if (answer->status == 101) {
        load.open_sockets++;
        wire->websocket = true;
        wire_consume(wire, answer->total_len);
        on_frames(wire);
        return;
    }
    load.answers++;
    if (answer->status < 300) {
        load.good++;
        times_add(&load.answer_times, wire_now_us() - wire->sent_us);
        if (load.orders)
            order_acknowledged(wire, answer);
    } else if (answer->status == 503) {
        load.refused++;
        times_add(&load.refusal_times, wire_now_us() - wire->sent_us);
    } else if (load.bad++ == 0) {
        fprintf(stderr, "load: first refusal: %.*s\n", (int)answer->total_len, wire->in);
    }
    wire_consume(wire, answer->total_len);
    next_request(wire);
}

static void on_event(struct wire *wire)
{
    int error = wire_flush(wire);
    if (error == 0)
        error = wire_fill(wire);
    struct wire_answer answer;
    if (wire->websocket)
        on_frames(wire);
    else
        while (!wire->websocket && wire_answer(wire, &answer))
            on_answer(wire, &answer);
    if (error < 0)
        die("a connection ended", error);
    watch_again(wire);
}

static void turn(int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(load.epoll, events, EVENTS_MAX, timeout_ms);
    for (int i = 0; i < count; i++)
        on_event(events[i].data.ptr);
}

static void open_sockets(unsigned count)
{
    struct wire *sockets = calloc(count, sizeof *sockets);
    for (unsigned i = 0; i < count; i++) {
        open_wire(&sockets[i], 1000 + i);
        send_upgrade(&sockets[i], i);
        while (i + 1 > load.open_sockets + 64)
            turn(1000);
    }
    while (load.open_sockets < count)
        turn(1000);
}

static int64_t own_cpu_us(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000LL + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

/* Until then; what was paid meanwhile. */
static uint64_t run_until(int64_t end_us)
{
    uint64_t before = load.paid;
    while (wire_now_us() < end_us) {
        if (load.rate > 0)
            send_due();
        turn(load.rate > 0 ? 1 : 100);
    }
    return load.paid - before;
}

/* The first quarter is for getting under way: what was paid "meanwhile" is of the rest. */
static void run_requests(unsigned connections, double seconds)
{
    load.wires = calloc(connections, sizeof *load.wires);
    load.idle = calloc(connections, sizeof *load.idle);
    printf("begins\n");
    fflush(stdout);
    int64_t started = wire_now_us(), cpu_before = own_cpu_us(), end = started + (int64_t)(seconds * 1e6);
    load.started_us = started;
    for (unsigned i = 0; i < connections; i++) {
        open_wire(&load.wires[i], i);
        next_request(&load.wires[i]);
    }
    run_until(started + (end - started) / 4);
    uint64_t meanwhile = run_until(end), good = load.good;
    int64_t cpu_us = own_cpu_us() - cpu_before;
    load.ending = true;
    for (int64_t drained = end + DRAIN_S * 1000000LL; load.orders && load.paid < load.acknowledged && wire_now_us() < drained;)
        turn(100);
    double taken = (double)(wire_now_us() - started) / 1e6;
    printf("{\"good\":%llu,\"bad\":%llu,\"refused\":%llu,\"per_second\":%.0f,\"p50_us\":%lld,\"p99_us\":%lld,\"refused_p50_us\":%lld,"
           "\"refused_p99_us\":%lld,\"load_cpu_us\":%lld",
           (unsigned long long)load.good, (unsigned long long)load.bad, (unsigned long long)load.refused, (double)good / seconds,
           (long long)times_at(&load.answer_times, 0.5), (long long)times_at(&load.answer_times, 0.99),
           (long long)times_at(&load.refusal_times, 0.5), (long long)times_at(&load.refusal_times, 0.99), (long long)cpu_us);
    if (load.orders)
        printf(",\"acknowledged\":%llu,\"paid\":%llu,\"paid_per_second\":%.0f,\"paid_meanwhile_per_second\":%.0f,\"paid_p50_us\":%lld,"
               "\"paid_p99_us\":%lld",
               (unsigned long long)load.acknowledged, (unsigned long long)load.paid, (double)load.paid / taken,
               (double)meanwhile / (seconds * 0.75), (long long)times_at(&load.paid_times, 0.5),
               (long long)times_at(&load.paid_times, 0.99));
    printf("}\n");
}

static void run_idle(unsigned count)
{
    open_sockets(count);
    printf("{\"open\":%u}\n", load.open_sockets);
    fflush(stdout);
    struct pollfd input = {.fd = 0, .events = POLLIN};
    while (poll(&input, 1, 0) == 0)
        turn(200);
}

static int usage(void)
{
    fputs("usage: load get|post|flood|orders|open|idle ADDRESS PORT ... (see the top of load.c)\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    struct rlimit files = {.rlim_cur = 65536, .rlim_max = 65536};
    setrlimit(RLIMIT_NOFILE, &files);
    if (argc < 6)
        return usage();
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(argv[3], NULL, 10))};
    inet_pton(AF_INET, argv[2], &load.to.sin_addr);
    if (!strcmp(argv[1], "get") && argc >= 7) {
        load.path = argv[4];
        if (argc > 7)
            read_lines(argv[7], &load.tokens);
        run_requests((unsigned)strtoul(argv[5], NULL, 10), strtod(argv[6], NULL));
    } else if (!strcmp(argv[1], "post") && argc >= 8) {
        load.path = argv[4];
        take_body(argv[7]);
        if (argc > 8)
            read_lines(argv[8], &load.tokens);
        run_requests((unsigned)strtoul(argv[5], NULL, 10), strtod(argv[6], NULL));
    } else if (!strcmp(argv[1], "flood") && argc >= 9) {
        load.path = argv[4];
        take_body(argv[7]);
        load.rate = strtod(argv[8], NULL);
        run_requests((unsigned)strtoul(argv[5], NULL, 10), strtod(argv[6], NULL));
    } else if ((!strcmp(argv[1], "orders") && argc >= 8) || (!strcmp(argv[1], "open") && argc >= 9)) {
        load.rate = argc >= 9 ? strtod(argv[8], NULL) : 0;
        read_lines(argv[4], &load.skus);
        read_lines(argv[7], &load.tokens);
        load.orders = calloc(ORDERS_MAX, sizeof *load.orders);
        open_sockets(load.tokens.count);
        run_requests((unsigned)strtoul(argv[5], NULL, 10), strtod(argv[6], NULL));
    } else if (!strcmp(argv[1], "idle")) {
        read_lines(argv[5], &load.tokens);
        run_idle((unsigned)strtoul(argv[4], NULL, 10));
    } else {
        return usage();
    }
    return 0;
}
