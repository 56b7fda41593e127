/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <netinet/in.h>
#include <stdint.h>

#include "base/macros.h"

/*
 * The sockets of our own network namespace, as the kernel lists them (sock_diag(7)): TCP with tcp_info, and streams of
 * AF_UNIX. Needs no privilege. Another namespace has only /proc/PID/net/tcp, which does not say when a socket received
 * last (pw_sock_parse_line).
 */
enum pw_sock_state {
	PW_SOCK_ESTABLISHED,
	PW_SOCK_CLOSED_BY_PEER, /* TCP CLOSE_WAIT; AF_UNIX: the other side is gone, or will send no more */
	PW_SOCK_DEAD, /* TCP that is in no list any more: reset, as by keep-alive after CLOSE_WAIT, or never connected
		       */
	PW_SOCK_LISTEN,
	PW_SOCK_OTHER,
	_PW_SOCK_STATE_MAX,
};

struct pw_sock {
	uint64_t inode;
	uint8_t state;	      /* enum pw_sock_state */
	bool local;	      /* AF_UNIX */
	uint32_t received_ms; /* since it last received data, or was connected; UINT32_MAX unknown */
};

/* false: enough, stop. */
typedef bool (*pw_sock_fn)(void *context, const struct pw_sock *sock);

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262 /* linux/in.h; Go 1.24 and later listen with it */
#endif

/* 0, -ECANCELED stopped by the callback, or -errno of netlink (-EOPNOTSUPP, -ENOENT: the kernel has it not). family:
 * AF_INET, AF_INET6 with protocol IPPROTO_TCP or IPPROTO_MPTCP (those that are more than plain TCP, without times);
 * AF_UNIX with 0. */
int pw_must_check pw_sockdiag_list(int family, int protocol, pw_sock_fn callback, void *context);

/* A line of /proc/net/tcp or tcp6 (proc_pid_net(5)): false for its head and for what is no socket of a process. */
bool pw_sock_parse_line(const char *line, struct pw_sock *ret_sock);
