/* What the queue port's contract leaves to RabbitMQ's adapter. Skipped where PURSER_QUEUE_URL names another. */
#include "engines/queue.h"
#include "port_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <amqp.h>
#include <amqp_tcp_socket.h>

#define MESSAGES 40

static struct queue *queue;

static bool is_up(void *arg)
{
    return queue_is_up(queue);
}

struct sight {
    _Atomic int seen[MESSAGES], handled;
};

static void acknowledge(void *context, struct queue_delivery *batch, unsigned count)
{
    struct sight *sight = context;
    for (unsigned i = 0; i < count; i++) {
        int64_t number = -1;
        check_equal(text_to_int64(batch[i].message.body, &number), 0);
        check(number >= 0 && number < MESSAGES);
        atomic_fetch_add(&sight->seen[number], 1);
        batch[i].verdict = QUEUE_ACK;
        atomic_fetch_add(&sight->handled, 1);
    }
}

static void consume(const char *name, struct sight *sight)
{
    struct err err = {0};
    struct queue_consumer consumer = {.queue = name, .batch_max = 16, .prefetch = 64, .handle = acknowledge, .context = sight};
    if (queue_consume(queue, &consumer, &err) < 0)
        case_failed(__FILE__, __LINE__, err.message);
}

/* As an operator might, on a connection of its own. */
static void delete_queue(const char *name)
{
    struct amqp_connection_info info;
    char *url = arena_strdup(fiber_arena(), settings_text("queue_url"));
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(connection);
    check_equal(amqp_parse_url(url, &info), AMQP_STATUS_OK);
    check_equal(amqp_socket_open(socket, info.host, info.port), AMQP_STATUS_OK);
    check_equal(amqp_login(connection, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, info.user, info.password).reply_type, AMQP_RESPONSE_NORMAL);
    amqp_channel_open(connection, 1);
    check_equal(amqp_get_rpc_reply(connection).reply_type, AMQP_RESPONSE_NORMAL);
    check(amqp_queue_delete(connection, 1, amqp_cstring_bytes(name), 0, 0));
    amqp_destroy_connection(connection);
}

/* Numbers from `first` on, to the queues in turn. */
static void publish(const char *const *names, unsigned name_count, int first, int count)
{
    struct queue_message *messages = arena_alloc(fiber_arena(), sizeof *messages * (size_t)count);
    for (int i = 0; i < count; i++) {
        char *number = arena_printf(fiber_arena(), "%d", first + i);
        messages[i] = (struct queue_message){.queue = names[(unsigned)i % name_count], .id = number, .body = text_of(number)};
    }
    check_succeeds(queue_publish(queue, messages, (unsigned)count));
}

/* ---- a queue that was deleted behind the publisher's back: what is returned is published again, and nothing else is ---- */

static void returned(void *arg)
{
    static struct sight gone, there;
    struct err err = {0};
    const char *names[] = {case_name("gone"), case_name("there")};
    check_equal(queue_open(&queue, &err), 0);
    case_until(is_up, NULL);
    publish(names, 2, 0, 2);
    delete_queue(names[0]);
    publish(names, 2, 2, MESSAGES - 2);
    consume(names[0], &gone);
    consume(names[1], &there);
    case_until_count(&gone.handled, MESSAGES / 2 - 1);
    case_until_count(&there.handled, MESSAGES / 2);
    queue_stop(queue);
    for (int i = 0; i < MESSAGES; i++) {
        check_equal(atomic_load(&gone.seen[i]), i >= 2 && i % 2 == 0);
        check_equal(atomic_load(&there.seen[i]), i % 2);
    }
    queue_close(queue);
}

static void test_returned(void **state)
{
    if (strncmp(settings_text("queue_url"), "amqp:", 5) != 0)
        skip(); /* the unit stage has no engine; the ports stage runs this on a real one */
    case_run(returned, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_returned),
    };
    case_settings();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
