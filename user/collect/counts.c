/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "collect/counts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

void pw_counts_init(struct pw_counts *counts, const struct pw_counts_maps *maps)
{
	memset(counts, 0, sizeof(*counts));
	counts->maps = *maps;
}

void pw_counts_done(struct pw_counts *counts)
{
	pw_vec_done(&counts->sites);
	pw_vec_done(&counts->reasons);
	pw_vec_done(&counts->creations);
	pw_vec_done(&counts->frames);
	pw_vec_done(&counts->statements);
	pw_vec_done(&counts->reason_counts);
	pw_vec_done(&counts->dead_sites);
	pw_vec_done(&counts->dead_reasons);
	pw_vec_done(&counts->dead_creations);
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_id(const void *left, const void *right)
{
	return compare_u64(*(const uint32_t *)left, *(const uint32_t *)right);
}

static bool is_known(const struct pw_counts *counts, uint32_t target)
{
	return counts->known_count &&
	       bsearch(&target, counts->known, counts->known_count, sizeof(*counts->known), compare_id);
}

static void note(struct pw_counts *counts, int r)
{
	if (r < 0)
		counts->error = r;
}

static void take_site(void *context, const void *key, const uint64_t *sum)
{
	struct pw_counts *counts = context;
	struct pw_bpf_site_key site;

	memcpy(&site, key, sizeof(site));
	if (!is_known(counts, site.target)) {
		note(counts, pw_vec_push(&counts->dead_sites, site));
		return;
	}
	struct pw_site_row row = {.target = site.target, .gopc = site.gopc};
	memcpy(&row.count, sum, sizeof(row.count));
	note(counts, pw_vec_push(&counts->sites, row));
}

static void take_reason(void *context, const void *key, const uint64_t *sum)
{
	struct pw_counts *counts = context;
	struct pw_bpf_reason_key reason;

	memcpy(&reason, key, sizeof(reason));
	if (!is_known(counts, reason.target)) {
		note(counts, pw_vec_push(&counts->dead_reasons, reason));
		return;
	}
	struct pw_reason_row row = {
		.target = reason.target, .reason = reason.reason, .gopc = reason.gopc, .count = sum[0]};
	note(counts, pw_vec_push(&counts->reasons, row));
}

static void take_creation(void *context, const void *key, const uint64_t *sum)
{
	struct pw_counts *counts = context;
	struct pw_bpf_creation_key creation;

	memcpy(&creation, key, sizeof(creation));
	if (!is_known(counts, creation.target)) {
		note(counts, pw_vec_push(&counts->dead_creations, creation));
		return;
	}
	const uint64_t *frames = sum + offsetof(struct pw_bpf_creation, frames) / sizeof(uint64_t);
	if (pw_bpf_stack_hash((const __u64 *)frames) != creation.hash) {
		counts->torn_stacks++;
		return;
	}
	struct pw_creation_row row = {
		.target = creation.target, .gopc = creation.gopc, .count = sum[0], .first_frame = counts->frames.count};
	int r = pw_vec_reserve(&counts->frames, PW_BPF_STACK_DEPTH);
	while (!r && row.depth < PW_BPF_STACK_DEPTH && frames[row.depth])
		counts->frames.items[counts->frames.count++] = frames[row.depth++];
	note(counts, r ? r : pw_vec_push(&counts->creations, row));
}

static int compare_sites(const void *left, const void *right)
{
	const struct pw_site_row *a = left, *b = right;
	int by_target = compare_u64(a->target, b->target);

	return by_target ? by_target : compare_u64(a->gopc, b->gopc);
}

static int compare_reasons(const void *left, const void *right)
{
	const struct pw_reason_row *a = left, *b = right;
	int order = compare_u64(a->target, b->target);

	if (!order)
		order = compare_u64(a->gopc, b->gopc);
	return order ? order : compare_u64(a->reason, b->reason);
}

/* The most frequent stack of a statement first. */
static int compare_creations(const void *left, const void *right)
{
	const struct pw_creation_row *a = left, *b = right;
	int order = compare_u64(a->target, b->target);

	if (!order)
		order = compare_u64(a->gopc, b->gopc);
	if (!order)
		order = compare_u64(b->count, a->count);
	return order ? order : compare_u64(a->first_frame, b->first_frame);
}

/*
 * The kernel's walk starts inside the runtime (newproc1 on the system stack); what is wanted starts at the go
 * statement. If the walk did not come by it (a frame without a frame pointer), the statement itself is all that is
 * sure.
 */
static void set_creation_stack(struct pw_statement_counts *statement, const uint64_t *frames, uint32_t depth)
{
	if (!statement->gopc)
		return;
	statement->creation_stack = &statement->gopc;
	statement->creation_depth = 1;
	for (uint32_t i = 0; i < depth; i++)
		if (frames[i] == statement->gopc) {
			statement->creation_stack = frames + i;
			statement->creation_depth = depth - i;
			return;
		}
}

/* A statement that only parks has no entry of its own in the kernel: it gets its row here. */
static int add_rows_of_reasons(struct pw_counts *counts)
{
	size_t sorted = counts->sites.count;

	for (size_t i = 0; i < counts->reasons.count; i++) {
		const struct pw_reason_row *reason = &counts->reasons.items[i];
		struct pw_site_row row = {.target = reason->target, .gopc = reason->gopc};
		bool repeated = i && reason[-1].target == reason->target && reason[-1].gopc == reason->gopc;

		if (repeated || (sorted && bsearch(&row, counts->sites.items, sorted, sizeof(row), compare_sites)))
			continue;
		int r = pw_vec_push(&counts->sites, row);
		if (r < 0)
			return r;
	}
	if (counts->sites.count > sorted)
		pw_vec_sort(&counts->sites, compare_sites);
	return 0;
}

/* Joins the three sorted lists; statements and reason_counts have their final size before a pointer is taken. */
static int join(struct pw_counts *counts)
{
	int r = pw_vec_reserve(&counts->statements, counts->sites.count);

	if (!r)
		r = pw_vec_reserve(&counts->reason_counts, counts->reasons.count);
	if (r < 0)
		return r;
	for (size_t i = 0; i < counts->reasons.count; i++) {
		const struct pw_reason_row *row = &counts->reasons.items[i];

		counts->reason_counts.items[i] =
			(struct pw_reason_count){.reason = (uint8_t)row->reason, .count = row->count};
	}
	counts->reason_counts.count = counts->reasons.count;
	size_t reason = 0, creation = 0;
	for (size_t i = 0; i < counts->sites.count; i++) {
		const struct pw_site_row *row = &counts->sites.items[i];
		struct pw_statement_counts *statement = &counts->statements.items[i];

		*statement = (struct pw_statement_counts){.gopc = row->gopc,
							  .spawned = row->count.spawned,
							  .exited = row->count.exited,
							  .parked = row->count.parked,
							  .ran = row->count.ran};
		while (reason < counts->reasons.count) {
			const struct pw_reason_row *other = &counts->reasons.items[reason];
			struct pw_site_row place = {.target = other->target, .gopc = other->gopc};
			int order = compare_sites(&place, row);

			if (order > 0)
				break;
			if (!order) {
				if (!statement->reason_count++)
					statement->reasons = &counts->reason_counts.items[reason];
				statement->parked += other->count;
			}
			reason++;
		}
		const struct pw_creation_row *best = NULL;
		while (creation < counts->creations.count) {
			const struct pw_creation_row *other = &counts->creations.items[creation];
			struct pw_site_row place = {.target = other->target, .gopc = other->gopc};
			int order = compare_sites(&place, row);

			if (order > 0)
				break;
			if (!order && !best)
				best = other;
			creation++;
		}
		set_creation_stack(statement, best ? counts->frames.items + best->first_frame : NULL,
				   best ? best->depth : 0);
	}
	counts->statements.count = counts->sites.count;
	return 0;
}

static int delete_dead(struct pw_counts *counts, struct pw_map_reader *reader)
{
	int r = pw_map_delete(reader, &counts->maps.sites, counts->dead_sites.items,
			      (uint32_t)counts->dead_sites.count);

	if (!r)
		r = pw_map_delete(reader, &counts->maps.reasons, counts->dead_reasons.items,
				  (uint32_t)counts->dead_reasons.count);
	if (!r)
		r = pw_map_delete(reader, &counts->maps.creations, counts->dead_creations.items,
				  (uint32_t)counts->dead_creations.count);
	return r;
}

static void reset(struct pw_counts *counts)
{
	pw_vec_reset(&counts->sites);
	pw_vec_reset(&counts->reasons);
	pw_vec_reset(&counts->creations);
	pw_vec_reset(&counts->frames);
	pw_vec_reset(&counts->statements);
	pw_vec_reset(&counts->reason_counts);
	pw_vec_reset(&counts->dead_sites);
	pw_vec_reset(&counts->dead_reasons);
	pw_vec_reset(&counts->dead_creations);
	counts->error = 0;
}

int pw_counts_poll(struct pw_counts *counts, struct pw_map_reader *reader, const uint32_t *known, size_t known_count)
{
	int r;

	reset(counts);
	counts->known = known;
	counts->known_count = known_count;
	r = pw_map_read(reader, &counts->maps.reasons, take_reason, counts);
	if (r >= 0)
		r = pw_map_read(reader, &counts->maps.creations, take_creation, counts);
	if (r >= 0)
		r = pw_map_read(reader, &counts->maps.sites, take_site, counts);
	counts->known = NULL;
	if (r >= 0)
		r = counts->error;
	if (r < 0) {
		reset(counts);
		return r;
	}
	pw_vec_sort(&counts->sites, compare_sites);
	pw_vec_sort(&counts->reasons, compare_reasons);
	pw_vec_sort(&counts->creations, compare_creations);
	r = add_rows_of_reasons(counts);
	if (!r)
		r = join(counts);
	return r < 0 ? r : delete_dead(counts, reader);
}

const struct pw_statement_counts *pw_counts_of(const struct pw_counts *counts, uint32_t target, size_t *ret_count)
{
	size_t low = 0, high = counts->sites.count, first;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (counts->sites.items[middle].target < target)
			low = middle + 1;
		else
			high = middle;
	}
	for (first = low; low < counts->sites.count && counts->sites.items[low].target == target; low++)
		;
	*ret_count = counts->statements.count == counts->sites.count ? low - first : 0;
	return *ret_count ? &counts->statements.items[first] : NULL;
}
