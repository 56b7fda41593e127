/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_COLLECT_SCALE_H
#define PW_COLLECT_SCALE_H

#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "collect/collect.h"

/*
 * What windows let expect of each go statement and wait reason of one target, on top of what was counted: rows sorted
 * by statement and reason, as the counts are. Empty as long as everything is counted. Memory: 40 bytes for each of
 * both, at most as many as a target's share of the maps.
 */
struct pw_scale_row {
	uint64_t gopc;
	uint32_t event;	  /* enum pw_event */
	uint32_t reason;  /* of a park; PW_SCALE_ALL: of all reasons */
	uint64_t counted; /* when settled last */
	double extra;
};
#define PW_SCALE_ALL UINT32_MAX

struct pw_scale {
	struct pw_scale_rows {
		struct pw_scale_row *items;
		size_t count, capacity, max;
	} rows, next;
};

void pw_scale_done(struct pw_scale *scale);
/*
 * Takes in the counts as they are now: what has come since the last call is multiplied by factor[event] and added to
 * the extra of its row; with 0 it is only remembered. 0 or -ENOMEM (nothing is changed).
 */
int pw_scale_settle(struct pw_scale *scale, const struct pw_statement_counts *statements, size_t count,
		    const double factor[_PW_EVENT_MAX]) __attribute__((warn_unused_result));
/* Adds the extras to these statements in place; reasons: the array that their lists of reasons lie in. */
void pw_scale_apply(const struct pw_scale *scale, struct pw_statement_counts *statements, size_t count,
		    struct pw_reason_count *reasons);

#endif
