/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_COLLECT_COUNTS_H
#define PW_COLLECT_COUNTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "bpf/shared.h"
#include "collect/collect.h"
#include "collect/maps.h"

/*
 * The counters of all targets as one poll found them, sorted by target and go statement, so that each target's
 * statements are one slice. Entries of targets that are no longer known are collected for removal instead.
 */
struct pw_site_row {
	uint32_t target;
	uint64_t gopc;
	struct pw_bpf_site count;
};
struct pw_reason_row {
	uint32_t target, reason;
	uint64_t gopc, count;
};
struct pw_creation_row {
	uint32_t target, depth;
	uint64_t gopc, count;
	size_t first_frame; /* in frames */
};

struct pw_counts_maps {
	struct pw_map_shape sites, reasons, creations;
};

struct pw_counts {
	struct pw_counts_maps maps;
	PW_VEC(struct pw_site_row) sites;
	PW_VEC(struct pw_reason_row) reasons;
	PW_VEC(struct pw_creation_row) creations;
	PW_VEC(uint64_t) frames;
	uint64_t torn_stacks;			       /* not what their hash says: pw_bpf_stack_hash */
	PW_VEC(struct pw_statement_counts) statements; /* parallel to sites */
	PW_VEC(struct pw_reason_count) reason_counts;  /* parallel to reasons */
	PW_VEC(struct pw_bpf_site_key) dead_sites;
	PW_VEC(struct pw_bpf_reason_key) dead_reasons;
	PW_VEC(struct pw_bpf_creation_key) dead_creations;
	const uint32_t *known; /* during a poll: ids of the targets, ascending; borrowed */
	size_t known_count;
	int error;
};

void pw_counts_init(struct pw_counts *counts, const struct pw_counts_maps *maps);
void pw_counts_done(struct pw_counts *counts);

/* Reads the maps anew: 0 or -errno. What pw_counts_of returned before is invalid then. known: ascending. */
int pw_counts_poll(struct pw_counts *counts, struct pw_map_reader *reader, const uint32_t *known, size_t known_count)
	__attribute__((warn_unused_result));
/* The statements of one target, by ascending gopc; NULL and 0: none. */
const struct pw_statement_counts *pw_counts_of(const struct pw_counts *counts, uint32_t target, size_t *ret_count);

#endif
