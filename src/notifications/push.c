/* A push is "<seq> <unread> <frame>": the frame goes to clients as it is, so that a thousand sockets cost one encoding. */
#include "notifications/push.h"

#include "contracts/sessions.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>

static atomic_bool missed; /* a push from here did not get through, and nobody has been told */

static struct cache_message message_of(struct arena *arena, const struct push_event *event)
{
    return (struct cache_message){
        .channel = arena_printf(arena, CHANNEL_NOTIFY "%s", event->user_id),
        .text = text_of(arena_printf(arena, "%" PRId64 " %" PRId64 " %s", event->seq, event->unread, event->frame.at)),
    };
}

FIBER_FN void push_publish(struct cache *cache, const struct push_event *list, unsigned count)
{
    struct arena *arena = fiber_arena();
    struct cache_message *messages = arena_alloc(arena, sizeof *messages * (count + 1));
    for (unsigned i = 0; i < count; i++)
        messages[i] = message_of(arena, &list[i]);
    if (cache_publish_all(cache, messages, count))
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
