/* For the process skeleton alone: the beginning and the end of what is known of services elsewhere. On worker 0. */
#ifndef PURSER_SERVICE_UPSTREAM_BACKGROUND_H
#define PURSER_SERVICE_UPSTREAM_BACKGROUND_H

#include "base/err.h"

/* Checks where they are said to be, now and at every reload, and looks for them from the start, not at the first request. 0, or one line. */
int upstreams_start(struct err *err);
/* Ends the fibers that watch them. */
void upstreams_stop(void);

#endif
