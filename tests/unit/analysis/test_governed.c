/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "analysis/analysis.h"
#include "analysis/detector.h"
#include "base/macros.h"
#include "model/alert.h"
#include "model/builder.h"
#include "model/record.h"
#include "support/records.h"

/*
 * Every rule of goroutines and the heap fires in every state of the governor: with each event counted, with parks in
 * windows, with starts and ends in windows too (of which the distribution over go statements is then a guess that may
 * be far off), and with no probe at all. One program has what all rules look for; records are the same but for their
 * events.
 */
#define STEP  10
#define EPOCH (100000 * PW_NS_PER_SEC)
#define MB    1048576.0

enum governed { CONTINUOUS, PARK_SAMPLED, ALL_SAMPLED, NO_PROBES, _GOVERNED_MAX };
static const char *const state_names[] = {"continuous", "park sampled", "spawn, exit and park sampled", "off"};
_Static_assert(ARRAY_SIZE(state_names) == _GOVERNED_MAX, "a name for each");

struct subject { /* of one rule */
	const char *rule, *reason, *caller;
	bool closed; /* what they read from, by the other side */
};

struct world {
	const struct subject *subject;
	enum governed governed;
	struct program program;
	struct program_statement statement;
	struct program_statement *pointers[1];
	struct pw_record_builder *builder;
	struct pw_analysis *analysis;
	struct pw_alert fired;
	uint64_t seed;
};

static void on_transition(void *context, const struct pw_alert *alert)
{
	struct world *world = context;

	if (!strcmp(alert->rule, world->subject->rule) && alert->state == PW_ALERT_FIRING)
		world->fired = *alert;
}

/* Windows of survivors a sixth of what is shipped; only the rule in question is asked. */
static struct pw_rules_config quick_rules(void)
{
	struct pw_rules_config rules;

	pw_rules_config_default(&rules);
	rules.g10_bucket_ns = STEP * PW_NS_PER_SEC;
	rules.g10_age_ns = 100 * PW_NS_PER_SEC;
	rules.g10_life_ns = 3600 * PW_NS_PER_SEC;
	rules.g10_warmup_ns = 100 * PW_NS_PER_SEC;
	return rules;
}

static void world_init(struct world *world, const struct subject *subject, enum governed governed)
{
	struct pw_rules_config rules = quick_rules();

	memset(world, 0, sizeof(*world));
	world->subject = subject;
	world->governed = governed;
	world->statement = (struct program_statement){.gopc = 0x401000,
						      .function = "main.handle",
						      .file = "/src/server.go",
						      .line = 42,
						      .reason = subject->reason,
						      .caller = subject->caller,
						      .objects = 100000};
	if (subject->closed)
		world->statement.sockets = (struct pw_record_sockets){
			.deadline_known = 9, .no_deadline = 9, .known = 9, .established = 2, .closed = 7};
	world->pointers[0] = &world->statement;
	world->program = (struct program){.target_id = 7,
					  .start_ns = EPOCH - 60 * PW_NS_PER_SEC,
					  .epoch_ns = EPOCH,
					  .wall_epoch_ns = 1700000000ULL * PW_NS_PER_SEC,
					  .service = "orders.service",
					  .snapshots = true,
					  .events = governed != NO_PROBES,
					  .statements = world->pointers,
					  .count = 1};
	assert_int_equal(pw_record_builder_new(&world->builder), 0);
	assert_int_equal(pw_analysis_new(&world->analysis, &rules, on_transition, world), 0);
}

static void world_done(struct world *world)
{
	pw_analysis_free(world->analysis);
	pw_record_builder_free(world->builder);
}

/* An estimate: anything from nothing to three times the truth. */
static uint64_t guess(struct world *world, uint64_t truth)
{
	return rnd_below(&world->seed, 3 * truth + 1);
}

static void govern(struct world *world, struct pw_record *record)
{
	const struct pw_record_sampled windows = {.counting = PW_COUNTING_WINDOWS, .square = 1e6, .linear = 10};
	const struct pw_record_sampled each = {.counting = PW_COUNTING_CONTINUOUS};
	bool all = world->governed == ALL_SAMPLED;

	record->abilities[PW_ABILITY_MEMORY].ok = true;
	record->abilities[PW_ABILITY_EVENTS].ok = world->governed != NO_PROBES;
	if (world->governed == NO_PROBES)
		return;
	record->events.section.quality = world->governed == CONTINUOUS ? PW_EXACT : PW_SAMPLED;
	record->events.park = world->governed == CONTINUOUS ? each : windows;
	record->events.spawn = record->events.exit = all ? windows : each;
	record->events.spawn.exact = record->events.exit.exact = all;
	for (size_t i = 0; i < record->events.count; i++) {
		record->events.spawned += record->events.counts[i].spawned;
		record->events.exited += record->events.counts[i].exited;
		if (!all)
			continue;
		record->events.counts[i].spawned = guess(world, record->events.counts[i].spawned);
		record->events.counts[i].exited = guess(world, record->events.counts[i].spawned);
	}
}

/* What the runtime itself says: its live heap climbs, its cgroup is nearly full, goids are handed out. */
static void add_numbers(struct pw_record *record, struct pw_record_gc_cycle *cycle, uint32_t second, uint64_t started)
{
	double used = 300 * MB + second / 60.0 * 5 * MB;

	cycle->number = second / STEP + 1;
	cycle->end_ns = record->boot_ns;
	cycle->heap_live_bytes = (uint64_t)(100 * MB + second / 60.0 * 4 * MB);
	record->gc.section = record->memory.section = record->runtime.section = record->census.section;
	record->gc.cycles = cycle;
	record->gc.cycle_count = 1;
	record->memory.table.limits = (struct pw_memory_limits){
		.cgroup_version = 2,
		.max_bytes = (uint64_t)(1024 * MB),
		.max_used_bytes = (uint64_t)used,
		.max_reclaimable_bytes = (uint64_t)(100 * MB),
		.high_bytes = PW_UNKNOWN,
		.swap_max_bytes = PW_UNKNOWN,
	};
	pw_runtime_numbers_init(&record->runtime.numbers);
	record->runtime.numbers.spawn_total = started;
	record->runtime.numbers.goroutines = started;
}

/* All of the parked wait for one lock, which nobody unlocks: goroutine 18 holds it and waits too. */
static void add_lock(struct pw_record *record, struct pw_record_lock *lock)
{
	if (!record->snapshot.park_count ||
	    strcmp(record->strings[record->snapshot.parks[0].reason], "sync.Mutex.Lock") != 0)
		return;
	*lock = (struct pw_record_lock){.object = 1,
					.owner_goid = 18,
					.owner_since_ns = EPOCH,
					.waiters = record->snapshot.parks[0].count,
					.locks = 1,
					.all_waiters = record->snapshot.parks[0].count,
					.still_since_ns = EPOCH,
					.waiting_since_ns = EPOCH};
	record->snapshot.locks = lock;
	record->snapshot.lock_count = 1;
	record->snapshot.locks_seen = PW_LOCKS_SEEN;
	record->snapshot.total = record->snapshot.parks[0].count + 5;
	record->kernel.section = record->census.section;
	record->kernel.throttled_ns = PW_UNKNOWN;
}

static void look(struct world *world, uint32_t second)
{
	struct pw_record_gc_cycle cycle = {0};
	struct pw_record_lock lock;
	struct pw_record *record;

	world->program.snapshot_second = second - second % STEP;
	record = program_record(&world->program, world->builder, second);
	assert_non_null(record);
	govern(world, record);
	add_numbers(record, &cycle, second, world->statement.spawned);
	add_lock(record, &lock);
	assert_int_equal(pw_analysis_step(world->analysis, record), 0);
	pw_record_unref(record);
}

/* Seconds until the rule has fired. One goroutine a second stays; a storm, 2,000 of them for a minute. */
static uint32_t run(struct world *world, uint32_t seconds)
{
	bool storm = !strcmp(world->subject->rule, "PW-G09");

	for (uint32_t second = 0; second < seconds; second++) {
		program_spawn(&world->statement, second, storm && second > seconds / 2 ? 2000 : 1);
		world->statement.parked_seconds = PW_MAX(second, 1U); /* the first one, ever since */
		if (storm || second % STEP == 0)
			look(world, second);
		if (world->fired.rule[0])
			return second;
	}
	return seconds;
}

/* A new rule of goroutines or of the heap has to show that it does, too. */
static void expect_all(const struct subject *subjects, size_t subject_count)
{
	size_t count;
	const struct pw_rule *const *rules = pw_rules(&count);

	for (size_t i = 0; i < count; i++) {
		bool found = strncmp(rules[i]->id, "PW-G", 4) != 0 && strncmp(rules[i]->id, "PW-H", 4) != 0;

		for (size_t k = 0; k < subject_count; k++)
			found = found || !strcmp(rules[i]->id, subjects[k].rule);
		if (!found)
			fail_msg("%s is not tried in all states", rules[i]->id);
	}
}

static void every_rule_fires_in_every_state_of_the_governor(void **state)
{
	static const struct subject subjects[] = {
		{"PW-G01", "chan send", NULL, false},
		{"PW-G02", "chan receive (nil chan)", NULL, false},
		{"PW-G03", "select", NULL, false},
		{"PW-G04", "sync.Mutex.Lock", "sync.(*Mutex).Lock", false},
		{"PW-G05", "sync.WaitGroup.Wait", "sync.(*WaitGroup).Wait", false},
		{"PW-G06", "sleep", "time.Sleep", false},
		{"PW-G07", "IO wait", "internal/poll.(*FD).Read", true},
		{"PW-G08", "chan send", NULL, false},
		{"PW-G09", "chan send", NULL, false},
		{"PW-G10", "IO wait", "internal/poll.(*FD).Read", false},
		{"PW-G11", "coroutine", NULL, false},
		{"PW-H01", "chan send", NULL, false},
		{"PW-H03", "chan send", NULL, false},
	};
	struct world *world = calloc(1, sizeof(*world));

	(void)state;
	assert_non_null(world);
	expect_all(subjects, ARRAY_SIZE(subjects));
	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++) {
		uint32_t after[_GOVERNED_MAX];

		for (int governed = 0; governed < _GOVERNED_MAX; governed++) {
			world_init(world, &subjects[i], (enum governed)governed);
			after[governed] = run(world, 15000);
			world_done(world);
			if (!world->fired.rule[0])
				fail_msg("%s does not fire: %s", subjects[i].rule, state_names[governed]);
		}
		print_message("%s fires after %u s; parks sampled %u, all sampled %u, no probes %u\n", subjects[i].rule,
			      after[CONTINUOUS], after[PARK_SAMPLED], after[ALL_SAMPLED], after[NO_PROBES]);
	}
	free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rule_fires_in_every_state_of_the_governor),
	};

	return cmocka_run_group_tests_name("analysis/governed", tests, NULL, NULL);
}
