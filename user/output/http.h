/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_HTTP_H
#define PW_OUTPUT_HTTP_H

#include <stdbool.h>
#include <stdint.h>

struct pw_board;
struct pw_profile;
struct pw_why;

/*
 * The web faces: a TCP address (loopback unless told otherwise) and a local socket, each with one thread of its own
 * that sees nothing but the board. GET and HEAD only; sizes, connections and times are limited.
 */
struct pw_http;

/* listen: "host:port", or "" for none. socket_path: "" for none; made with mode 0660, an old one is replaced.
 * diagnose: says of each group of a goroutine profile what it is, on a thread of ours; NULL: nobody does.
 * -EADDRINUSE and the like with a sentence. Starts threads: call last. */
int pw_http_start(struct pw_http **ret_http, struct pw_board *board, const char *listen, const char *socket_path,
		  void (*diagnose)(struct pw_profile *profile), struct pw_why *reterr_why)
	__attribute__((warn_unused_result));
/* Ends the threads and removes the socket. */
void pw_http_stop(struct pw_http *http);
/* The port in use (for ":0"), 0 without TCP. */
uint16_t pw_http_port(const struct pw_http *http);
/* /-/ready answers 200 from now on. */
void pw_http_set_ready(struct pw_http *http, bool ready);

#endif
