/* What every connection of ours outward needs, to whatever engine or service: that it ends when its other side is gone without a word. */
#ifndef PURSER_BASE_SOCKET_H
#define PURSER_BASE_SOCKET_H

/* A silent TCP connection is probed after 5 s, and one whose probes or bytes nobody acknowledges is given up within 20 s. Does not
 * wait; a socket that is no TCP's is left as it is. */
void socket_guard(int fd);

#endif
