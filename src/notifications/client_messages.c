/*
 * Messages from clients. Each runs on a fiber of its own with a copy of what it needs, since its socket may close meanwhile; a socket has at most
 * MESSAGES_MAX at work and is closed beyond that.
 */
#include "notifications/client_messages.h"

#include "base/json_text.h"
#include "notifications/store.h"
#include "security/tokens.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES_MAX 64
#define WORK_MS 10000

FIBER_FN int client_read(struct notifications *notifications, const char *user_id, const char *id)
{
    bool changed;
    int64_t unread;
    if (!uuid_is_valid(id))
        return -ENOENT;
    int error = notifications_read(notifications->engines.database, user_id, id, &changed, &unread);
    if (error || !changed)
        return error;
    struct text ids = text_of(arena_printf(fiber_arena(), "[\"%s\"]", id)),
                frame = json_text(fiber_arena(), "sj", "type", "read", "ids", &ids);
    push_publish(notifications->engines.cache, &(struct push_event){.user_id = user_id, .unread = unread, .frame = frame}, 1);
    return 0;
}

struct message_work {
    struct listener *listener;
    char text[];
};

/* The keys are asked for each time: a socket renews its token every quarter of an hour. */
static FIBER_FN int verify(struct text token, struct token_claims *ret_claims)
{
    struct arena *arena = fiber_arena();
    json_t *jwks;
    struct key_set *keys;
    int status, error = service_ask("users", "GET", "/.well-known/jwks.json", NULL, &status, &jwks);
    if (error || status != 200)
        return -EAGAIN;
    error = key_set_read(jwks, &keys, NULL);
    if (error)
        return error;
    key_set_keep(arena, keys);
    return token_verify(arena, keys, token, ret_claims, NULL);
}

static FIBER_FN void renew(struct listener *listener, const char *token)
{
    struct token_claims claims;
    int error = verify(text_of(token), &claims);
    if (!listener->socket || error == -EAGAIN)
        return; /* the old token still counts until it ends */
    if (error || strcmp(claims.user_id, listener->user_id) != 0 || strcmp(claims.session_id, listener->session_id) != 0)
        listener_close(listener, WS_CLOSE_UNAUTHORIZED, "not a token of this session");
    else
        listener_expires(listener, claims.expires_wall_ms);
}

/* Each message has its type and one member more, and nothing else (api/asyncapi.yaml). An id may be of nothing that is there. */
static FIBER_FN void act(struct listener *listener, struct text message)
{
    json_t *tree;
    const char *type = NULL, *id, *token;
    if (json_parse(fiber_arena(), message, &tree, NULL) == 0 && json_object_size(tree) == 2)
        type = json_get_string(tree, "type");
    if (type && strcmp(type, "read") == 0 && (id = json_get_string(tree, "id")) && uuid_is_valid(id))
        client_read(listener->notifications, listener->user_id, id);
    else if (type && strcmp(type, "token") == 0 && (token = json_get_string(tree, "token")))
        renew(listener, token);
    else
        listener_close(listener, WS_CLOSE_POLICY, "not a message of purser.v1");
}

static void finish(struct message_work *work)
{
    listener_unref(work->listener);
    free(work);
}

static FIBER_FN void run(void *arg)
{
    struct message_work *work = arg;
    fiber_narrow_deadline(WORK_MS);
    act(work->listener, text_of(work->text));
    finish(work);
}

/* Short of memory, before or in the middle. */
static void give_up(void *arg)
{
    struct message_work *work = arg;
    listener_close(work->listener, WS_CLOSE_RESTART, "try again");
    finish(work);
}

void client_message(struct listener *listener, struct text message)
{
    struct message_work *work = listener->messages < MESSAGES_MAX ? malloc(sizeof *work + message.size + 1) : NULL;
    if (!work || memchr(message.at, 0, message.size)) {
        free(work);
        listener_close(listener, WS_CLOSE_POLICY, "too many messages at once, or not one of purser.v1");
        return;
    }
    work->listener = listener;
    memcpy(work->text, message.at, message.size);
    work->text[message.size] = 0;
    listener->messages++;
    const struct fiber_options options = {.name = "notifications.message", .run = run, .arg = work, .abandoned = give_up};
    if (fiber_start_with(&options, NULL))
        give_up(work);
}
