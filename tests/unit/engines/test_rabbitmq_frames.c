/* The bytes that publish a message, where its properties are larger than ours ever are: what others have put into a queue is sent again, too. */
#include "engines/rabbitmq_frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FRAME_MAX 131072

static size_t number_at(const unsigned char *at)
{
    return (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
}

/* The frame there: its type, and its size with its head and its end. */
static size_t frame_at(const struct rabbitmq_frames *frames, size_t at, int type)
{
    const unsigned char *bytes = (const unsigned char *)frames->bytes + at;
    assert_true(at + 8 <= frames->size);
    assert_int_equal(bytes[0], type);
    size_t size = number_at(bytes + 3) + 8;
    assert_true(at + size <= frames->size && size <= FRAME_MAX);
    assert_int_equal(bytes[size - 1], 0xce);
    return size;
}

static void test_long_headers(void **state)
{
    static const size_t sizes[] = {55, 3000, 4000, 5000, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct rabbitmq_frames frames = {.frame_max = FRAME_MAX};
        char *trace = calloc(1, sizes[i] + 1);
        memset(trace, 't', sizes[i]);
        const struct queue_message message = {.queue = "q", .id = "i", .traceparent = trace, .body = {"body", 4}};
        const struct rabbitmq_outgoing out = {.queue = "q", .back_to = "", .attempt = 2, .error = "no", .message = &message};
        assert_true(rabbitmq_frames_add(&frames, &out));
        size_t at = frame_at(&frames, 0, 1);
        size_t size = frame_at(&frames, at, 2);
        assert_non_null(memmem(frames.bytes + at, size, trace, sizes[i]));
        at += size;
        at += frame_at(&frames, at, 3);
        assert_int_equal(at, frames.size);
        rabbitmq_frames_fini(&frames);
        free(trace);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_headers),
    };
    return cmocka_run_group_tests_name("engines/rabbitmq_frames", tests, NULL, NULL);
}
