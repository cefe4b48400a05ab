/* A push is "<seq> <unread> <frame>": the frame goes to clients as it is, so that a thousand sockets cost one encoding. */
#include "notifications/push.h"

#include "contracts/sessions.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>

static atomic_bool missed; /* a push from here did not get through, and nobody has been told */

FIBER_FN void push_publish(struct cache *cache, const char *user_id, int64_t seq, int64_t unread, const json_t *event)
{
    struct arena *arena = fiber_arena();
    const char *channel = arena_printf(arena, CHANNEL_NOTIFY "%s", user_id);
    const char *message = arena_printf(arena, "%" PRId64 " %" PRId64 " %s", seq, unread, json_print(arena, event, NULL));
    if (cache_publish(cache, channel, text_of(message)))
        atomic_store(&missed, true);
}

FIBER_FN void push_tell_missed(struct cache *cache)
{
    if (atomic_exchange(&missed, false) && cache_publish(cache, CHANNEL_NOTIFY PUSH_MISSED, text_of("-")))
        atomic_store(&missed, true);
}

int push_parse(struct text message, struct push *ret_push)
{
    struct text seq, unread;
    struct push push = {.frame = message};
    if (!text_split(&push.frame, ' ', &seq) || !text_split(&push.frame, ' ', &unread) || push.frame.size == 0)
        return -EBADMSG;
    if (text_to_int64(seq, &push.seq) || text_to_int64(unread, &push.unread))
        return -EBADMSG;
    *ret_push = push;
    return 0;
}
