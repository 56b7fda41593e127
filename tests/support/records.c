/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "support/records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "model/builder.h"
#include "model/record.h"
#include "observe/steps.h"

uint64_t rnd(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

uint64_t rnd_below(uint64_t *state, uint64_t limit)
{
	return limit ? rnd(state) % limit : 0;
}

/* --- random records ---------------------------------------------------------------------------------------------- */

/* Small, middle-sized and huge numbers, and the marks of "unknown" and "nothing". */
static uint64_t number(uint64_t *seed)
{
	switch (rnd_below(seed, 6)) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2:
		return rnd(seed);
	case 3:
		return rnd_below(seed, 1000000);
	default:
		return rnd_below(seed, 300);
	}
}

static bool coin(uint64_t *seed)
{
	return rnd(seed) & 1;
}

static pw_string word(struct pw_record_builder *builder, uint64_t *seed)
{
	char text[64];

	snprintf(text, sizeof(text), "word-%u-\xc3\xa4\n", (unsigned int)rnd_below(seed, 40));
	return coin(seed) ? pw_record_builder_string(builder, text) : 0;
}

static struct pw_section some_section(uint64_t *seed)
{
	return (struct pw_section){.present = coin(seed),
				   .version = (uint8_t)rnd(seed),
				   .quality = (uint8_t)rnd_below(seed, 4),
				   .taken_ns = number(seed)};
}

static void random_identity(struct pw_record *draft, struct pw_record_builder *builder, uint64_t *seed)
{
	struct pw_record_identity *id = &draft->identity;
	pw_string *strings[] = {
		&id->service,  &id->process,	&id->exe,	&id->unit,   &id->container,	  &id->pod,
		&id->build_id, &id->go_version, &id->main_path, &id->module, &id->module_version, &id->revision,
		&id->state};

	for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
		*strings[i] = word(builder, seed);
	id->pid = (int32_t)rnd(seed);
	id->start_time_ns = number(seed);
	id->stripped = coin(seed);
	id->pie = coin(seed);
	for (size_t i = 0; i < _PW_ABILITY_MAX; i++) {
		draft->abilities[i].ok = coin(seed);
		draft->abilities[i].reason = word(builder, seed);
	}
}

static void random_numbers(struct pw_record *draft, struct pw_record_builder *builder, uint64_t *seed)
{
	uint64_t *numbers[] = {
		&draft->sequence,
		&draft->boot_ns,
		&draft->wall_ns,
		&draft->interval_ns,
		&draft->cost.hits,
		&draft->cost.census_ns,
		&draft->cost.bytes_read,
		&draft->events.spawned,
		&draft->events.exited,
		&draft->events.parked,
		&draft->events.gc_cycles,
		&draft->events.gc_mark_terminations,
		&draft->events.gc_sweeps,
		&draft->events.stw_starts,
		&draft->events.stw_ends,
		&draft->events.stw_total_ns,
		&draft->events.last_cycle.start_ns,
		&draft->events.last_cycle.mark_termination_ns,
		&draft->events.last_cycle.sweep_ns,
		&draft->census.total,
		&draft->census.system,
		&draft->census.skipped,
		&draft->census.torn,
		&draft->drift.live_by_events,
		&draft->drift.live_by_census,
		&draft->cost.probe_ns,
		&draft->cost.snapshot_ns,
		&draft->cost.snapshot_bytes,
		&draft->events.sampled_ns,
		&draft->events.windows,
		&draft->kernel.rss_bytes,
		&draft->kernel.threads,
		&draft->kernel.open_files,
		&draft->kernel.cpu_ns,
		&draft->kernel.throttled_ns,
	};
	struct pw_section *sections[] = {
		&draft->sites_section,	&draft->drops_section, &draft->cost.section,	&draft->events.section,
		&draft->census.section, &draft->drift.section, &draft->runtime.section, &draft->kernel.section,
	};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		*numbers[i] = number(seed);
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		*sections[i] = some_section(seed);
	draft->drift.difference = (int64_t)number(seed);
	draft->cost.cpu_percent = (double)rnd_below(seed, 1000) / 7;
	draft->cost.budget_percent = coin(seed) ? -1.0 : 1.0;
	draft->cost.governor_state = word(builder, seed);
	draft->cost.snapshot_percent = (double)rnd_below(seed, 1000) / 7;
	struct pw_record_sampled *const sampled[] = {&draft->events.spawn, &draft->events.exit, &draft->events.park};
	for (size_t i = 0; i < ARRAY_SIZE(sampled); i++)
		*sampled[i] = (struct pw_record_sampled){.counting = (uint8_t)rnd_below(seed, _PW_COUNTING_MAX),
							 .exact = coin(seed),
							 .square = (double)rnd_below(seed, 1000) / 7,
							 .linear = (double)rnd_below(seed, 1000) / 7};
}

static void random_lists(struct pw_record_builder *builder, uint64_t *seed, size_t max)
{
	for (size_t i = rnd_below(seed, PW_MIN(max, (size_t)10)); i > 0; i--) {
		struct pw_record_site *site = pw_record_builder_site(builder, NULL);

		site->event = word(builder, seed);
		site->function = word(builder, seed);
		site->instruction = word(builder, seed);
		site->note = word(builder, seed);
		site->offset = number(seed);
		site->found = coin(seed);
		site->attached = coin(seed);
		site->emulated = coin(seed);
		site->counting = (uint8_t)rnd_below(seed, _PW_COUNTING_MAX);
		site->hits = number(seed);
		site->cost_ns = number(seed);
	}
	for (size_t i = rnd_below(seed, PW_MIN(max, (size_t)20)); i > 0; i--) {
		struct pw_record_drop *drop = pw_record_builder_drop(builder, NULL);

		drop->name = word(builder, seed);
		drop->count = number(seed);
	}
}

/* Returns how many stacks it made. */
static uint32_t random_statements(struct pw_record_builder *builder, uint64_t *seed, size_t count)
{
	uint32_t frames = (uint32_t)rnd_below(seed, count * 3), reasons = (uint32_t)rnd_below(seed, count * 2);
	uint32_t stacks = frames ? (uint32_t)rnd_below(seed, count) : 0;

	for (uint32_t i = 0; i < frames; i++) {
		struct pw_record_frame *frame = pw_record_builder_frame(builder, NULL);

		frame->function = word(builder, seed);
		frame->file = word(builder, seed);
		frame->line = (uint32_t)number(seed);
		frame->inlined = coin(seed);
		frame->addr = number(seed);
	}
	for (uint32_t i = 0; i < stacks; i++) {
		struct pw_record_stack *stack = pw_record_builder_stack(builder, NULL);

		stack->first = (uint32_t)rnd_below(seed, frames);
		stack->count = (uint32_t)rnd_below(seed, frames - stack->first + 1);
	}
	for (uint32_t i = 0; i < reasons; i++) {
		struct pw_record_reason_count *reason = pw_record_builder_reason(builder, NULL);

		reason->reason = word(builder, seed);
		reason->count = number(seed);
	}
	for (size_t i = 0; i < count; i++) {
		struct pw_record_statement *statement = pw_record_builder_statement(builder, NULL);
		struct pw_record_event_count *events;

		statement->gopc = 0x400000 + rnd_below(seed, 200) * 7;
		statement->function = word(builder, seed);
		statement->file = word(builder, seed);
		statement->line = (uint32_t)number(seed);
		statement->system = coin(seed);
		if (coin(seed))
			continue;
		events = pw_record_builder_event_count(builder, NULL);
		events->statement = (uint32_t)rnd_below(seed, count);
		events->spawned = number(seed);
		events->exited = number(seed);
		events->parked = number(seed);
		events->ran = number(seed);
		events->first_reason = (uint32_t)rnd_below(seed, reasons + 1);
		events->reason_count = (uint32_t)rnd_below(seed, reasons - events->first_reason + 1);
		events->creation_stack = stacks && coin(seed) ? (uint32_t)rnd_below(seed, stacks) : UINT32_MAX;
		events->drift_known = coin(seed);
		events->drift_exact = coin(seed);
		events->drift = (int64_t)number(seed);
	}
	return stacks;
}

static void random_runtime(struct pw_record *draft, struct pw_record_builder *builder, uint64_t *seed, size_t max)
{
#define X(name, kind, unit) draft->runtime.numbers.name = number(seed);
	PW_RUNTIME_NUMBERS(X)
#undef X
	for (size_t i = 0; i < PW_PAUSE_QUANTILES; i++)
		draft->runtime.numbers.gc_pause_quantiles_ns[i] = number(seed);
	draft->runtime.numbers.gc_cpu_fraction = (double)rnd_below(seed, 1000) / 1001;
	for (size_t i = 0; i < _PW_HISTOGRAM_MAX; i++)
		draft->runtime.scale[i] = (uint8_t)(1 + rnd_below(seed, _PW_SCALE_MAX - 1));
	for (size_t i = rnd_below(seed, max * 4); i > 0; i--) {
		struct pw_record_bucket *bucket = pw_record_builder_bucket(builder, NULL);

		bucket->histogram = (uint16_t)rnd_below(seed, _PW_HISTOGRAM_MAX);
		bucket->bucket = (uint16_t)rnd_below(seed, pw_scale_buckets(draft->runtime.scale[bucket->histogram]));
		bucket->count = number(seed);
	}
}

static void random_gc(struct pw_record *draft, struct pw_record_builder *builder, uint64_t *seed, size_t max)
{
	uint64_t last = rnd_below(seed, 1000), *sums = (uint64_t *)&draft->gc.sums;

	draft->gc.section = some_section(seed);
	for (size_t i = rnd_below(seed, PW_MIN(max, (size_t)PW_GC_RING_MAX)); i > 0; i--) {
		struct pw_record_gc_cycle *cycle = pw_record_builder_gc_cycle(builder, NULL);

		last += 1 + rnd_below(seed, 3);
		*cycle = (struct pw_record_gc_cycle){
			.number = last,
			.start_ns = last * 1000000,
			.mark_ns = last * 1000000 + rnd_below(seed, 1000),
			.mark_termination_ns = last * 1000000 + 1000 + rnd_below(seed, 1000),
			.end_ns = last * 1000000 + 2000 + rnd_below(seed, 1000),
			.since_init_ns = number(seed),
			.pause_ns = number(seed),
			.heap_start_bytes = number(seed),
			.heap_mark_end_bytes = number(seed),
			.heap_live_bytes = number(seed),
			.goal_bytes = number(seed),
			.trigger_bytes = number(seed),
			.stack_bytes = number(seed),
			.globals_bytes = number(seed),
			.assist_ns = number(seed),
			.dedicated_ns = number(seed),
			.fractional_ns = number(seed),
			.idle_ns = number(seed),
			.cpu_fraction = (double)rnd_below(seed, 1000) / 1001,
			.stw_procs = (uint32_t)rnd_below(seed, 100),
			.max_procs = (uint32_t)rnd_below(seed, 100),
			.forced = coin(seed),
			.leak_check = coin(seed),
			.polled = coin(seed),
		};
	}
	for (size_t i = 0; i < sizeof(draft->gc.sums) / sizeof(*sums); i++)
		sums[i] = number(seed);
	draft->gc.sums.assist_share = (double)rnd_below(seed, 1000) / 7;
}

static void random_memory(struct pw_record *draft, struct pw_record_builder *builder, uint64_t *seed)
{
	uint64_t *numbers = (uint64_t *)&draft->memory.table;

	draft->memory.section = some_section(seed);
	for (size_t i = 0; i < sizeof(draft->memory.table) / sizeof(*numbers); i++)
		numbers[i] = number(seed);
	draft->memory.max_path = word(builder, seed);
	draft->memory.high_path = word(builder, seed);
}

static void random_heap(struct pw_record *draft, struct pw_record_builder *builder, uint64_t *seed)
{
	draft->heap.section = some_section(seed);
	draft->heap.rate = number(seed);
	draft->heap.cycle = number(seed);
	draft->heap.sites = number(seed);
	draft->heap.inuse_bytes = number(seed);
	draft->heap.alloc_bytes = number(seed);
	draft->heap.cost_ns = number(seed);
	draft->heap.site_count = rnd_below(seed, PW_RECORD_HEAP_SITES_MAX + 1);
	for (uint64_t i = 0; i < draft->heap.site_count; i++)
		draft->heap.site[i] = (struct pw_record_heap_site){.function = word(builder, seed),
								   .file = word(builder, seed),
								   .line = (uint32_t)number(seed),
								   .inuse_bytes = number(seed),
								   .inuse_objects = number(seed),
								   .alloc_bytes = number(seed),
								   .growth_bytes = (int64_t)number(seed)};
}

static void random_holdings(struct pw_record *draft, struct pw_record_builder *builder, uint64_t *seed)
{
	uint64_t *numbers = (uint64_t *)&draft->holdings.numbers;

	draft->holdings.section = some_section(seed);
	if (!draft->holdings.section.present)
		return;
	for (size_t i = 0; i < PW_HOLDING_COUNT; i++)
		numbers[i] = number(seed);
	draft->holdings.pids_path = word(builder, seed);
}

static void random_census(struct pw_record_builder *builder, uint64_t *seed, size_t statements, size_t max)
{
	uint32_t groups = statements ? (uint32_t)rnd_below(seed, max) : 0, ages = (uint32_t)rnd_below(seed, max * 4);

	for (uint32_t i = 0; i < ages; i++) {
		struct pw_record_age *age = pw_record_builder_age(builder, NULL);

		age->born_before_ns = number(seed);
		age->count = number(seed);
	}
	for (uint32_t i = 0; i < groups; i++) {
		struct pw_record_group *group = pw_record_builder_group(builder, NULL);

		group->statement = (uint32_t)rnd_below(seed, statements);
		group->status = (uint8_t)rnd_below(seed, _PW_GOROUTINE_STATUS_MAX);
		group->reason = word(builder, seed);
		group->count = number(seed);
		group->count_initial = number(seed);
		group->oldest_born_before_ns = number(seed);
		group->youngest_born_after_ns = number(seed);
		group->first_age = (uint32_t)rnd_below(seed, ages + 1);
		group->age_count = (uint32_t)rnd_below(seed, ages - group->first_age + 1);
	}
}

static void random_locks(struct pw_record *draft, struct pw_record_builder *builder, uint64_t *seed, uint32_t parks)
{
	draft->snapshot.locks_seen = (uint8_t)rnd_below(seed, _PW_LOCKS_MAX);
	draft->snapshot.locks_left_out = number(seed);
	draft->snapshot.stack_p99_bytes = number(seed);
	draft->snapshot.large_count = parks ? (uint32_t)rnd_below(seed, PW_RECORD_LARGE_STACKS_MAX + 1) : 0;
	for (uint32_t i = 0; i < draft->snapshot.large_count; i++)
		draft->snapshot.large[i] = (struct pw_record_large_stack){.goid = number(seed),
									  .bytes = number(seed),
									  .used_bytes = number(seed),
									  .park = (uint32_t)rnd_below(seed, parks)};
	for (size_t i = parks ? rnd_below(seed, 10) : 0; i > 0; i--) {
		struct pw_record_lock *lock = pw_record_builder_lock(builder, NULL);

		lock->park = (uint32_t)rnd_below(seed, parks);
		lock->owner_park = coin(seed) ? (uint32_t)rnd_below(seed, parks) : UINT32_MAX;
		lock->type = word(builder, seed);
		lock->circle_count = (uint32_t)number(seed);
		lock->object = rnd_below(seed, 20);
		lock->waiters = number(seed);
		lock->locks = number(seed);
		lock->all_waiters = number(seed);
		lock->still_since_ns = number(seed);
		lock->waiting_since_ns = number(seed);
		lock->at_least = coin(seed);
		lock->owner_goid = number(seed);
		lock->owner_since_ns = number(seed);
		for (size_t k = 0; k < PW_LOCK_CIRCLE_MAX; k++)
			lock->circle[k] = number(seed);
	}
}

static void random_snapshot(struct pw_record *draft, struct pw_record_builder *builder, uint64_t *seed,
			    size_t statements, uint32_t stacks, size_t max)
{
	uint32_t parks = statements ? (uint32_t)rnd_below(seed, max) : 0, ages = (uint32_t)rnd_below(seed, max * 4);
	uint64_t *numbers[] = {&draft->snapshot.total,	     &draft->snapshot.skipped,	   &draft->snapshot.torn,
			       &draft->snapshot.stacks_read, &draft->snapshot.stacks_kept, &draft->snapshot.duration_ns,
			       &draft->snapshot.cpu_ns,	     &draft->snapshot.bytes_read,  &draft->snapshot.interval_ns,
			       &draft->snapshot.elapsed_ns};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		*numbers[i] = number(seed);
	draft->snapshot.section = some_section(seed);
	for (uint32_t i = 0; i < ages; i++) {
		struct pw_record_age *age = pw_record_builder_park_age(builder, NULL);

		age->born_before_ns = number(seed);
		age->count = number(seed);
	}
	for (uint32_t i = 0; i < parks; i++) {
		struct pw_record_park *park = pw_record_builder_park(builder, NULL);

		park->statement = (uint32_t)rnd_below(seed, statements);
		park->status = (uint8_t)rnd_below(seed, _PW_GOROUTINE_STATUS_MAX);
		park->truncated = coin(seed);
		park->oldest_at_least = coin(seed);
		park->reason = word(builder, seed);
		park->stack = stacks && coin(seed) ? (uint32_t)rnd_below(seed, stacks) : UINT32_MAX;
		park->stacks = (uint32_t)number(seed);
		park->count = number(seed);
		park->never_ran = number(seed);
		park->runs = number(seed);
		park->oldest_since_ns = number(seed);
		park->first_age = (uint32_t)rnd_below(seed, ages + 1);
		park->age_count = (uint32_t)rnd_below(seed, ages - park->first_age + 1);
		park->first_birth = (uint32_t)rnd_below(seed, ages + 1);
		park->birth_count = (uint32_t)rnd_below(seed, ages - park->first_birth + 1);
		park->count_initial = number(seed);
		park->largest_stack_bytes = number(seed);
		park->wait = (struct pw_record_wait){.kind = word(builder, seed),
						     .known = coin(seed),
						     .nil = coin(seed),
						     .closed = coin(seed),
						     .objects = (uint32_t)number(seed),
						     .length = number(seed),
						     .capacity = number(seed),
						     .receivers = number(seed),
						     .senders = number(seed),
						     .sync = word(builder, seed),
						     .state_known = coin(seed),
						     .locked = coin(seed),
						     .starving = coin(seed),
						     .woken = coin(seed),
						     .writer = coin(seed),
						     .cases = (uint32_t)number(seed),
						     .fd = (int32_t)number(seed),
						     .deadline_ns = (int64_t)number(seed),
						     .period_ns = (int64_t)number(seed),
						     .counter = (int64_t)number(seed),
						     .owner_goid = number(seed)};
		park->arrived = number(seed);
		park->sockets = (struct pw_record_sockets){.deadline_known = (uint32_t)number(seed),
							   .no_deadline = (uint32_t)number(seed),
							   .known = (uint32_t)number(seed),
							   .established = (uint32_t)number(seed),
							   .closed = (uint32_t)number(seed),
							   .heard = (uint32_t)number(seed),
							   .quiet_ns = number(seed)};
	}
	for (size_t i = parks ? rnd_below(seed, max * 2) : 0; i > 0; i--) {
		struct pw_record_row *row = pw_record_builder_row(builder, NULL);

		row->goid = number(seed);
		row->park = (uint32_t)rnd_below(seed, parks);
		row->runs = (uint32_t)number(seed);
		row->object = (uint32_t)number(seed);
		row->owner_goid = number(seed);
		row->parked_since_ns = number(seed);
		row->born_after_ns = number(seed);
		row->born_before_ns = number(seed);
	}
	random_locks(draft, builder, seed, parks);
}

struct pw_record *random_record(struct pw_record_builder *builder, uint64_t *seed, uint64_t target_id, size_t max)
{
	struct pw_record *draft = pw_record_builder_begin(builder), *record = NULL;
	size_t statements = rnd_below(seed, max);
	uint32_t stacks;

	random_identity(draft, builder, seed);
	draft->identity.target_id = target_id;
	random_numbers(draft, builder, seed);
	random_lists(builder, seed, max);
	stacks = random_statements(builder, seed, statements);
	random_runtime(draft, builder, seed, max);
	random_gc(draft, builder, seed, max);
	random_memory(draft, builder, seed);
	random_heap(draft, builder, seed);
	random_holdings(draft, builder, seed);
	random_census(builder, seed, statements, max);
	random_snapshot(draft, builder, seed, statements, stacks, max);
	return pw_record_builder_finish(builder, &record) == 0 ? record : NULL;
}

#define SAME(list, list_count)             \
	(a->list_count == b->list_count && \
	 (!a->list_count || memcmp(a->list, b->list, a->list_count * sizeof(*a->list)) == 0))

bool records_equal(const struct pw_record *a, const struct pw_record *b)
{
	struct pw_record x = *a, y = *b;

	/* The lists are held against each other by content; all else, with the padding, must be the same bytes. */
	if (a->string_count != b->string_count)
		return false;
	for (size_t i = 0; i < a->string_count; i++)
		if (strcmp(a->strings[i], b->strings[i]) != 0)
			return false;
	if (!SAME(sites, site_count) || !SAME(drops, drop_count) || !SAME(statements, statement_count) ||
	    !SAME(events.counts, events.count) || !SAME(census.groups, census.group_count) ||
	    !SAME(census.ages, census.age_count) || !SAME(snapshot.parks, snapshot.park_count) ||
	    !SAME(snapshot.ages, snapshot.age_count) || !SAME(snapshot.rows, snapshot.row_count) ||
	    !SAME(snapshot.locks, snapshot.lock_count) || !SAME(runtime.buckets, runtime.bucket_count) ||
	    !SAME(gc.cycles, gc.cycle_count) || !SAME(reasons, reason_count) || !SAME(frames, frame_count) ||
	    !SAME(stacks, stack_count))
		return false;
	x.sites = y.sites = NULL;
	x.drops = y.drops = NULL;
	x.statements = y.statements = NULL;
	x.events.counts = y.events.counts = NULL;
	x.census.groups = y.census.groups = NULL;
	x.census.ages = y.census.ages = NULL;
	x.snapshot.parks = y.snapshot.parks = NULL;
	x.snapshot.ages = y.snapshot.ages = NULL;
	x.snapshot.rows = y.snapshot.rows = NULL;
	x.snapshot.locks = y.snapshot.locks = NULL;
	x.runtime.buckets = y.runtime.buckets = NULL;
	x.gc.cycles = y.gc.cycles = NULL;
	x.reasons = y.reasons = NULL;
	x.frames = y.frames = NULL;
	x.stacks = y.stacks = NULL;
	x.strings = y.strings = NULL;
	x.storage = y.storage = NULL;
	return memcmp(&x, &y, sizeof(x)) == 0;
}
