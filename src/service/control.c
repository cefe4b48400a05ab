/*
 * The control socket, both ends. The server takes one line, runs it as a call on a fiber, answers one line and closes; it lives on worker
 * 0. The client blocks: it is a command in a terminal.
 */
#include "service/control.h"

#include "base/log.h"
#include "base/settings.h"
#include "engines/schema_files.h"
#include "runtime/worker.h"
#include "service/registry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_MAX_BYTES (4 * 1024 * 1024)

static uv_pipe_t listener;
static bool listening;
static char listener_path[sizeof((struct sockaddr_un *)0)->sun_path];

struct control_client {
    uv_pipe_t pipe;
    struct buffer line;
    uv_write_t write;
    char *answer;
    unsigned users; /* the handle and the fiber */
};

static int control_path(char *ret_path, size_t size, struct err *err)
{
    const char *set = settings_text("control");
    int length = *set ? snprintf(ret_path, size, "%s", set) : snprintf(ret_path, size, "%s/control.sock", settings_text("data"));
    if (length < 0 || (size_t)length >= size)
        return err_set(err, -ENAMETOOLONG, "PURSER_CONTROL or PURSER_DATA is too long for the path of a socket (%zu bytes)", size - 1);
    return 0;
}

static void client_unref(struct control_client *client)
{
    if (--client->users)
        return;
    buffer_fini(&client->line);
    free(client->answer);
    free(client);
}

static void client_closed(uv_handle_t *handle)
{
    client_unref(handle->data);
}

static void client_close(struct control_client *client)
{
    if (!uv_is_closing((uv_handle_t *)&client->pipe))
        uv_close((uv_handle_t *)&client->pipe, client_closed);
}

static void client_written(uv_write_t *write, int status)
{
    (void)status;
    client_close(write->data);
}

/* The line's call, with the rights of an administrator; a tree of the answer. */
static FIBER_FN json_t *run_line(struct arena *arena, struct text line)
{
    struct err err;
    json_t *said, *answer = NULL;
    if (json_parse(arena, line, &said, &err) || !json_is_object(said))
        return json_make(arena, "{s:i, s:{s:s}}", "status", 400, "body", "detail", "The line is no JSON object.");
    const char *service = json_get_string(said, "service"), *method = json_get_string(said, "method");
    const char *target = json_get_string(said, "target");
    if (!json_object_size(said))
        return json_make(arena, "{s:i, s:I}", "status", 200, "schema", (json_int_t)schema_file_count);
    if (!service || !method || !target)
        return json_make(arena, "{s:i, s:{s:s}}", "status", 400, "body", "detail", "service, method and target are needed.");
    struct http_request request;
    service_request_init(&request, arena, method, target, json_object_get(said, "body"));
    request.identity = service_administrator();
    struct http_response response = {.arena = arena};
    service_call(service, &request, &response);
    if (!response.body.size || json_parse(arena, response.body, &answer, NULL))
        answer = NULL;
    return json_make(arena, "{s:i, s:O?}", "status", response.status, "body", answer);
}

static FIBER_FN void client_fiber(void *arg)
{
    struct control_client *client = arg;
    size_t size;
    struct text line = {client->line.at, client->line.size};
    char *text = json_print(fiber_arena(), run_line(fiber_arena(), line), &size);
    client->answer = malloc(size + 1);
    if (client->answer && !uv_is_closing((uv_handle_t *)&client->pipe)) {
        memcpy(client->answer, text, size);
        client->answer[size] = '\n';
        uv_buf_t out = uv_buf_init(client->answer, (unsigned)size + 1);
        client->write.data = client;
        if (uv_write(&client->write, (uv_stream_t *)&client->pipe, &out, 1, client_written))
            client_close(client);
    } else {
        client_close(client);
    }
    client_unref(client);
}

static void client_abandoned(void *arg)
{
    client_close(arg);
    client_unref(arg);
}

static void client_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    static char room[16 * 1024];
    (void)handle, (void)suggested;
    *ret_buffer = uv_buf_init(room, sizeof room);
}

static void client_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *bytes)
{
    struct control_client *client = stream->data;
    if (size < 0) {
        client_close(client);
        return;
    }
    buffer_add(&client->line, bytes->base, (size_t)size);
    if (client->line.failed || client->line.size > LINE_MAX_BYTES) {
        client_close(client);
        return;
    }
    if (!client->line.size || client->line.at[client->line.size - 1] != '\n')
        return;
    uv_read_stop(stream);
    client->users++;
    struct fiber_options options = {.name = "control", .run = client_fiber, .arg = client, .abandoned = client_abandoned};
    if (fiber_start_with(&options, NULL))
        client_abandoned(client);
}

static void client_connected(uv_stream_t *server, int status)
{
    struct control_client *client = status ? NULL : calloc(1, sizeof *client);
    if (!client)
        return;
    client->users = 1;
    client->pipe.data = client;
    uv_pipe_init(worker_loop(), &client->pipe, 0);
    if (uv_accept(server, (uv_stream_t *)&client->pipe) || uv_read_start((uv_stream_t *)&client->pipe, client_alloc, client_read))
        client_close(client);
}

int control_start(struct err *err)
{
    if (control_path(listener_path, sizeof listener_path, err))
        return err->code;
    unlink(listener_path); /* the data folder's lock says that nobody else serves it */
    uv_pipe_init(worker_loop(), &listener, 0);
    mode_t old = umask(0177);
    int error = uv_pipe_bind(&listener, listener_path);
    umask(old);
    if (!error)
        error = uv_listen((uv_stream_t *)&listener, 16, client_connected);
    if (error) {
        uv_close((uv_handle_t *)&listener, NULL);
        return err_set(err, error, "cannot listen on the control socket %s: %s", listener_path, uv_strerror(error));
    }
    listening = true;
    return 0;
}

void control_stop(void)
{
    if (!listening)
        return;
    listening = false;
    uv_close((uv_handle_t *)&listener, NULL);
    unlink(listener_path);
}

static int client_connect(struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (control_path(address.sun_path, sizeof address.sun_path, err))
        return err->code;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set(err, -errno, "cannot make a socket: %s", strerror(errno));
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    int code = errno == ECONNREFUSED || errno == ENOENT ? -ENOENT : -errno;
    err_set(err, code, "no system answers on %s: %s", address.sun_path, strerror(errno));
    close(fd);
    return code;
}

static int exchange(int fd, const char *line, size_t size, struct buffer *answer)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = send(fd, line + done, size - done, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    char room[8192];
    for (;;) {
        ssize_t n = recv(fd, room, sizeof room, 0);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            return answer->failed ? -ENOMEM : 0;
        if (n > 0)
            buffer_add(answer, room, (size_t)n);
    }
}

static void fini_buffer(void *buffer)
{
    buffer_fini(buffer);
}

/* One line there and one back. */
static int ask(struct arena *arena, const json_t *said, json_t **ret_tree, struct err *err)
{
    int fd = client_connect(err);
    if (fd < 0)
        return fd;
    size_t size;
    char *line = json_print(arena, said, &size);
    line = arena_printf(arena, "%s\n", line);
    struct buffer *answer = arena_alloc(arena, sizeof *answer);
    arena_defer(arena, fini_buffer, answer);
    int error = exchange(fd, line, size + 1, answer);
    close(fd);
    if (error)
        return err_set(err, error, "the running system did not answer: %s", strerror(-error));
    return json_parse(arena, (struct text){answer->at, answer->size}, ret_tree, err) ? err_prefix(err, "the running system's answer") : 0;
}

bool control_schema_is_ours(struct arena *arena)
{
    struct err err;
    json_t *tree;
    return ask(arena, json_make(arena, "{}"), &tree, &err) == 0 && json_get_integer(tree, "schema") == (json_int_t)schema_file_count;
}

int control_ask(struct arena *arena, const char *service, const char *method, const char *target, const json_t *body, int *ret_status,
                json_t **ret_answer, struct err *err)
{
    json_t *tree, *said = json_make(arena, "{s:s, s:s, s:s}", "service", service, "method", method, "target", target);
    if (body)
        json_put(said, "body", (json_t *)body);
    int error = ask(arena, said, &tree, err);
    if (error)
        return error;
    *ret_status = (int)json_get_integer(tree, "status");
    *ret_answer = json_object_get(tree, "body");
    return 0;
}
