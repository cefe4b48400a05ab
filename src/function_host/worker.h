/* The life of a worker process, from fork to exit. */
#ifndef PURSER_FUNCTION_HOST_WORKER_H
#define PURSER_FUNCTION_HOST_WORKER_H

/* Answers messages on the socket until it closes; never returns. The process is sealed already. */
_Noreturn void worker_main(int socket_fd);

#endif
