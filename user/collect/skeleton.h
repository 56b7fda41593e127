/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_COLLECT_SKELETON_H
#define PW_COLLECT_SKELETON_H

#include <stdbool.h>
#include <stdint.h>

#include "collect/attach.h"

struct pw_why;

enum pw_map {
	PW_MAP_TARGETS,
	PW_MAP_STATS,
	PW_MAP_SHARES,
	PW_MAP_SITES,
	PW_MAP_REASONS,
	PW_MAP_CREATIONS,
	PW_MAP_RING,
	PW_MAP_GCS,
	PW_MAP_PROCESSES,
	PW_MAP_ADDRESSES,
	PW_MAP_BUDGETS,
	PW_MAP_ACCOUNTS,
	PW_MAP_GATES,
	PW_MAP_ALLOCS,
	_PW_MAP_MAX,
};

struct pw_skeleton_options {
	enum pw_attach_method method; /* never AUTO: the object is loaded for one way of attaching only */
	bool cookies;
	bool allocs;	    /* with the program and the map of heap --sample */
	int cpus;	    /* possible CPUs: per-CPU maps are made smaller when there are many */
	bool foreign_pidns; /* we are not in the initial pid namespace: */
	uint64_t pidns_device, pidns_inode;
};

/* The BPF object, loaded. The only file that sees the generated skeleton is skeleton.c. */
struct pw_skeleton;

/* -EPERM, -EACCES no privilege; -EINVAL the verifier refuses; with a sentence that carries the kernel's own words. */
int pw_skeleton_new(struct pw_skeleton **ret_skeleton, const struct pw_skeleton_options *options,
		    struct pw_why *reterr_why) __attribute__((warn_unused_result));
void pw_skeleton_free(struct pw_skeleton *skeleton);

int pw_skeleton_program(const struct pw_skeleton *skeleton, enum pw_attach_group group);
int pw_skeleton_map(const struct pw_skeleton *skeleton, enum pw_map map);
uint32_t pw_skeleton_entries(const struct pw_skeleton *skeleton, enum pw_map map);
/* Kernel memory of all maps, as the kernel accounts it. */
uint64_t pw_skeleton_memory(const struct pw_skeleton *skeleton);
/* Disarms targets that exec. 0, or -errno: then only the scan of /proc sees execs. */
int pw_skeleton_attach_exec(struct pw_skeleton *skeleton) __attribute__((warn_unused_result));

/* Entries of a per-CPU map of this value size that keep it within about 8 MB, at most `wanted`; pure. */
uint32_t pw_skeleton_fit(uint32_t wanted, uint32_t value_bytes, int cpus);

#endif
