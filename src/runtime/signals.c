/* Signals, by libuv's self-pipe on worker 0. */
#include "runtime/signals.h"

#include "runtime/scheduler.h"

#include <signal.h>

static uv_signal_t watchers[3];
static bool watching;
static void (*on_terminate)(void *arg), (*on_reload)(void *arg);
static void *handler_arg;

static volatile sig_atomic_t reload_came; /* before there was a watcher for it */

static void note_reload(int number)
{
    (void)number;
    reload_came = 1;
}

void signals_remember_reload(void)
{
    struct sigaction action = {.sa_handler = note_reload, .sa_flags = SA_RESTART};
    sigaction(SIGHUP, &action, NULL);
}

static void came(uv_signal_t *watcher, int number)
{
    if (number == SIGHUP && on_reload)
        on_reload(handler_arg);
    else if (number != SIGHUP && on_terminate)
        on_terminate(handler_arg);
}

int signals_start(void (*terminate)(void *arg), void (*reload)(void *arg), void *arg)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    signal(SIGPIPE, SIG_IGN);
    watching = true;
    on_terminate = terminate;
    on_reload = reload;
    handler_arg = arg;
    for (int i = 0; i < 3; i++) {
        int code = uv_signal_init(worker_loop(), &watchers[i]);
        if (!code)
            code = uv_signal_start(&watchers[i], came, numbers[i]);
        if (code)
            return code;
        uv_unref((uv_handle_t *)&watchers[i]);
    }
    if (reload_came && on_reload)
        on_reload(handler_arg);
    reload_came = 0;
    return 0;
}

void signals_close(void)
{
    for (int i = 0; watching && i < 3; i++)
        if (watchers[i].loop && !uv_is_closing((uv_handle_t *)&watchers[i]))
            uv_close((uv_handle_t *)&watchers[i], NULL);
    watching = false;
}
