/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "collect/scale.h"

#include <stdlib.h>

void pw_scale_done(struct pw_scale *scale)
{
	pw_vec_done(&scale->rows);
	pw_vec_done(&scale->next);
}

static int compare(const struct pw_scale_row *a, const struct pw_scale_row *b)
{
	if (a->gopc != b->gopc)
		return a->gopc < b->gopc ? -1 : 1;
	if (a->event != b->event)
		return a->event < b->event ? -1 : 1;
	return a->reason < b->reason ? -1 : a->reason > b->reason;
}

/* One row of the counts: settled against the old rows, which are passed over up to its place. */
static int settle_row(struct pw_scale *scale, size_t *position, uint64_t gopc, uint32_t event, uint32_t reason,
		      uint64_t counted, double factor)
{
	struct pw_scale_row row = {.gopc = gopc, .event = event, .reason = reason, .counted = counted};

	while (*position < scale->rows.count) {
		const struct pw_scale_row *old = &scale->rows.items[*position];
		int order = compare(old, &row), r;

		if (order > 0)
			break;
		++*position;
		if (!order) {
			row.extra = old->extra;
			if (counted > old->counted)
				row.extra += (double)(counted - old->counted) * factor;
			return pw_vec_push(&scale->next, row);
		}
		r = pw_vec_push(&scale->next, *old);
		if (r < 0)
			return r;
	}
	if (!counted)
		return 0;
	row.extra = (double)counted * factor; /* not seen before: all of it is new */
	return pw_vec_push(&scale->next, row);
}

static int settle_statement(struct pw_scale *scale, size_t *position, const struct pw_statement_counts *statement,
			    const double factor[_PW_EVENT_MAX])
{
	uint64_t gopc = statement->gopc;
	int r = settle_row(scale, position, gopc, PW_EVENT_SPAWN, PW_SCALE_ALL, statement->spawned,
			   factor[PW_EVENT_SPAWN]);

	if (!r)
		r = settle_row(scale, position, gopc, PW_EVENT_EXIT, PW_SCALE_ALL, statement->exited,
			       factor[PW_EVENT_EXIT]);
	for (size_t i = 0; !r && i < statement->reason_count; i++)
		r = settle_row(scale, position, gopc, PW_EVENT_PARK, statement->reasons[i].reason,
			       statement->reasons[i].count, factor[PW_EVENT_PARK]);
	if (!r)
		r = settle_row(scale, position, gopc, PW_EVENT_PARK, PW_SCALE_ALL, statement->parked,
			       factor[PW_EVENT_PARK]);
	if (!r)
		r = settle_row(scale, position, gopc, PW_EVENT_RUN, PW_SCALE_ALL, statement->ran, factor[PW_EVENT_RUN]);
	return r;
}

int pw_scale_settle(struct pw_scale *scale, const struct pw_statement_counts *statements, size_t count,
		    const double factor[_PW_EVENT_MAX])
{
	size_t position = 0;
	int r = 0;

	pw_vec_reset(&scale->next);
	for (size_t i = 0; !r && i < count; i++)
		r = settle_statement(scale, &position, &statements[i], factor);
	for (; !r && position < scale->rows.count; position++)
		r = pw_vec_push(&scale->next, scale->rows.items[position]);
	if (r < 0)
		return r;
	struct pw_scale_rows settled = scale->next;
	scale->next = scale->rows;
	scale->rows = settled;
	return 0;
}

static void apply_row(const struct pw_scale_row *row, struct pw_statement_counts *statement,
		      struct pw_reason_count *reasons)
{
	uint64_t extra = (uint64_t)row->extra;

	if (row->event == PW_EVENT_SPAWN) {
		statement->spawned += extra;
	} else if (row->event == PW_EVENT_EXIT) {
		statement->exited += extra;
	} else if (row->event == PW_EVENT_RUN) {
		statement->ran += extra;
	} else if (row->reason == PW_SCALE_ALL) {
		statement->parked += extra;
	} else if (statement->reason_count) {
		struct pw_reason_count *own = reasons + (statement->reasons - reasons);

		for (size_t i = 0; i < statement->reason_count; i++)
			if (own[i].reason == row->reason)
				own[i].count += extra;
	}
}

void pw_scale_apply(const struct pw_scale *scale, struct pw_statement_counts *statements, size_t count,
		    struct pw_reason_count *reasons)
{
	size_t position = 0;

	for (size_t i = 0; i < scale->rows.count; i++) {
		const struct pw_scale_row *row = &scale->rows.items[i];

		while (position < count && statements[position].gopc < row->gopc)
			position++;
		if (position < count && statements[position].gopc == row->gopc)
			apply_row(row, &statements[position], reasons);
	}
}
