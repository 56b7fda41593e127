/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_SOCKETS_H
#define PW_TARGET_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sockdiag.h"

struct pw_holdings;
struct pw_procfs;

/*
 * Which of a process's descriptors are sockets, and in which state: /proc/PID/fd, held against what the kernel lists of
 * our network namespace, or of its own (/proc/PID/net/tcp, without the time of the last data). At most
 * PW_SOCKET_FILES_MAX descriptors and PW_SOCKETS_SEEN_MAX sockets of the namespace are looked at; what is left out is
 * counted. Embedded; a zeroed one is empty.
 */
struct pw_socket_file {
	uint64_t inode;
	int32_t fd;
	bool known; /* the kernel has listed it; else only that it is a socket */
	struct pw_sock sock;
	uint64_t since_ns; /* first look that saw it in that state */
};

struct pw_sockets {
	struct pw_socket_file *files; /* by fd */
	size_t count;
	bool same_namespace; /* and the kernel has listed all of it: when they received last is known */
	uint64_t taken_ns;   /* CLOCK_BOOTTIME; 0: no look yet */
};

#define PW_SOCKET_FILES_MAX 8192U	   /* about 1.5 us each */
#define PW_SOCKETS_SEEN_MAX (1U << 15)	   /* of all processes of the namespace: about 30 ms */
#define PW_SOCKET_LONG_NS   60000000000ULL /* closed by the other side for so long: nobody will look any more */

/* A new look; fills in what is about sockets. 0, -ESRCH, -EACCES, -ENOMEM. */
int pw_sockets_look(struct pw_sockets *sockets, const struct pw_procfs *procfs, int pid, uint64_t boot_ns,
		    struct pw_holdings *numbers) __attribute__((warn_unused_result));
/* The socket of a descriptor; NULL: none, or not known. */
const struct pw_socket_file *pw_sockets_find(const struct pw_sockets *sockets, int fd);
void pw_sockets_done(struct pw_sockets *sockets);

#endif
