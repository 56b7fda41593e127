/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/observe/observed.h"

static void all_sources_meet_in_one_record(void **state)
{
	const struct pw_reason_count reasons[] = {{2, 40}, {200, 2}};
	const uint64_t stack[] = {FAKE_GO_MAIN_FUNC + 0x40};
	const struct pw_statement_counts statement = {.gopc = FAKE_GO_MAIN_FUNC + 0x20,
						      .spawned = 30,
						      .exited = 20,
						      .parked = 42,
						      .reasons = reasons,
						      .reason_count = 2,
						      .creation_stack = stack,
						      .creation_depth = 1};
	const uint64_t drops[] = {11, 22};
	struct pw_record *record;
	struct world world;

	(void)state;
	world_init(&world, 5);
	counts.spawned = 30;
	counts.exited = 20;
	counts.statements = &statement;
	counts.statement_count = 1;
	counts.drops = drops;
	counts.drop_count = 2;
	record = tick(&world);
	assert_string_equal(pw_record_string(record, record->identity.state), "attached");
	assert_int_equal(record->census.total, 5);
	assert_int_equal(record->census.section.quality, PW_EXACT);
	assert_int_equal(record->runtime.numbers.spawn_total, 5);
	assert_int_equal(record->kernel.threads, 5);
	assert_true(record->kernel.open_files == PW_UNKNOWN);
	assert_int_equal(record->events.spawned, 30);
	/* Census and events speak of the same go statement. */
	assert_int_equal(record->statement_count, 1);
	assert_int_equal(record->events.count, 1);
	assert_int_equal(record->events.counts[0].statement, record->census.groups[0].statement);
	assert_int_equal(record->events.counts[0].reason_count, 2);
	assert_true(record->events.counts[0].ran == PW_UNKNOWN);
	assert_int_equal(record->drop_count, 11);
	assert_string_equal(pw_record_string(record, record->drops[1].name), "second");
	assert_int_equal(record->drops[1].count, 22);
	pw_record_unref(record);
	world_done(&world);
}

static void without_events_there_are_none_instead_of_zeros(void **state)
{
	struct pw_record *record;
	struct world world;

	(void)state;
	world_init(&world, 3);
	counting = false;
	tick_unseen(&world);
	record = tick(&world);
	assert_false(record->events.section.present);
	assert_false(record->drift.section.present);
	assert_int_equal(record->census.total, 3);
	pw_record_unref(record);
	world_done(&world);
}

/* Each interval has a census here; the poll that the last one waits for comes before the next one begins. */
static void drift_is_worked_out_with_the_first_poll_after_a_census(void **state)
{
	struct pw_record *record;
	struct world world;

	(void)state;
	world_init(&world, 5);
	counts.spawned = 100;
	counts.exited = 98;
	record = tick(&world);
	assert_false(record->drift.section.present);
	pw_record_unref(record);
	record = tick(&world);
	assert_true(record->drift.section.present);
	assert_int_equal(record->drift.section.quality, PW_EXACT);
	assert_int_equal(record->drift.live_by_events, 5);
	assert_int_equal(record->drift.difference, 0);
	pw_record_unref(record);
	world_done(&world);
}

static void a_lost_exit_shows_as_drift(void **state)
{
	struct pw_record *record;
	struct world world;

	(void)state;
	world_init(&world, 5);
	tick_unseen(&world);
	tick_unseen(&world);
	counts.spawned = 3; /* two came and went; one exit was not counted, and one came to stay */
	counts.exited = 1;
	fake_go_set(world.go, 4, PW_FIELD_G_ATOMICSTATUS, 6, 4); /* dead */
	tick_unseen(&world);
	record = tick(&world);
	assert_int_equal(record->drift.section.quality, PW_EXACT);
	assert_int_equal(record->drift.live_by_events, 7);
	assert_int_equal(record->drift.live_by_census, 4);
	assert_int_equal(record->drift.difference, -3);
	pw_record_unref(record);
	world_done(&world);
}

/* Two statements: what is lost of one is its drift, and the other has none. */
static void drift_is_told_by_go_statement(void **state)
{
	struct pw_statement_counts statements[2] = {{.gopc = FAKE_GO_MAIN_FUNC + 0x20},
						    {.gopc = FAKE_GO_MAIN_FUNC + 0x80}};
	struct pw_record *record;
	struct world world;

	(void)state;
	world_init(&world, 5);
	tick_unseen(&world); /* all five were there before counting began */
	tick_unseen(&world);
	counts.statements = statements;
	counts.statement_count = 2;
	counts.spawned = 2;
	counts.exited = 1;
	statements[0].exited = 1;
	statements[1].spawned = 2; /* a new one, of which the census will see one */
	set_goids(&world, 7);
	fake_go_set(world.go, 3, PW_FIELD_G_GOID, 6, 8); /* one ended, and another took its g */
	fake_go_set(world.go, 3, PW_FIELD_G_GOPC, FAKE_GO_MAIN_FUNC + 0x80, 8);
	tick_unseen(&world);
	tick_unseen(&world);
	record = tick(&world);
	assert_int_equal(record->events.count, 2);
	assert_true(record->events.counts[0].drift_known);
	assert_true(record->events.counts[0].drift_exact);
	assert_int_equal(record->events.counts[0].drift, 0); /* 5 - 1, and 4 are seen */
	assert_true(record->events.counts[1].drift_exact);
	assert_int_equal(record->events.counts[1].drift, -1);
	pw_record_unref(record);
	counts.mode[PW_EVENT_EXIT] = PW_PROBES_WINDOWS;
	record = tick(&world);
	assert_false(record->events.counts[0].drift_known);
	pw_record_unref(record);
	world_done(&world);
}

static void drift_is_an_estimate_while_goroutines_come_and_go(void **state)
{
	struct pw_record *record;
	struct world world;

	(void)state;
	world_init(&world, 5);
	for (int i = 0; i < 4; i++) {
		tick_unseen(&world);
		counts.spawned++;
		counts.exited++;
	}
	record = tick(&world);
	assert_true(record->drift.section.present);
	assert_int_equal(record->drift.section.quality, PW_ESTIMATED);
	pw_record_unref(record);
	world_done(&world);
}

static void sample_lifecycle(bool sampled)
{
	counts.governor_state = sampled ? "spawn, exit and park sampled" : "continuous";
	counts.mode[PW_EVENT_SPAWN] = counts.mode[PW_EVENT_EXIT] = counts.mode[PW_EVENT_PARK] =
		sampled ? PW_PROBES_WINDOWS : PW_PROBES_CONTINUOUS;
	counts.sampled_ns = sampled ? pw_boot_ns() : 0;
}

static void sampled_events_have_no_drift(void **state)
{
	struct pw_record *record;
	struct world world;

	(void)state;
	world_init(&world, 5);
	tick_unseen(&world);
	tick_unseen(&world);
	sample_lifecycle(true);
	record = tick(&world);
	assert_false(record->drift.section.present);
	assert_int_equal(record->events.section.quality, PW_SAMPLED);
	assert_int_equal(record->events.spawn.counting, PW_COUNTING_WINDOWS);
	pw_record_unref(record);
	sample_lifecycle(false);
	tick_unseen(&world);
	record = tick(&world);
	assert_int_equal(record->events.section.quality, PW_EXACT);
	assert_int_equal(record->drift.difference, 0);
	pw_record_unref(record);
	world_done(&world);
}

static void while_starts_are_sampled_their_total_is_that_of_the_goids(void **state)
{
	struct pw_record *record;
	struct world world;

	(void)state;
	world_init(&world, 5);
	counts.spawned = 100;
	counts.exited = 95;
	tick_unseen(&world);
	tick_unseen(&world);
	sample_lifecycle(true);
	counts.error_square[PW_EVENT_SPAWN] = 400;
	set_goids(&world, 9); /* four more, and the census still finds five alive */
	counts.spawned = 177; /* what windows let expect */
	counts.exited = 170;
	record = tick(&world);
	assert_int_equal(record->events.spawned, 104);
	assert_int_equal(record->events.exited, 99);
	assert_true(record->events.spawn.exact && record->events.exit.exact);
	assert_true(pw_sampled_bound(&record->events.spawn, NULL) > 19.9);
	pw_record_unref(record);
	sample_lifecycle(false);
	counts.spawned += 3; /* from here on each one is counted again */
	record = tick(&world);
	assert_int_equal(record->events.spawned, 107);
	assert_int_equal(record->events.exited, 99);
	pw_record_unref(record);
	world_done(&world);
}

static void goids_that_cannot_be_read_are_stale_until_the_next_poll(void **state)
{
	struct pw_record *record;
	uint64_t taken_ns;
	struct world world;

	(void)state;
	world_init(&world, 5);
	record = tick(&world);
	assert_int_equal(record->runtime.section.quality, PW_EXACT);
	taken_ns = record->runtime.section.taken_ns;
	pw_record_unref(record);
	fake_go_set_p(world.go, 0, PW_FIELD_P_GOIDCACHE, 30, 8); /* begins after its end: torn */
	record = tick(&world);
	assert_int_equal(record->runtime.section.quality, PW_STALE);
	assert_int_equal(record->runtime.numbers.spawn_total, 5);
	assert_true(record->runtime.section.taken_ns >= taken_ns);
	pw_record_unref(record);
	set_goids(&world, 9);
	record = tick(&world);
	assert_int_equal(record->runtime.section.quality, PW_EXACT);
	assert_int_equal(record->runtime.numbers.spawn_total, 9);
	pw_record_unref(record);
	world_done(&world);
}

/* Also with the third, after which the target was validated anew and found to be in order. */
static void what_is_shown_stays_stale_until_a_census_succeeds(void **state)
{
	struct pw_record *record;
	struct world world;

	(void)state;
	world_init(&world, 5);
	tick_unseen(&world);
	fake_go_set_allglen(world.go, UINT64_MAX / 2);
	for (unsigned int failures = 1; failures <= 4; failures++) {
		record = tick(&world);
		assert_int_equal(record->census.section.quality, PW_STALE);
		assert_int_equal(record->census.total, 5);
		assert_string_equal(pw_record_string(record, record->drops[0].name), "census_failed");
		assert_int_equal(record->drops[0].count, failures);
		assert_int_equal(validations, failures / 3);
		pw_record_unref(record);
	}
	fake_go_set_allglen(world.go, 4);
	record = tick(&world);
	assert_int_equal(record->census.section.quality, PW_EXACT);
	assert_int_equal(record->census.total, 4);
	pw_record_unref(record);
	world_done(&world);
}

static void a_target_that_is_not_what_it_was_shows_no_census(void **state)
{
	struct pw_record *record;
	struct world world;

	(void)state;
	world_init(&world, 5);
	tick_unseen(&world);
	fake_go_set_allglen(world.go, UINT64_MAX / 2);
	validation_finds_fault = true;
	tick_unseen(&world);
	tick_unseen(&world);
	record = tick(&world);
	assert_int_equal(validations, 1);
	assert_false(record->census.section.present);
	pw_record_unref(record);
	set_goids(&world, 9); /* nobody reads that any more, so nobody may say that it is of now */
	record = tick(&world);
	assert_false(record->census.section.present);
	assert_int_equal(record->runtime.section.quality, PW_STALE);
	assert_int_equal(record->runtime.numbers.spawn_total, 5);
	pw_record_unref(record);
	world_done(&world);
}

static void before_memory_is_readable_nothing_is_said_of_the_runtime(void **state)
{
	struct pw_record *record;
	struct world world;

	(void)state;
	world_init(&world, 5);
	world.go->target.memory_ok = false;
	record = tick(&world);
	assert_false(record->runtime.section.present);
	assert_false(record->census.section.present);
	assert_true(record->kernel.section.present);
	pw_record_unref(record);
	world_done(&world);
}

static void a_target_that_is_gone_ends_the_work(void **state)
{
	struct pw_record *record = NULL;
	struct world world;

	(void)state;
	world_init(&world, 5);
	tick_unseen(&world);
	world.go->mem.error = -ESRCH;
	assert_int_equal(pw_observation_work(world.observation, world.now_ns += PW_NS_PER_SEC), -ESRCH);
	assert_int_equal(pw_observation_record(world.observation, pw_boot_ns(), 1, &record), 0);
	assert_int_equal(record->census.total, 5); /* what was known of it */
	pw_record_unref(record);
	world.go->mem.error = 0;
	kernel_error = -ESRCH;
	assert_int_equal(pw_observation_work(world.observation, world.now_ns += PW_NS_PER_SEC), -ESRCH);
	world_done(&world);
}

static void gc_events_of_one_poll_are_taken_in_once(void **state)
{
	const struct pw_gc_event events[] = {
		{PW_EVENT_GC_START, 100, 0}, {PW_EVENT_STW_START, 110, 0},
		{PW_EVENT_STW_END, 130, 0},  {PW_EVENT_GC_MARK_TERMINATION, 140, 0},
		{PW_EVENT_GC_SWEEP, 150, 0}, {PW_EVENT_STW_END, 999, 0}}; /* its start was before we came */
	struct pw_record *record = NULL;
	struct world world;

	(void)state;
	world_init(&world, 1);
	counts.gc_events = events;
	counts.gc_event_count = ARRAY_SIZE(events);
	tick_unseen(&world);
	assert_int_equal(pw_observation_record(world.observation, pw_boot_ns(), 1, &record), 0); /* no poll since */
	assert_int_equal(record->events.stw_total_ns, 20);
	assert_int_equal(record->events.last_cycle.start_ns, 100);
	assert_int_equal(record->events.last_cycle.mark_termination_ns, 140);
	assert_int_equal(record->events.last_cycle.sweep_ns, 150);
	pw_record_unref(record);
	world_done(&world);
}

static struct pw_gc_words cycle_words(uint64_t number)
{
	struct pw_gc_words words = {.read_ns = 0};

	words.word[PW_GC_NUMGC] = number;
	words.word[PW_GC_PROCS] = 2ULL << 32 | 2;
	for (int i = PW_GC_SWEEP_TERM; i <= PW_GC_END; i++)
		words.word[i] = number * PW_NS_PER_MS + (uint64_t)i * 1000;
	words.word[PW_GC_HEAP_LIVE] = 77;
	return words;
}

static void cycles_that_probes_copied_are_in_the_record_with_what_was_missed(void **state)
{
	const struct pw_gc_words words[] = {cycle_words(5), cycle_words(6), cycle_words(9), {.missing = 1}};
	struct pw_record *record;
	struct world world;

	(void)state;
	world_init(&world, 1);
	fake_mem_add(&world.go->mem, 0x950000, 8);
	fake_mem_put(&world.go->mem, 0x950000, 1000, 8); /* runtimeInitTime */
	world.go->build.facts.globals.addr[PW_GLOBAL_RUNTIMEINITTIME] = 0x950000;
	record = tick(&world);
	assert_false(record->gc.section.present); /* neither probes nor a runtime that could be asked */
	pw_record_unref(record);
	counts.gc_cycles_told = true;
	counts.gc_cycles = words;
	counts.gc_cycle_count = ARRAY_SIZE(words);
	record = tick(&world);
	assert_int_equal(record->gc.section.quality, PW_EXACT);
	assert_int_equal(record->gc.cycle_count, 3);
	assert_int_equal(record->gc.cycles[2].number, 9);
	assert_int_equal(record->gc.cycles[2].heap_live_bytes, 77);
	assert_int_equal(record->gc.sums.seen, 3);
	assert_int_equal(record->gc.sums.missed, 2);
	assert_int_equal(record->gc.sums.refused, 1);
	assert_int_equal(record->events.last_cycle.start_ns, record->gc.cycles[2].start_ns);
	pw_record_unref(record);
	counts.gc_cycle_count = 0;
	record = tick(&world);
	assert_int_equal(record->gc.cycle_count, 3); /* the ring stays */
	pw_record_unref(record);
	world_done(&world);
}

static void new_options_hold_for_a_target_that_is_observed_already(void **state)
{
	struct pw_record *record;
	struct world world;
	uint64_t first_ns;

	(void)state;
	world_init(&world, 5);
	counting = false; /* nobody but the options says what the budget is */
	pw_observation_set_options(world.observation, 2 * 3600 * 24 * PW_NS_PER_SEC, 0, 0, 5);
	record = tick(&world);
	first_ns = record->census.section.taken_ns;
	assert_true(record->cost.budget_percent > 4.9 && record->cost.budget_percent < 5.1);
	pw_record_unref(record);
	record = tick(&world); /* an hour later: not due in two days */
	assert_true(record->census.section.taken_ns == first_ns);
	pw_record_unref(record);
	pw_observation_set_options(world.observation, PW_NS_PER_SEC, 0, 0, 0.5);
	record = tick(&world); /* due now, although the last census had put it off for two days */
	assert_true(record->census.section.taken_ns > first_ns);
	assert_true(record->cost.budget_percent < 0.6);
	pw_record_unref(record);
	world_done(&world);
}

static void what_is_sampled_is_said_in_a_sentence(void **state)
{
	struct pw_record *record;
	struct world world;

	(void)state;
	world_init(&world, 5);
	world.go->target.events_ok = true;
	snprintf(world.go->target.events_reason, sizeof(world.go->target.events_reason), "a remark");
	record = tick(&world);
	assert_true(record->abilities[PW_ABILITY_EVENTS].ok);
	assert_string_equal(pw_record_string(record, record->abilities[PW_ABILITY_EVENTS].reason), "a remark");
	pw_record_unref(record);

	counts.governor_state = "park sampled";
	counts.governor_since_ns = pw_boot_ns() - 12 * PW_NS_PER_SEC;
	counts.governor_percent = 34.56;
	counts.budget_percent = 0.5;
	record = tick(&world);
	assert_true(record->abilities[PW_ABILITY_EVENTS].ok);
	assert_string_equal(pw_record_string(record, record->abilities[PW_ABILITY_EVENTS].reason),
			    "park sampled for 12s: counting each one would cost 34.6% of a CPU, the budget is 0.5%; "
			    "--budget none lifts it; a remark");
	assert_string_equal(pw_record_string(record, record->cost.governor_state), "park sampled");
	pw_record_unref(record);
	world_done(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_sources_meet_in_one_record),
		cmocka_unit_test(without_events_there_are_none_instead_of_zeros),
		cmocka_unit_test(drift_is_worked_out_with_the_first_poll_after_a_census),
		cmocka_unit_test(a_lost_exit_shows_as_drift),
		cmocka_unit_test(drift_is_told_by_go_statement),
		cmocka_unit_test(drift_is_an_estimate_while_goroutines_come_and_go),
		cmocka_unit_test(sampled_events_have_no_drift),
		cmocka_unit_test(while_starts_are_sampled_their_total_is_that_of_the_goids),
		cmocka_unit_test(new_options_hold_for_a_target_that_is_observed_already),
		cmocka_unit_test(what_is_sampled_is_said_in_a_sentence),
		cmocka_unit_test(goids_that_cannot_be_read_are_stale_until_the_next_poll),
		cmocka_unit_test(what_is_shown_stays_stale_until_a_census_succeeds),
		cmocka_unit_test(a_target_that_is_not_what_it_was_shows_no_census),
		cmocka_unit_test(before_memory_is_readable_nothing_is_said_of_the_runtime),
		cmocka_unit_test(a_target_that_is_gone_ends_the_work),
		cmocka_unit_test(gc_events_of_one_poll_are_taken_in_once),
		cmocka_unit_test(cycles_that_probes_copied_are_in_the_record_with_what_was_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
