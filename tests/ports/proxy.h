/* A TCP proxy on a thread of its own, which can fall silent: it closes nothing and carries nothing, in either direction, until it goes on. */
#ifndef PURSER_TESTS_PROXY_H
#define PURSER_TESTS_PROXY_H

#include <stdbool.h>

/* To that port of 127.0.0.1. Its own port. One a process, which lives as long as that. Fails the case where it cannot be had. */
int proxy_start(int to_port);
void proxy_set_silent(bool silent);

#endif
