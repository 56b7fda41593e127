/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/builder.h"

#include <string.h>

#include "base/intern.h"
#include "base/vec.h"
#include "model/storage.h"

/*
 * The draft's arrays grow in vectors that live as long as the builder, so that after the first records nothing is
 * allocated but the finished record itself. The string table only grows: an index means the same string in all records
 * of one generation. When it is nearly full of strings nobody uses any more, the next record begins a new one.
 */
enum list {
	SITES,
	DROPS,
	STATEMENTS,
	COUNTS,
	REASONS,
	GROUPS,
	AGES,
	PARKS,
	PARK_AGES,
	ROWS,
	LOCKS,
	BUCKETS,
	GC_CYCLES,
	FRAMES,
	STACKS,
	_LIST_MAX
};

static const char *const list_names[] = {
	"record_sites_full",	 "record_drops_full",  "record_statements_full", "record_counts_full",
	"record_reasons_full",	 "record_groups_full", "record_ages_full",	 "record_parks_full",
	"record_park_ages_full", "record_rows_full",   "record_locks_full",	 "record_buckets_full",
	"record_gc_cycles_full", "record_frames_full", "record_stacks_full",
};
_Static_assert(ARRAY_SIZE(list_names) == _LIST_MAX, "a name for each list");

struct pw_record_builder {
	struct pw_record draft;
	struct pw_intern *intern;
	uint64_t generation;
	uint64_t strings_refused; /* by tables of earlier generations */
	uint64_t refused[_LIST_MAX];
	PW_VEC(struct pw_record_site) sites;
	PW_VEC(struct pw_record_drop) drops;
	PW_VEC(struct pw_record_statement) statements;
	PW_VEC(struct pw_record_event_count) counts;
	PW_VEC(struct pw_record_reason_count) reasons;
	PW_VEC(struct pw_record_group) groups;
	PW_VEC(struct pw_record_age) ages;
	PW_VEC(struct pw_record_park) parks;
	PW_VEC(struct pw_record_age) park_ages;
	PW_VEC(struct pw_record_row) rows;
	PW_VEC(struct pw_record_lock) locks;
	PW_VEC(struct pw_record_bucket) buckets;
	PW_VEC(struct pw_record_gc_cycle) gc_cycles;
	PW_VEC(struct pw_record_frame) frames;
	PW_VEC(struct pw_record_stack) stacks;
	PW_VEC(const char *) strings;
};

int pw_record_builder_new(struct pw_record_builder **ret_builder)
{
	struct pw_record_builder *builder = calloc(1, sizeof(*builder));
	int r;

	if (!builder)
		return -ENOMEM;
	r = pw_intern_new(&builder->intern, PW_RECORD_STRINGS_MAX, PW_RECORD_TEXT_MAX);
	if (r < 0) {
		free(builder);
		return r;
	}
	builder->generation = 1;
	builder->sites.max = PW_RECORD_SITES_MAX;
	builder->drops.max = PW_RECORD_DROPS_MAX;
	builder->statements.max = PW_RECORD_STATEMENTS_MAX;
	builder->counts.max = PW_RECORD_COUNTS_MAX;
	builder->reasons.max = PW_RECORD_REASONS_MAX;
	builder->groups.max = PW_RECORD_GROUPS_MAX;
	builder->ages.max = PW_RECORD_AGES_MAX;
	builder->parks.max = PW_RECORD_PARKS_MAX;
	builder->park_ages.max = PW_RECORD_PARK_AGES_MAX;
	builder->rows.max = PW_RECORD_ROWS_MAX;
	builder->locks.max = PW_RECORD_LOCKS_MAX;
	builder->buckets.max = PW_RECORD_BUCKETS_MAX;
	builder->gc_cycles.max = PW_RECORD_GC_CYCLES_MAX;
	builder->frames.max = PW_RECORD_FRAMES_MAX;
	builder->stacks.max = PW_RECORD_STACKS_MAX;
	builder->strings.max = PW_RECORD_STRINGS_MAX;
	*ret_builder = builder;
	return 0;
}

void pw_record_builder_free(struct pw_record_builder *builder)
{
	if (!builder)
		return;
	pw_vec_done(&builder->sites);
	pw_vec_done(&builder->drops);
	pw_vec_done(&builder->statements);
	pw_vec_done(&builder->counts);
	pw_vec_done(&builder->reasons);
	pw_vec_done(&builder->groups);
	pw_vec_done(&builder->ages);
	pw_vec_done(&builder->parks);
	pw_vec_done(&builder->park_ages);
	pw_vec_done(&builder->rows);
	pw_vec_done(&builder->locks);
	pw_vec_done(&builder->buckets);
	pw_vec_done(&builder->gc_cycles);
	pw_vec_done(&builder->frames);
	pw_vec_done(&builder->stacks);
	pw_vec_done(&builder->strings);
	pw_intern_free(builder->intern);
	free(builder);
}

static void renew_strings(struct pw_record_builder *builder)
{
	struct pw_intern *intern = NULL;

	if (pw_intern_count(builder->intern) < PW_RECORD_STRINGS_MAX / 4 * 3 &&
	    pw_intern_bytes(builder->intern) < PW_RECORD_TEXT_MAX / 4 * 3)
		return;
	if (pw_intern_new(&intern, PW_RECORD_STRINGS_MAX, PW_RECORD_TEXT_MAX) < 0)
		return; /* the old one still works, and refuses what is new */
	builder->strings_refused += pw_intern_dropped(builder->intern);
	pw_intern_free(builder->intern);
	builder->intern = intern;
	builder->generation++;
}

struct pw_record *pw_record_builder_begin(struct pw_record_builder *builder)
{
	memset(&builder->draft, 0, sizeof(builder->draft));
	pw_vec_reset(&builder->sites);
	pw_vec_reset(&builder->drops);
	pw_vec_reset(&builder->statements);
	pw_vec_reset(&builder->counts);
	pw_vec_reset(&builder->reasons);
	pw_vec_reset(&builder->groups);
	pw_vec_reset(&builder->ages);
	pw_vec_reset(&builder->parks);
	pw_vec_reset(&builder->park_ages);
	pw_vec_reset(&builder->rows);
	pw_vec_reset(&builder->locks);
	pw_vec_reset(&builder->buckets);
	pw_vec_reset(&builder->gc_cycles);
	pw_vec_reset(&builder->frames);
	pw_vec_reset(&builder->stacks);
	renew_strings(builder);
	return &builder->draft;
}

pw_string pw_record_builder_string(struct pw_record_builder *builder, const char *text)
{
	uint32_t id;

	if (!text || !text[0] || pw_intern_adds(builder->intern, text, &id) < 0)
		return 0;
	return id;
}

uint64_t pw_record_builder_generation(const struct pw_record_builder *builder)
{
	return builder->generation;
}

#define DEFINE_ADD(name, type, field, list)                                                    \
	type *pw_record_builder_##name(struct pw_record_builder *builder, uint32_t *ret_index) \
	{                                                                                      \
		type *element = pw_vec_add(&builder->field);                                   \
                                                                                               \
		if (!element)                                                                  \
			builder->refused[list]++;                                              \
		else if (ret_index)                                                            \
			*ret_index = (uint32_t)builder->field.count - 1;                       \
		return element;                                                                \
	}

DEFINE_ADD(site, struct pw_record_site, sites, SITES)
DEFINE_ADD(drop, struct pw_record_drop, drops, DROPS)
DEFINE_ADD(statement, struct pw_record_statement, statements, STATEMENTS)
DEFINE_ADD(event_count, struct pw_record_event_count, counts, COUNTS)
DEFINE_ADD(reason, struct pw_record_reason_count, reasons, REASONS)
DEFINE_ADD(group, struct pw_record_group, groups, GROUPS)
DEFINE_ADD(age, struct pw_record_age, ages, AGES)
DEFINE_ADD(park, struct pw_record_park, parks, PARKS)
DEFINE_ADD(park_age, struct pw_record_age, park_ages, PARK_AGES)
DEFINE_ADD(row, struct pw_record_row, rows, ROWS)
DEFINE_ADD(lock, struct pw_record_lock, locks, LOCKS)
DEFINE_ADD(bucket, struct pw_record_bucket, buckets, BUCKETS)
DEFINE_ADD(gc_cycle, struct pw_record_gc_cycle, gc_cycles, GC_CYCLES)
DEFINE_ADD(frame, struct pw_record_frame, frames, FRAMES)
DEFINE_ADD(stack, struct pw_record_stack, stacks, STACKS)

static void add_refusals(struct pw_record_builder *builder)
{
	uint64_t strings = builder->strings_refused + pw_intern_dropped(builder->intern);

	for (size_t i = 0; i <= _LIST_MAX; i++) {
		uint64_t count = i < _LIST_MAX ? builder->refused[i] : strings;
		struct pw_record_drop *drop;

		if (!count)
			continue;
		drop = pw_vec_add(&builder->drops);
		if (!drop)
			continue;
		drop->name = pw_record_builder_string(builder, i < _LIST_MAX ? list_names[i] : "record_strings_full");
		drop->count = count;
		builder->draft.drops_section.present = true;
	}
}

int pw_record_builder_finish(struct pw_record_builder *builder, struct pw_record **ret_record)
{
	struct pw_record *draft = &builder->draft;
	int r;

	add_refusals(builder);
	pw_vec_reset(&builder->strings);
	for (uint32_t i = 0; i < pw_intern_count(builder->intern); i++) {
		r = pw_vec_push(&builder->strings, pw_intern_text(builder->intern, i));
		if (r < 0)
			return r;
	}
	draft->sites = builder->sites.items;
	draft->site_count = builder->sites.count;
	draft->drops = builder->drops.items;
	draft->drop_count = builder->drops.count;
	draft->statements = builder->statements.items;
	draft->statement_count = builder->statements.count;
	draft->events.counts = builder->counts.items;
	draft->events.count = builder->counts.count;
	draft->reasons = builder->reasons.items;
	draft->reason_count = builder->reasons.count;
	draft->census.groups = builder->groups.items;
	draft->census.group_count = builder->groups.count;
	draft->census.ages = builder->ages.items;
	draft->census.age_count = builder->ages.count;
	draft->snapshot.parks = builder->parks.items;
	draft->snapshot.park_count = builder->parks.count;
	draft->snapshot.ages = builder->park_ages.items;
	draft->snapshot.age_count = builder->park_ages.count;
	draft->snapshot.rows = builder->rows.items;
	draft->snapshot.row_count = builder->rows.count;
	draft->snapshot.locks = builder->locks.items;
	draft->snapshot.lock_count = builder->locks.count;
	draft->runtime.buckets = builder->buckets.items;
	draft->runtime.bucket_count = builder->buckets.count;
	draft->gc.cycles = builder->gc_cycles.items;
	draft->gc.cycle_count = builder->gc_cycles.count;
	draft->frames = builder->frames.items;
	draft->frame_count = builder->frames.count;
	draft->stacks = builder->stacks.items;
	draft->stack_count = builder->stacks.count;
	draft->strings = builder->strings.items;
	draft->string_count = builder->strings.count;
	r = pw_record_check(draft, NULL);
	if (r < 0)
		return r;
	return pw_record_copy(ret_record, draft);
}
