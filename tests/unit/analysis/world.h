/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TESTS_ANALYSIS_WORLD_H
#define PW_TESTS_ANALYSIS_WORLD_H

#include "analysis/analysis.h"
#include "base/macros.h"
#include "model/alert.h"
#include "model/builder.h"
#include "model/record.h"
#include "support/records.h"

/*
 * Programs with one go statement each, whose goroutines on a nil channel are found at the second look that sees them
 * (PW-G02), and what is told of them. The test says before how many of both: PROGRAMS, SEEN_MAX.
 */
#define STEP  10
#define EPOCH (100000 * PW_NS_PER_SEC)

struct one {
	struct program program;
	struct program_statement statement;
	struct program_statement *pointers[1];
};

struct world {
	struct one *programs;
	struct pw_record_builder *builder;
	struct pw_analysis *analysis;
	struct pw_alert *seen;
	size_t count;
};

static void on_transition(void *context, const struct pw_alert *alert)
{
	struct world *world = context;

	assert_true(world->count < SEEN_MAX);
	world->seen[world->count++] = *alert;
}

static void program_init(struct one *one, uint64_t id, const char *service, const char *reason)
{
	one->statement = (struct program_statement){.gopc = 0x401000,
						    .function = "main.handle",
						    .file = "/src/server.go",
						    .line = 42,
						    .reason = reason,
						    .parked_seconds = 60,
						    .objects = 100000};
	one->pointers[0] = &one->statement;
	one->program = (struct program){.target_id = id,
					.pid = (int32_t)(4000 + id),
					.start_ns = EPOCH - 60 * PW_NS_PER_SEC,
					.epoch_ns = EPOCH,
					.wall_epoch_ns = 1700000000ULL * PW_NS_PER_SEC,
					.service = service,
					.snapshots = true,
					.statements = one->pointers,
					.count = 1};
}

static struct world *world_new(const struct pw_rules_config *rules)
{
	struct pw_rules_config defaults;
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world->programs = calloc(PROGRAMS, sizeof(*world->programs));
	world->seen = calloc(SEEN_MAX, sizeof(*world->seen));
	assert_non_null(world->programs);
	assert_non_null(world->seen);
	for (uint64_t i = 0; i < PROGRAMS; i++)
		program_init(&world->programs[i], i + 1, "orders.service", "chan receive (nil chan)");
	pw_rules_config_default(&defaults);
	assert_int_equal(pw_record_builder_new(&world->builder), 0);
	assert_int_equal(pw_analysis_new(&world->analysis, rules ? rules : &defaults, on_transition, world), 0);
	return world;
}

static void world_free(struct world *world)
{
	pw_analysis_free(world->analysis);
	pw_record_builder_free(world->builder);
	free(world->programs);
	free(world->seen);
	free(world);
}

static void look(struct world *world, size_t program, uint32_t second)
{
	struct one *one = &world->programs[program];
	struct pw_record *record;

	one->program.snapshot_second = second;
	record = program_record(&one->program, world->builder, second);
	assert_non_null(record);
	assert_int_equal(pw_analysis_step(world->analysis, record), 0);
	pw_record_unref(record);
}

/* count goroutines wait for ever, and are seen at two looks. */
static void fault(struct world *world, size_t program, uint32_t second, uint32_t count)
{
	program_spawn(&world->programs[program].statement, second, count);
	look(world, program, second);
	look(world, program, second + STEP);
}

static void heal(struct world *world, size_t program, uint32_t second)
{
	program_end_oldest(&world->programs[program].statement, program_live(&world->programs[program].statement));
	look(world, program, second);
	look(world, program, second + STEP);
}

#endif
