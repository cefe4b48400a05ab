/* SIGTERM and SIGINT, and SIGHUP, as calls on worker 0's loop; SIGPIPE is ignored. */
#ifndef PURSER_RUNTIME_SIGNALS_H
#define PURSER_RUNTIME_SIGNALS_H

/* After workers_start, on worker 0's thread. 0 or negative. */
int signals_start(void (*terminate)(void *arg), void (*reload)(void *arg), void *arg);

#endif
