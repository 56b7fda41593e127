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
		&draft->kernel.rss_bytes,
		&draft->kernel.threads,
		&draft->kernel.open_files,
		&draft->kernel.cpu_ns,
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
	draft->cost.guard_state = word(builder, seed);
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

static void random_snapshot(struct pw_record *draft, struct pw_record_builder *builder, uint64_t *seed,
			    size_t statements, uint32_t stacks, size_t max)
{
	uint32_t parks = statements ? (uint32_t)rnd_below(seed, max) : 0, ages = (uint32_t)rnd_below(seed, max * 4);
	uint64_t *numbers[] = {
		&draft->snapshot.total,	      &draft->snapshot.skipped,	    &draft->snapshot.torn,
		&draft->snapshot.stacks_read, &draft->snapshot.stacks_kept, &draft->snapshot.duration_ns,
		&draft->snapshot.cpu_ns,      &draft->snapshot.bytes_read,  &draft->snapshot.interval_ns};

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
						     .senders = number(seed)};
	}
	for (size_t i = parks ? rnd_below(seed, max * 2) : 0; i > 0; i--) {
		struct pw_record_row *row = pw_record_builder_row(builder, NULL);

		row->goid = number(seed);
		row->park = (uint32_t)rnd_below(seed, parks);
		row->runs = (uint32_t)number(seed);
		row->object = (uint32_t)number(seed);
		row->parked_since_ns = number(seed);
		row->born_after_ns = number(seed);
		row->born_before_ns = number(seed);
	}
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
	    !SAME(runtime.buckets, runtime.bucket_count) || !SAME(reasons, reason_count) ||
	    !SAME(frames, frame_count) || !SAME(stacks, stack_count))
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
	x.runtime.buckets = y.runtime.buckets = NULL;
	x.reasons = y.reasons = NULL;
	x.frames = y.frames = NULL;
	x.stacks = y.stacks = NULL;
	x.strings = y.strings = NULL;
	x.storage = y.storage = NULL;
	return memcmp(&x, &y, sizeof(x)) == 0;
}

/* --- a program --------------------------------------------------------------------------------------------------- */

void program_spawn(struct program_statement *statement, uint32_t second, uint32_t count)
{
	statement->born[second] += count;
	statement->spawned += count;
}

void program_end_oldest(struct program_statement *statement, uint64_t count)
{
	uint64_t initial = PW_MIN(count, statement->initial);

	statement->initial -= initial;
	statement->exited += initial;
	count -= initial;
	while (count && statement->oldest < PROGRAM_SECONDS) {
		uint32_t ended = (uint32_t)PW_MIN(count, (uint64_t)statement->born[statement->oldest]);

		statement->born[statement->oldest] -= ended;
		statement->exited += ended;
		count -= ended;
		if (count)
			statement->oldest++;
	}
}

void program_end_youngest(struct program_statement *statement, uint32_t second, uint64_t count)
{
	for (uint32_t i = second; count; i--) {
		uint32_t ended = (uint32_t)PW_MIN(count, (uint64_t)statement->born[i]);

		statement->born[i] -= ended;
		statement->exited += ended;
		count -= ended;
		if (!i)
			break;
	}
}

uint64_t program_live(const struct program_statement *statement)
{
	uint64_t live = statement->initial;

	for (uint32_t i = statement->oldest; i < PROGRAM_SECONDS; i++)
		live += statement->born[i];
	return live;
}

static void add_step(struct pw_record_builder *builder, struct pw_record_group *group, uint64_t born_ns, uint32_t count)
{
	struct pw_record_age *age;
	uint32_t index;

	age = pw_record_builder_age(builder, &index);
	if (!group->age_count)
		group->first_age = index;
	group->age_count++;
	age->born_before_ns = born_ns;
	age->count = count;
}

static void program_group(const struct program *program, struct pw_record_builder *builder, uint32_t index,
			  uint32_t second, uint64_t taken_ns)
{
	const struct program_statement *from = program->statements[index];
	struct pw_record_group *group = pw_record_builder_group(builder, NULL);
	uint64_t step_ns = 0;
	uint32_t step_count = 0;

	group->statement = index;
	group->status = PW_GOROUTINE_WAITING;
	group->reason = pw_record_builder_string(builder, from->reason);
	group->count = group->count_initial = from->initial;
	group->oldest_born_before_ns = from->initial ? program->epoch_ns : taken_ns;
	for (uint32_t i = from->oldest; i <= second && i < PROGRAM_SECONDS; i++) {
		uint64_t born_ns = pw_age_step(program->epoch_ns + i * PW_NS_PER_SEC, taken_ns);

		if (!from->born[i])
			continue;
		group->count += from->born[i];
		if (step_count && born_ns != step_ns) {
			add_step(builder, group, step_ns, step_count);
			step_count = 0;
		}
		step_ns = born_ns;
		step_count += from->born[i];
	}
	if (step_count)
		add_step(builder, group, step_ns, step_count);
}

static void add_birth(struct pw_record_builder *builder, struct pw_record_park *park, uint64_t born_ns, uint32_t count)
{
	struct pw_record_age *age;
	uint32_t index;

	if (!count)
		return;
	age = pw_record_builder_park_age(builder, &index);
	if (!park->birth_count)
		park->first_birth = index;
	park->birth_count++;
	*age = (struct pw_record_age){.born_before_ns = born_ns, .count = count};
}

static void program_births(const struct program *program, struct pw_record_builder *builder,
			   struct pw_record_park *park, const struct program_statement *from, uint64_t taken_ns)
{
	uint64_t step_ns = 0;
	uint32_t count = 0;

	for (uint32_t i = from->oldest; i < PROGRAM_SECONDS; i++) {
		uint64_t born_ns = pw_age_step(program->epoch_ns + i * PW_NS_PER_SEC, taken_ns);

		if (!from->born[i])
			continue;
		if (born_ns != step_ns) {
			add_birth(builder, park, step_ns, count);
			count = 0;
		}
		step_ns = born_ns;
		count += from->born[i];
	}
	add_birth(builder, park, step_ns, count);
}

/* All of a statement parked on one stack since the snapshot before, each sending on one unbuffered channel. */
static void program_park(const struct program *program, struct pw_record *draft, struct pw_record_builder *builder,
			 uint32_t index)
{
	const struct program_statement *from = program->statements[index];
	const char *const functions[] = {"runtime.gopark", from->caller ? from->caller : "main.publish", "main.handle"};
	uint64_t taken_ns = draft->snapshot.section.taken_ns;
	struct pw_record_park *park = pw_record_builder_park(builder, NULL);
	uint32_t first = 0;

	park->statement = index;
	park->count_initial = from->initial;
	program_births(program, builder, park, from, taken_ns);
	park->runs = from->runs_each * program_live(from);
	park->status = PW_GOROUTINE_WAITING;
	park->reason = pw_record_builder_string(builder, program->statements[index]->reason);
	park->count = program_live(from);
	park->never_ran = from->runs_each ? 0 : park->count;
	park->stacks = 1;
	park->oldest_since_ns = draft->snapshot.section.taken_ns - 10 * PW_NS_PER_SEC;
	park->wait = (struct pw_record_wait){.kind = pw_record_builder_string(builder, "channel"),
					     .known = true,
					     .objects = from->objects ? from->objects : 1,
					     .length = 0,
					     .senders = park->count};
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		struct pw_record_frame *frame = pw_record_builder_frame(builder, &first);

		frame->function = pw_record_builder_string(builder, functions[i]);
		frame->file = pw_record_builder_string(builder, "/src/bus.go");
		frame->line = 40 + (uint32_t)i;
		frame->addr = from->gopc + i;
	}
	*pw_record_builder_stack(builder, &park->stack) = (struct pw_record_stack){first - 2, 3};
}

struct pw_record *program_record(const struct program *program, struct pw_record_builder *builder, uint32_t second)
{
	struct pw_record *draft = pw_record_builder_begin(builder), *record = NULL;
	uint64_t taken_ns = program->epoch_ns + second * PW_NS_PER_SEC;

	draft->sequence = second + 1;
	draft->boot_ns = taken_ns;
	draft->wall_ns = program->wall_epoch_ns + second * PW_NS_PER_SEC;
	draft->interval_ns = PW_NS_PER_SEC;
	draft->identity.target_id = program->target_id;
	draft->identity.pid = 4711;
	draft->identity.start_time_ns = program->start_ns;
	draft->identity.service = pw_record_builder_string(builder, program->service);
	draft->identity.process = pw_record_builder_string(builder, "orders");
	draft->census.section = (struct pw_section){.present = true, .version = 1, .taken_ns = taken_ns};
	if (program->events)
		draft->events.section = draft->census.section;
	if (program->snapshots) {
		draft->snapshot.section = draft->census.section;
		draft->snapshot.section.taken_ns = program->epoch_ns + program->snapshot_second * PW_NS_PER_SEC;
		draft->snapshot.interval_ns = 10 * PW_NS_PER_SEC;
	}
	for (uint32_t i = 0; i < program->count; i++) {
		const struct program_statement *from = program->statements[i];
		struct pw_record_statement *statement = pw_record_builder_statement(builder, NULL);
		struct pw_record_event_count *count;

		if (!statement)
			break;
		statement->gopc = from->gopc;
		statement->function = pw_record_builder_string(builder, from->function);
		statement->file = pw_record_builder_string(builder, from->file);
		statement->line = from->line;
		statement->system = from->system;
		if (program->events) {
			count = pw_record_builder_event_count(builder, NULL);
			count->statement = i;
			count->spawned = from->spawned;
			count->exited = from->exited;
			count->creation_stack = UINT32_MAX;
		}
		program_group(program, builder, i, second, taken_ns);
		if (program->snapshots)
			program_park(program, draft, builder, i);
	}
	return pw_record_builder_finish(builder, &record) == 0 ? record : NULL;
}
