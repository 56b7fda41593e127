/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "model/codec_walk.h"
#include "model/record.h"
#include "model/storage.h"

/* Every field of a record, in the order of the format. */

static void walk_i32(struct pw_walk *walk, int32_t *now, int32_t old)
{
	uint64_t value = pw_walk_value(walk, (uint32_t)*now, (uint32_t)old, UINT32_MAX);

	if (!walk->encoding)
		*now = (int32_t)(uint32_t)value;
}

void pw_walk_double(struct pw_walk *walk, double *now, double old)
{
	uint64_t now_bits, old_bits;

	memcpy(&now_bits, now, sizeof(now_bits));
	memcpy(&old_bits, &old, sizeof(old_bits));
	now_bits = pw_walk_value(walk, now_bits, old_bits, UINT64_MAX);
	if (!walk->encoding)
		memcpy(now, &now_bits, sizeof(now_bits));
}

/*
 * A range of a list that others share: mostly it begins where the one before it ended, whatever has changed in the
 * list, and an empty one at 0.
 */
static void walk_range(struct pw_walk *walk, uint32_t *first, uint32_t *count, uint32_t old_count, uint32_t *next)
{
	uint32_t count_now = (uint32_t)pw_walk_value(walk, *count, old_count, UINT32_MAX);
	uint32_t first_now = (uint32_t)pw_walk_value(walk, *first, count_now ? *next : 0, UINT32_MAX);

	if (!walk->encoding) {
		*first = first_now;
		*count = count_now;
	}
	if (count_now)
		*next = first_now + count_now;
}

void pw_walk_section(struct pw_walk *walk, struct pw_section *now, const struct pw_section *old)
{
	BOOL(present);
	U8(version);
	U8(quality);
	U64(taken_ns);
}

static void walk_site(struct pw_walk *walk, struct pw_record_site *now, const struct pw_record_site *old)
{
	U32(event);
	U32(function);
	U32(instruction);
	U32(note);
	U64(offset);
	BOOL(found);
	BOOL(attached);
	BOOL(emulated);
	U64(hits);
	U64(cost_ns);
	if (walk->version >= 5)
		U8(counting);
}

static void walk_drop(struct pw_walk *walk, struct pw_record_drop *now, const struct pw_record_drop *old)
{
	U32(name);
	U64(count);
}

static void walk_statement(struct pw_walk *walk, struct pw_record_statement *now, const struct pw_record_statement *old)
{
	U64(gopc);
	U32(function);
	U32(file);
	U32(line);
	BOOL(system);
}

static void walk_count(struct pw_walk *walk, struct pw_record_event_count *now, const struct pw_record_event_count *old)
{
	U32(statement);
	U64(spawned);
	U64(exited);
	U64(parked);
	U64(ran);
	walk_range(walk, &now->first_reason, &now->reason_count, old->reason_count, &walk->next_reason);
	U32(creation_stack);
	if (walk->version < 2)
		return;
	BOOL(drift_known);
	BOOL(drift_exact);
	I64(drift);
}

static void walk_reason(struct pw_walk *walk, struct pw_record_reason_count *now,
			const struct pw_record_reason_count *old)
{
	U32(reason);
	U64(count);
}

static void walk_group(struct pw_walk *walk, struct pw_record_group *now, const struct pw_record_group *old)
{
	U32(statement);
	U8(status);
	U32(reason);
	U64(count);
	U64(count_initial);
	U64(oldest_born_before_ns);
	U64(youngest_born_after_ns);
	walk_range(walk, &now->first_age, &now->age_count, old->age_count, &walk->next_age);
}

static void walk_age(struct pw_walk *walk, struct pw_record_age *now, const struct pw_record_age *old)
{
	U64(born_before_ns);
	U64(count);
}

/* What format 9 brought. */
static void walk_wait_9(struct pw_walk *walk, struct pw_record_park *now, const struct pw_record_park *old)
{
	if (walk->version < 9) {
		now->wait.fd = -1;
		now->wait.deadline_ns = INT64_MIN;
		now->wait.counter = -1;
		return;
	}
	U64(arrived);
	U32(wait.sync);
	BOOL(wait.state_known);
	BOOL(wait.locked);
	BOOL(wait.starving);
	BOOL(wait.woken);
	BOOL(wait.writer);
	U32(wait.cases);
	walk_i32(walk, &now->wait.fd, old->wait.fd);
	I64(wait.deadline_ns);
	I64(wait.period_ns);
	I64(wait.counter);
	U64(wait.owner_goid);
}

static void walk_park(struct pw_walk *walk, struct pw_record_park *now, const struct pw_record_park *old)
{
	U32(statement);
	U8(status);
	BOOL(truncated);
	BOOL(oldest_at_least);
	U32(reason);
	U32(stack);
	U32(stacks);
	U64(count);
	U64(never_ran);
	U64(runs);
	U64(oldest_since_ns);
	walk_range(walk, &now->first_age, &now->age_count, old->age_count, &walk->next_park_age);
	U64(count_initial);
	walk_range(walk, &now->first_birth, &now->birth_count, old->birth_count, &walk->next_park_age);
	U64(largest_stack_bytes);
	U32(wait.kind);
	BOOL(wait.known);
	BOOL(wait.nil);
	BOOL(wait.closed);
	U32(wait.objects);
	U64(wait.length);
	U64(wait.capacity);
	U64(wait.receivers);
	U64(wait.senders);
	walk_wait_9(walk, now, old);
	if (walk->version < 11)
		return;
	U32(sockets.deadline_known);
	U32(sockets.no_deadline);
	U32(sockets.known);
	U32(sockets.established);
	U32(sockets.closed);
	U32(sockets.heard);
	U64(sockets.quiet_ns);
}

static void walk_row(struct pw_walk *walk, struct pw_record_row *now, const struct pw_record_row *old)
{
	U64(goid);
	U32(park);
	U32(runs);
	U32(object);
	U64(parked_since_ns);
	U64(born_after_ns);
	U64(born_before_ns);
	if (walk->version >= 9)
		U64(owner_goid);
}

static void walk_bucket(struct pw_walk *walk, struct pw_record_bucket *now, const struct pw_record_bucket *old)
{
	WALK(histogram, uint16_t, UINT16_MAX);
	WALK(bucket, uint16_t, UINT16_MAX);
	U64(count);
}

static void walk_frame(struct pw_walk *walk, struct pw_record_frame *now, const struct pw_record_frame *old)
{
	U32(function);
	U32(file);
	U32(line);
	BOOL(inlined);
	U64(addr);
}

static void walk_stack(struct pw_walk *walk, struct pw_record_stack *now, const struct pw_record_stack *old)
{
	walk_range(walk, &now->first, &now->count, old->count, &walk->next_frame);
}

/* A field added to one of these must be added to its walk, and the format's version raised. */
_Static_assert(sizeof(struct pw_section) == 16, "walk_section");
_Static_assert(sizeof(struct pw_record_site) == 48, "walk_site");
_Static_assert(sizeof(struct pw_record_drop) == 16, "walk_drop");
_Static_assert(sizeof(struct pw_record_statement) == 24, "walk_statement");
_Static_assert(sizeof(struct pw_record_event_count) == 64, "walk_count");
_Static_assert(sizeof(struct pw_record_reason_count) == 16, "walk_reason");
_Static_assert(sizeof(struct pw_record_group) == 56, "walk_group");
_Static_assert(sizeof(struct pw_record_age) == 16, "walk_age");
_Static_assert(sizeof(struct pw_record_park) == 232, "walk_park");
_Static_assert(sizeof(struct pw_record_row) == 56, "walk_row");
_Static_assert(sizeof(struct pw_record_bucket) == 16, "walk_bucket");
_Static_assert(sizeof(struct pw_record_frame) == 24, "walk_frame");
_Static_assert(sizeof(struct pw_record_stack) == 8, "walk_stack");
_Static_assert(sizeof(struct pw_record_identity) == 80, "walk_identity");
_Static_assert(sizeof(struct pw_record) == 4432, "walk_record");

static void walk_identity(struct pw_walk *walk, struct pw_record_identity *now, const struct pw_record_identity *old)
{
	U64(target_id);
	walk_i32(walk, &now->pid, old->pid);
	U64(start_time_ns);
	U32(service);
	U32(process);
	U32(exe);
	U32(unit);
	U32(container);
	U32(pod);
	U32(build_id);
	U32(go_version);
	U32(main_path);
	U32(module);
	U32(module_version);
	U32(revision);
	BOOL(stripped);
	BOOL(pie);
	U32(state);
}

static void walk_cost(struct pw_walk *walk, struct pw_record *now, const struct pw_record *old)
{
	pw_walk_section(walk, &now->cost.section, &old->cost.section);
	U64(cost.hits);
	pw_walk_double(walk, &now->cost.cpu_percent, old->cost.cpu_percent);
	pw_walk_double(walk, &now->cost.budget_percent, old->cost.budget_percent);
	U32(cost.governor_state);
	U64(cost.census_ns);
	U64(cost.bytes_read);
	if (walk->version < 5)
		return;
	U64(cost.probe_ns);
	pw_walk_double(walk, &now->cost.snapshot_percent, old->cost.snapshot_percent);
	U64(cost.snapshot_ns);
	U64(cost.snapshot_bytes);
}

static void walk_sampled(struct pw_walk *walk, struct pw_record_sampled *now, const struct pw_record_sampled *old)
{
	U8(counting);
	BOOL(exact);
	pw_walk_double(walk, &now->square, old->square);
	pw_walk_double(walk, &now->linear, old->linear);
}

static void walk_events(struct pw_walk *walk, struct pw_record *now, const struct pw_record *old)
{
	pw_walk_section(walk, &now->events.section, &old->events.section);
	U64(events.spawned);
	U64(events.exited);
	U64(events.parked);
	U64(events.gc_cycles);
	U64(events.gc_mark_terminations);
	U64(events.gc_sweeps);
	U64(events.stw_starts);
	U64(events.stw_ends);
	U64(events.stw_total_ns);
	U64(events.last_cycle.start_ns);
	U64(events.last_cycle.mark_termination_ns);
	U64(events.last_cycle.sweep_ns);
	if (walk->version < 5) {
		now->events.spawn.counting = now->events.exit.counting = now->events.park.counting =
			now->events.section.present ? PW_COUNTING_CONTINUOUS : PW_COUNTING_OFF;
		return;
	}
	walk_sampled(walk, &now->events.spawn, &old->events.spawn);
	walk_sampled(walk, &now->events.exit, &old->events.exit);
	walk_sampled(walk, &now->events.park, &old->events.park);
	U64(events.sampled_ns);
	U64(events.windows);
}

/* What format 2 had of the runtime's numbers. */
static void walk_runtime_before_3(struct pw_walk *walk, struct pw_record *now, const struct pw_record *old)
{
	struct pw_runtime_numbers unknown;

	if (!walk->encoding) {
		pw_runtime_numbers_init(&unknown);
		now->runtime.numbers = unknown;
	}
	U64(runtime.numbers.goroutines);
	U64(runtime.numbers.spawn_total);
	U64(runtime.numbers.gomaxprocs);
	U64(runtime.numbers.threads);
	U64(runtime.numbers.gc_cycles);
	U64(runtime.numbers.gc_forced);
	U64(runtime.numbers.gc_pause_total_ns);
	U64(runtime.numbers.heap_live_bytes);
	U64(runtime.numbers.heap_marked_bytes);
}

static void walk_runtime(struct pw_walk *walk, struct pw_record *now, const struct pw_record *old)
{
	if (walk->version < 3) {
		walk_runtime_before_3(walk, now, old);
		return;
	}
#define X(name, kind, unit) U64(runtime.numbers.name);
	PW_RUNTIME_NUMBERS(X)
#undef X
	for (size_t i = 0; i < PW_PAUSE_QUANTILES; i++)
		U64(runtime.numbers.gc_pause_quantiles_ns[i]);
	pw_walk_double(walk, &now->runtime.numbers.gc_cpu_fraction, old->runtime.numbers.gc_cpu_fraction);
	for (size_t i = 0; i < _PW_HISTOGRAM_MAX; i++)
		U8(runtime.scale[i]);
}

static void walk_numbers(struct pw_walk *walk, struct pw_record *now, const struct pw_record *old)
{
	pw_walk_section(walk, &now->census.section, &old->census.section);
	U64(census.total);
	U64(census.system);
	U64(census.skipped);
	U64(census.torn);
	pw_walk_section(walk, &now->drift.section, &old->drift.section);
	U64(drift.live_by_events);
	U64(drift.live_by_census);
	I64(drift.difference);
	pw_walk_section(walk, &now->runtime.section, &old->runtime.section);
	walk_runtime(walk, now, old);
	pw_walk_section(walk, &now->kernel.section, &old->kernel.section);
	U64(kernel.rss_bytes);
	U64(kernel.threads);
	U64(kernel.open_files);
	U64(kernel.cpu_ns);
	if (walk->version < 7) {
		now->kernel.throttled_ns = PW_UNKNOWN;
		return;
	}
	BOOL(kernel.stopped);
	BOOL(kernel.frozen);
	U64(kernel.throttled_ns);
}

/* --- arrays ------------------------------------------------------------------------------------------------------ */

/*
 * Is b in the old record what a is now? Elements come and go (groups of running goroutines, rows, ages), so each is
 * held against the old element it continues, and says which that is: mostly the one behind its predecessor's, which
 * costs nothing.
 */
static bool same_site(const struct pw_record_site *a, const struct pw_record_site *b)
{
	return a->event == b->event;
}

static bool same_drop(const struct pw_record_drop *a, const struct pw_record_drop *b)
{
	return a->name == b->name;
}

static bool same_statement(const struct pw_record_statement *a, const struct pw_record_statement *b)
{
	return a->gopc == b->gopc;
}

static bool same_count(const struct pw_record_event_count *a, const struct pw_record_event_count *b)
{
	return a->statement == b->statement;
}

static bool same_reason(const struct pw_record_reason_count *a, const struct pw_record_reason_count *b)
{
	return a->reason == b->reason;
}

static bool same_group(const struct pw_record_group *a, const struct pw_record_group *b)
{
	return a->statement == b->statement && a->status == b->status && a->reason == b->reason;
}

static bool same_age(const struct pw_record_age *a, const struct pw_record_age *b)
{
	return a->born_before_ns == b->born_before_ns;
}

static bool same_park(const struct pw_record_park *a, const struct pw_record_park *b)
{
	return a->statement == b->statement && a->status == b->status && a->reason == b->reason &&
	       (a->stack == UINT32_MAX) == (b->stack == UINT32_MAX);
}

static bool same_row(const struct pw_record_row *a, const struct pw_record_row *b)
{
	return a->goid == b->goid;
}

static bool same_bucket(const struct pw_record_bucket *a, const struct pw_record_bucket *b)
{
	return a->histogram == b->histogram && a->bucket == b->bucket;
}

static bool same_frame(const struct pw_record_frame *a, const struct pw_record_frame *b)
{
	return a->addr == b->addr && a->function == b->function;
}

static bool same_stack(const struct pw_record_stack *a, const struct pw_record_stack *b)
{
	return a->count == b->count;
}

/* How far ahead the old element is looked for; farther away a new one is cheaper than the search. */
#define LOOK_AHEAD 128

/*
 * Walks the array `list` of `type` by walk_element. Decoding, it is allocated first; the draft owns it. An element that
 * continues none is held against its own predecessor, because neighbours are alike (goids, addresses, times).
 */
#define DEFINE_WALK_LIST(name, type, list, list_count, max, walk_element, same)                                  \
	static size_t find_##name(const struct pw_record *old, const type *element, size_t expected)             \
	{                                                                                                        \
		for (size_t i = expected; i < old->list_count && i - expected < LOOK_AHEAD; i++)                 \
			if (same(element, &old->list[i]))                                                        \
				return i;                                                                        \
		return old->list_count;                                                                          \
	}                                                                                                        \
                                                                                                                 \
	static void name(struct pw_walk *walk, struct pw_record *now, const struct pw_record *old)               \
	{                                                                                                        \
		static const type nothing;                                                                       \
		size_t count = (size_t)pw_walk_value(walk, now->list_count, old->list_count, max), expected = 0; \
                                                                                                                 \
		if (walk->failed || !count)                                                                      \
			return;                                                                                  \
		if (!walk->encoding) {                                                                           \
			now->list = calloc(count, sizeof(type));                                                 \
			walk->failed = walk->no_memory = !now->list;                                             \
			now->list_count = now->list ? count : 0;                                                 \
		}                                                                                                \
		for (size_t i = 0; i < count && !walk->failed; i++) {                                            \
			size_t from = walk->encoding ? find_##name(old, &now->list[i], expected) : 0;            \
                                                                                                                 \
			from = (size_t)pw_walk_value(walk, from, expected, old->list_count);                     \
			if (from < old->list_count)                                                              \
				expected = from + 1;                                                             \
			walk_element(walk, &now->list[i],                                                        \
				     from < old->list_count ? &old->list[from]                                   \
				     : i		    ? &now->list[i - 1]                                  \
							    : &nothing);                                                            \
		}                                                                                                \
	}

DEFINE_WALK_LIST(walk_sites, struct pw_record_site, sites, site_count, PW_RECORD_SITES_MAX, walk_site, same_site)
DEFINE_WALK_LIST(walk_drops, struct pw_record_drop, drops, drop_count, PW_RECORD_DROPS_MAX, walk_drop, same_drop)
DEFINE_WALK_LIST(walk_statements, struct pw_record_statement, statements, statement_count, PW_RECORD_STATEMENTS_MAX,
		 walk_statement, same_statement)
DEFINE_WALK_LIST(walk_counts, struct pw_record_event_count, events.counts, events.count, PW_RECORD_COUNTS_MAX,
		 walk_count, same_count)
DEFINE_WALK_LIST(walk_reasons, struct pw_record_reason_count, reasons, reason_count, PW_RECORD_REASONS_MAX, walk_reason,
		 same_reason)
DEFINE_WALK_LIST(walk_groups, struct pw_record_group, census.groups, census.group_count, PW_RECORD_GROUPS_MAX,
		 walk_group, same_group)
DEFINE_WALK_LIST(walk_ages, struct pw_record_age, census.ages, census.age_count, PW_RECORD_AGES_MAX, walk_age, same_age)
DEFINE_WALK_LIST(walk_parks, struct pw_record_park, snapshot.parks, snapshot.park_count, PW_RECORD_PARKS_MAX, walk_park,
		 same_park)
DEFINE_WALK_LIST(walk_park_ages, struct pw_record_age, snapshot.ages, snapshot.age_count, PW_RECORD_PARK_AGES_MAX,
		 walk_age, same_age)
DEFINE_WALK_LIST(walk_rows, struct pw_record_row, snapshot.rows, snapshot.row_count, PW_RECORD_ROWS_MAX, walk_row,
		 same_row)
DEFINE_WALK_LIST(walk_buckets, struct pw_record_bucket, runtime.buckets, runtime.bucket_count, PW_RECORD_BUCKETS_MAX,
		 walk_bucket, same_bucket)
DEFINE_WALK_LIST(walk_frames, struct pw_record_frame, frames, frame_count, PW_RECORD_FRAMES_MAX, walk_frame, same_frame)
DEFINE_WALK_LIST(walk_stacks, struct pw_record_stack, stacks, stack_count, PW_RECORD_STACKS_MAX, walk_stack, same_stack)

static void walk_snapshot(struct pw_walk *walk, struct pw_record *now, const struct pw_record *old)
{
	pw_walk_section(walk, &now->snapshot.section, &old->snapshot.section);
	U64(snapshot.total);
	U64(snapshot.skipped);
	U64(snapshot.torn);
	U64(snapshot.stacks_read);
	U64(snapshot.stacks_kept);
	U64(snapshot.duration_ns);
	U64(snapshot.cpu_ns);
	U64(snapshot.bytes_read);
	U64(snapshot.interval_ns);
	if (walk->version >= 9)
		U64(snapshot.elapsed_ns);
	walk_parks(walk, now, old);
	walk_park_ages(walk, now, old);
	walk_rows(walk, now, old);
	if (walk->version >= 7)
		pw_walk_locks(walk, now, old);
	if (walk->version >= 12)
		pw_walk_large_stacks(walk, now, old);
	else if (!walk->encoding)
		now->snapshot.stack_p99_bytes = PW_UNKNOWN;
}

void pw_walk_record(struct pw_walk *walk, struct pw_record *now, const struct pw_record *old)
{
	U64(sequence);
	U64(boot_ns);
	U64(wall_ns);
	U64(interval_ns);
	walk_identity(walk, &now->identity, &old->identity);
	for (size_t i = 0; i < _PW_ABILITY_MAX; i++) {
		BOOL(abilities[i].ok);
		U32(abilities[i].reason);
	}
	walk_cost(walk, now, old);
	walk_events(walk, now, old);
	walk_numbers(walk, now, old);
	pw_walk_section(walk, &now->sites_section, &old->sites_section);
	pw_walk_section(walk, &now->drops_section, &old->drops_section);
	walk_sites(walk, now, old);
	walk_drops(walk, now, old);
	walk_statements(walk, now, old);
	walk_counts(walk, now, old);
	walk_reasons(walk, now, old);
	walk_frames(walk, now, old);
	walk_stacks(walk, now, old);
	walk_groups(walk, now, old);
	walk_ages(walk, now, old);
	if (walk->version < 2)
		(void)pw_walk_value(walk, 0, 0, 0); /* rows of the census: no daemon has ever recorded one */
	else
		walk_snapshot(walk, now, old);
	if (walk->version >= 3)
		walk_buckets(walk, now, old);
	if (walk->version >= 4)
		pw_walk_memory(walk, now, old);
	if (walk->version >= 6)
		pw_walk_heap(walk, now, old);
	if (walk->version >= 10)
		pw_walk_holdings(walk, now, old);
}
