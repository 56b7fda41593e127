/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_CMD_RESOURCES_H
#define PW_CMD_RESOURCES_H

#include <stdbool.h>
#include <stddef.h>

struct pw_loop;
struct pw_source;

/* What the daemon takes from the host, and gives back: file descriptors and memory. */
struct pw_resources {
	struct pw_source *trim_timer; /* owned by the loop */
	size_t dropped;		      /* targets since memory was given back last */
	unsigned int trims_left;
	bool files_said; /* that descriptors run out */
};

/* The soft limit of open files becomes the hard one. Before threads and processes are made; a failure is logged. */
void pw_resources_raise_files(void);
/* A target was found whose highest descriptor is fd: says once when they run out. */
void pw_resources_target_found(struct pw_resources *resources, int fd);
/* A target is gone: after many of them, malloc's free pages go back to the host some seconds later. */
void pw_resources_target_gone(struct pw_resources *resources, struct pw_loop *loop);

#endif
