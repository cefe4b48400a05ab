/* The listening sockets of an address. For the files of this folder. */
#ifndef PURSER_HTTP_LISTEN_H
#define PURSER_HTTP_LISTEN_H

#include "base/err.h"

#include <stddef.h>

#define LISTEN_BACKLOG 4096

/* `count` sockets that listen on "host:port" or "[v6]:port"; port 0 takes a free one. `ret_address` gets the address with its real port. 0,
 * or negative with one line in `err` and nothing open. May wait for a name. */
int listen_open(const char *listen, unsigned count, int *ret_fds, char *ret_address, size_t room, struct err *err);
/* Whether that could be done now: 0 or negative with one line in `err`. */
int listen_check(const char *listen, struct err *err);
/* From now on no connection begins at this socket: who tries is kept waiting, tries again within a second or so, and is refused once the
 * socket is closed. Connections that have begun go on and come to its queue. */
void listen_refuse_new(int fd);

#endif
