/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_READER_READER_MAIN_H
#define PW_READER_READER_MAIN_H

/*
 * The reader process: answers requests from socket_fd one by one until the other side closes it. Runs in the sandbox,
 * never logs, keeps a few builds open for the names that will be asked next. 0 at the end of the socket, -errno when
 * the other side does not speak the protocol.
 */
int pw_reader_main(int socket_fd) __attribute__((warn_unused_result));

#endif
