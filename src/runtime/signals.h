/* SIGTERM and SIGINT, and SIGHUP, as calls on worker 0's loop; SIGPIPE is ignored. */
#ifndef PURSER_RUNTIME_SIGNALS_H
#define PURSER_RUNTIME_SIGNALS_H

/* From here on SIGHUP ends nobody: one that comes before signals_start is remembered and is a call of `reload` in it. */
void signals_remember_reload(void);
/* After workers_start, on worker 0's thread. 0 or negative. */
int signals_start(void (*terminate)(void *arg), void (*reload)(void *arg), void *arg);

#endif
