/* Boundaries of WebSocket frames: the same events at once and byte by byte; and what we write is read back. */
#include "http/ws_frames.h"

#include <assert.h>
#include <stdlib.h>

struct seen {
    unsigned begins, ends;
    uint64_t payload;
    size_t last_end;
};

static struct seen walk(const unsigned char *data, size_t size, size_t step)
{
    struct ws_frames frames = {0};
    struct seen seen = {0};
    for (size_t from = 0; from < size; from += step) {
        struct text bytes = {(const char *)data + from, size - from < step ? size - from : step};
        size_t at = 0;
        int event;
        while ((event = ws_frames_next(&frames, bytes, &at)) != WS_FRAMES_MORE) {
            assert(at <= bytes.size);
            if (event == WS_FRAMES_BEGIN) {
                seen.begins++;
                seen.payload += frames.length;
            } else {
                seen.ends++;
                seen.last_end = from + at;
                assert(ws_frames_at_boundary(&frames));
            }
        }
    }
    return seen;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    /* An empty payload ends with the next look at the bytes, so a frame at the very end may end or not. */
    struct seen whole = walk(data, size, size ? size : 1), single = walk(data, size, 1);
    assert(whole.begins == single.begins && whole.payload == single.payload);
    assert(whole.ends == single.ends && whole.last_end == single.last_end);
    char reason[200];
    unsigned char frame[135];
    size_t length = size < sizeof reason - 1 ? size : sizeof reason - 1;
    memcpy(reason, data, length);
    reason[length] = '\0';
    size_t written = ws_close_frame(1000, reason, size & 1, frame);
    assert(written <= sizeof frame);
    struct seen own = walk(frame, written, written);
    assert(own.begins == 1 && own.ends == 1 && own.last_end == written);
    return 0;
}
