/* For the process skeleton alone: ends the fibers that watch upstreams. On worker 0. */
#ifndef PURSER_SERVICE_UPSTREAM_BACKGROUND_H
#define PURSER_SERVICE_UPSTREAM_BACKGROUND_H

void upstreams_stop(void);

#endif
