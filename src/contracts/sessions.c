/* Encoding and decoding of ended sessions. */
#include "contracts/sessions.h"

#include "base/uuid.h"

#include <errno.h>

json_t *session_ended_encode(struct arena *arena, const struct session_ended *ended)
{
    return json_make(arena, "{s:I, s:s, s:s}", "number", (json_int_t)ended->number, "session_id", ended->session_id, "user_id",
                     ended->user_id);
}

int session_ended_decode(const json_t *tree, struct session_ended *ret_ended)
{
    struct session_ended ended = {
        .number = json_get_integer(tree, "number"),
        .session_id = json_get_string(tree, "session_id"),
        .user_id = json_get_string(tree, "user_id"),
    };
    if (ended.number < 1 || !ended.session_id || !uuid_is_valid(ended.session_id) || !ended.user_id)
        return -EBADMSG;
    *ret_ended = ended;
    return 0;
}
