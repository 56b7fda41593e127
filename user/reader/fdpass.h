/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_READER_FDPASS_H
#define PW_READER_FDPASS_H

#include <stddef.h>
#include <sys/types.h>

/*
 * A block of bytes and at most one file descriptor over a unix socket (SCM_RIGHTS). Neither raises SIGPIPE; sending
 * never blocks. Both return the number of bytes, or -errno; receiving 0 is the end.
 */
ssize_t pw_fd_send(int socket_fd, const void *data, size_t size, int fd) __attribute__((warn_unused_result));

/* *ret_fd is the descriptor that came along, close-on-exec and the caller's, or -1. More than one are closed. */
ssize_t pw_fd_receive(int socket_fd, void *buffer, size_t size, int *ret_fd) __attribute__((warn_unused_result));

#endif
