/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "analysis/analysis.h"
#include "base/buf.h"
#include "base/macros.h"
#include "base/why.h"
#include "model/alert.h"
#include "model/builder.h"
#include "model/death_report.h"
#include "model/record.h"
#include "model/stream.h"
#include "support/records.h"

/* PW-X01: ends of simulated processes. Second 0 is 5,000 s after boot; each process began 4,000 s before. */
#define START_S 1000ULL
#define EPOCH_S 5000ULL
#define WALL_S	1700000000ULL

struct world {
	struct program program;
	struct program_statement leak, few;
	struct program_statement *pointers[2];
	struct pw_record_builder *builder;
	struct pw_analysis *analysis;
	struct pw_alert alerts[256];
	size_t count;
	struct pw_death_report *report; /* the last one */
	size_t reports;
};

static void on_transition(void *context, const struct pw_alert *alert)
{
	struct world *world = context;

	assert_true(world->count < ARRAY_SIZE(world->alerts));
	world->alerts[world->count++] = *alert;
}

static void on_death(void *context, const struct pw_death_report *report)
{
	struct world *world = context;

	pw_death_report_unref(world->report);
	world->report = pw_death_report_ref(report);
	world->reports++;
}

struct source {
	const struct pw_buf *buf;
	size_t position;
};

static int read_source(void *context, void *buffer, size_t size)
{
	struct source *source = context;
	size_t n = PW_MIN(size, source->buf->size - source->position);

	memcpy(buffer, source->buf->data + source->position, n);
	source->position += n;
	return (int)n;
}

static struct world *world_new(void)
{
	struct world *world = calloc(1, sizeof(*world));
	struct pw_rules_config rules;

	pw_rules_config_default(&rules);
	world->leak = (struct program_statement){.gopc = 0x401234,
						 .function = "main.handle",
						 .file = "/src/server.go",
						 .line = 42,
						 .reason = "chan send"};
	world->few = (struct program_statement){.gopc = 0x405678,
						.function = "main.main",
						.file = "/src/main.go",
						.line = 7,
						.reason = "select",
						.initial = 3};
	world->pointers[0] = &world->few;
	world->pointers[1] = &world->leak;
	world->program = (struct program){.target_id = 1,
					  .start_ns = START_S * PW_NS_PER_SEC,
					  .epoch_ns = EPOCH_S * PW_NS_PER_SEC,
					  .wall_epoch_ns = WALL_S * PW_NS_PER_SEC,
					  .service = "orders.service",
					  .snapshots = true,
					  .statements = world->pointers,
					  .count = 2};
	assert_int_equal(pw_record_builder_new(&world->builder), 0);
	assert_int_equal(pw_analysis_new(&world->analysis, &rules, on_transition, world), 0);
	pw_analysis_on_death(world->analysis, on_death);
	return world;
}

static void world_free(struct world *world)
{
	pw_death_report_unref(world->report);
	pw_analysis_free(world->analysis);
	pw_record_builder_free(world->builder);
	free(world);
}

static void judge(struct world *world, uint32_t second)
{
	struct pw_record *record;

	world->program.snapshot_second = second;
	record = program_record(&world->program, world->builder, second);
	assert_int_equal(pw_analysis_step(world->analysis, record), 0);
	pw_record_unref(record);
}

/* The process with that id ends half a second after a second. */
static struct pw_death end_at(struct world *world, uint64_t id, uint32_t second, int32_t status)
{
	struct pw_death death = {.target_id = id,
				 .boot_ns = (EPOCH_S + second) * PW_NS_PER_SEC + PW_NS_PER_SEC / 2,
				 .wall_ns = (WALL_S + second) * PW_NS_PER_SEC + PW_NS_PER_SEC / 2,
				 .how = PW_DEATH_EXIT,
				 .status_known = status >= 0,
				 .status = status,
				 .oom_kills = PW_DEATH_OOM_UNKNOWN};

	(void)world;
	return death;
}

static void an_end_is_told_with_what_was_going_on(void **state)
{
	struct world *world = world_new();
	struct pw_death death = end_at(world, 1, 100, 9);
	const struct pw_alert *alert = &world->alerts[0];

	(void)state;
	program_spawn(&world->leak, 50, 46000);
	judge(world, 100);
	death.oom_kills = 1;
	pw_analysis_forget(world->analysis, &death);
	assert_int_equal(world->count, 1);
	assert_string_equal(alert->rule, "PW-X01");
	assert_int_equal(alert->state, PW_ALERT_GONE);
	assert_int_equal(alert->level, PW_LEVEL_INFO);
	assert_string_equal(alert->service, "orders.service");
	assert_int_equal(alert->fired_wall_ns, death.wall_ns);
	assert_int_equal(alert->resolved_wall_ns, death.wall_ns);
	assert_int_equal(alert->parked, 46000);
	assert_string_equal(alert->wait_reason, "chan send");
	assert_non_null(strstr(alert->text, "process ended: exit 137 (killed by SIGKILL), OOM kill in its cgroup; "
					    "46,003 goroutines, 46,000 at "));
	assert_non_null(strstr(alert->text, " in chan send"));
	assert_non_null(strstr(alert->text, "it lived for 1h08m"));
	assert_non_null(strstr(alert->hint, "GOMEMLIMIT"));
	assert_non_null(strstr(alert->reproduce, alert->id));
	world_free(world);
}

static void the_report_has_the_groups_with_their_stacks_the_most_first(void **state)
{
	struct world *world = world_new();
	struct pw_death death = end_at(world, 1, 100, 3 << 8);
	const struct pw_death_report *report;

	(void)state;
	program_spawn(&world->leak, 50, 46000);
	judge(world, 100);
	pw_analysis_forget(world->analysis, &death);
	report = world->report;
	assert_non_null(report);
	assert_string_equal(report->alert_id, world->alerts[0].id);
	assert_string_equal(pw_death_name(report, report->text), world->alerts[0].text);
	assert_int_equal(report->death.boot_ns, death.boot_ns);
	assert_int_equal(report->death.status, 3 << 8);
	assert_int_equal(report->goroutines, 46003);
	assert_int_equal(report->group_count, 2);
	assert_int_equal(report->groups[0].count, 46000);
	assert_string_equal(pw_death_name(report, report->groups[0].reason), "chan send");
	assert_string_equal(pw_death_name(report, report->groups[0].status), "waiting");
	assert_string_equal(pw_death_name(report, report->groups[0].statement.function), "main.handle");
	assert_int_equal(report->groups[0].statement.line, 42);
	assert_true(report->groups[0].depth > 0);
	assert_int_equal(report->groups[1].count, 3);
	assert_int_equal(report->age_ns, death.boot_ns - START_S * PW_NS_PER_SEC);
	assert_true(report->stacks_wall_ns > 0);
	assert_int_equal(report->rss_bytes, PW_UNKNOWN); /* these records have no kernel section */
	world_free(world);
}

static void open_alerts_end_with_it_and_are_in_the_report(void **state)
{
	struct world *world = world_new();
	struct pw_death death = end_at(world, 1, 600, 15);
	size_t fired;

	(void)state;
	for (uint32_t second = 0; second <= 600; second++) {
		program_spawn(&world->leak, second, 25);
		judge(world, second);
	}
	fired = world->count;
	assert_true(fired >= 1);
	assert_int_equal(world->alerts[0].state, PW_ALERT_FIRING);
	pw_analysis_forget(world->analysis, &death);
	assert_int_equal(world->count, fired + 2);
	assert_string_equal(world->alerts[fired].id, world->alerts[0].id);
	assert_int_equal(world->alerts[fired].state, PW_ALERT_GONE);
	assert_non_null(strstr(world->alerts[fired].text, "unresolved when the process ended"));
	assert_string_equal(world->alerts[fired + 1].rule, "PW-X01");
	assert_non_null(strstr(world->alerts[fired + 1].text, "1 alert open"));
	assert_int_equal(world->report->alert_count, 1);
	assert_string_equal(world->report->alerts[0].id, world->alerts[0].id);
	assert_non_null(strstr(pw_death_name(world->report, world->report->alerts[0].text), "are parked in chan send"));
	world_free(world);
}

/* What a recording of it replays to, bit for bit: open alerts, the end, and what is kept of it. */
static void replay_tells_the_same_end(void **state)
{
	struct world *world = world_new(), *replay = world_new();
	struct pw_death death = end_at(world, 1, 600, 9);
	struct pw_buf out = PW_BUF_INIT(64U << 20);
	struct source source = {.buf = &out};
	struct pw_encoder *encoder;
	struct pw_decoder *decoder;
	struct pw_entry entry;
	struct pw_why why;

	(void)state;
	death.oom_kills = 2;
	assert_int_equal(pw_encoder_new(&encoder), 0);
	assert_int_equal(pw_encoder_header(encoder, &out), 0);
	for (uint32_t second = 0; second <= 600; second++) {
		struct pw_record *record;

		program_spawn(&world->leak, second, 25);
		world->program.snapshot_second = second;
		record = program_record(&world->program, world->builder, second);
		assert_int_equal(pw_encoder_record(encoder, record, &out), 0);
		assert_int_equal(pw_analysis_step(world->analysis, record), 0);
		pw_record_unref(record);
	}
	assert_int_equal(pw_encoder_gone(encoder, &death, &out), 0);
	pw_analysis_forget(world->analysis, &death);
	assert_int_equal(pw_decoder_new(&decoder, read_source, &source), 0);
	while (pw_decoder_next(decoder, &entry, &why) == 1) {
		if (entry.kind == PW_ENTRY_GONE) {
			pw_analysis_forget(replay->analysis, &entry.death);
			continue;
		}
		assert_int_equal(pw_analysis_step(replay->analysis, entry.record), 0);
		pw_record_unref(entry.record);
	}
	assert_int_equal(world->count, 3);
	assert_int_equal(replay->count, 3);
	for (size_t i = 0; i < world->count; i++)
		assert_memory_equal(&world->alerts[i], &replay->alerts[i], sizeof(world->alerts[i]));
	assert_memory_equal(world->report->groups, replay->report->groups, sizeof(world->report->groups));
	assert_string_equal(pw_death_name(world->report, world->report->text),
			    pw_death_name(replay->report, replay->report->text));
	pw_decoder_free(decoder);
	pw_encoder_free(encoder);
	pw_buf_done(&out);
	world_free(world);
	world_free(replay);
}

static void what_lives_on_or_ended_unseen_is_no_end(void **state)
{
	static const enum pw_death_how hows[] = {PW_DEATH_UNKNOWN, PW_DEATH_UNOBSERVED};
	struct pw_analysis_stats stats;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hows); i++) {
		struct world *world = world_new();
		struct pw_death death = end_at(world, 1, 100, 0);

		judge(world, 100);
		death.how = (uint8_t)hows[i];
		pw_analysis_forget(world->analysis, &death);
		pw_analysis_stats(world->analysis, &stats);
		assert_int_equal(world->count, 0);
		assert_int_equal(world->reports, 0);
		assert_int_equal(stats.deaths, 0);
		world_free(world);
	}
}

/* One short life: began at second, judged once, ended half a second later. */
static void short_life(struct world *world, uint64_t id, uint32_t second, int32_t status)
{
	struct pw_death death = end_at(world, id, second, status);

	world->program.target_id = id;
	world->program.start_ns = (EPOCH_S + second) * PW_NS_PER_SEC;
	judge(world, second);
	pw_analysis_forget(world->analysis, &death);
}

static void short_lives_that_end_in_order_are_silent_and_counted(void **state)
{
	static const int32_t statuses[] = {0, 1 << 8, 15, 13, 2, -1};
	struct world *world = world_new();
	struct pw_analysis_stats stats;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		short_life(world, i + 1, (uint32_t)(700 * i), statuses[i]); /* one faulty one in 10 min at most */
	pw_analysis_stats(world->analysis, &stats);
	assert_int_equal(world->count, 0);
	assert_int_equal(stats.deaths, ARRAY_SIZE(statuses));
	assert_int_equal(stats.deaths_untold, ARRAY_SIZE(statuses));
	short_life(world, 100, 9000, 11);
	assert_int_equal(world->count, 1);
	assert_non_null(strstr(world->alerts[0].text, "exit 139 (killed by SIGSEGV)"));
	world_free(world);
}

/* A service that restarts every second for an hour: told about once a minute, all others counted, memory bounded. */
static void a_service_that_restarts_every_second_is_told_once_a_minute(void **state)
{
	struct world *world = world_new();
	struct pw_analysis_stats stats;

	(void)state;
	for (uint32_t second = 0; second < 3600; second++)
		short_life(world, second + 1, second, 2 << 8);
	pw_analysis_stats(world->analysis, &stats);
	assert_int_equal(stats.deaths, 3600);
	assert_in_range(world->count, 59, 61);
	assert_int_equal(world->count + stats.deaths_quiet + stats.deaths_untold, 3600);
	assert_int_equal(stats.deaths_untold, 2); /* the first two: no repetition yet */
	assert_non_null(strstr(world->alerts[0].text, "exit 2 (as after a panic or fatal error)"));
	assert_non_null(strstr(world->alerts[1].text, "59 more ends of this service since the last one told"));
	assert_int_equal(stats.sites_tracked, 0);
	world_free(world);
}

static void a_service_that_restarts_every_second_in_order_is_silent(void **state)
{
	struct world *world = world_new();

	(void)state;
	for (uint32_t second = 0; second < 600; second++)
		short_life(world, second + 1, second, 0);
	assert_int_equal(world->count, 0);
	world_free(world);
}

static void an_exec_is_the_end_of_the_old_program(void **state)
{
	struct world *world = world_new();
	struct pw_death death = end_at(world, 1, 100, -1);

	(void)state;
	judge(world, 100);
	death.how = PW_DEATH_EXEC;
	pw_analysis_forget(world->analysis, &death);
	assert_int_equal(world->count, 1);
	assert_non_null(strstr(world->alerts[0].text, "process ended: exec of another program"));
	world_free(world);
}

static void more_groups_than_there_is_room_for_are_summed(void **state)
{
	static struct program_statement statements[200];
	static struct program_statement *pointers[200];
	struct world *world = world_new();
	struct pw_death death = end_at(world, 1, 100, 0);
	uint64_t sum = 0;

	(void)state;
	for (size_t i = 0; i < 200; i++) {
		statements[i] = (struct program_statement){.gopc = 0x500000 + i * 16,
							   .function = "main.f",
							   .file = "f.go",
							   .line = (uint32_t)i,
							   .reason = "select",
							   .initial = 1 + (i * 37) % 200};
		pointers[i] = &statements[i];
	}
	world->program.statements = pointers;
	world->program.count = 200;
	judge(world, 100);
	pw_analysis_forget(world->analysis, &death);
	assert_int_equal(world->report->group_count, PW_DEATH_GROUPS_MAX);
	assert_int_equal(world->report->groups_left, 200 - PW_DEATH_GROUPS_MAX);
	for (uint32_t i = 0; i < world->report->group_count; i++) {
		assert_int_equal(world->report->groups[i].count, 200 - i);
		sum += world->report->groups[i].count;
	}
	assert_int_equal(sum + world->report->goroutines_left, 200 * 201 / 2);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_end_is_told_with_what_was_going_on),
		cmocka_unit_test(the_report_has_the_groups_with_their_stacks_the_most_first),
		cmocka_unit_test(open_alerts_end_with_it_and_are_in_the_report),
		cmocka_unit_test(replay_tells_the_same_end),
		cmocka_unit_test(what_lives_on_or_ended_unseen_is_no_end),
		cmocka_unit_test(short_lives_that_end_in_order_are_silent_and_counted),
		cmocka_unit_test(a_service_that_restarts_every_second_is_told_once_a_minute),
		cmocka_unit_test(a_service_that_restarts_every_second_in_order_is_silent),
		cmocka_unit_test(an_exec_is_the_end_of_the_old_program),
		cmocka_unit_test(more_groups_than_there_is_room_for_are_summed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
