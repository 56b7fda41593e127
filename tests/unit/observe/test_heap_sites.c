/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "observe/heap_sites.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "model/builder.h"
#include "model/heap.h"
#include "model/record.h"
#include "support/fake_heap.h"

#define MINUTE (60 * PW_NS_PER_SEC)

struct world {
	struct fake_go *go;
	struct fake_heap heap;
	struct pw_heap_sites sites;
	uint64_t cycle, now_ns;
};

static struct world *world_new(void)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world->go = fake_go_new(24, 1, 1);
	fake_heap_init(&world->heap, world->go);
	fake_mem_put(&world->go->mem, FAKE_HEAP_RATE_AT, 1, 8); /* each object is sampled */
	world->now_ns = 1000 * MINUTE;
	world->cycle = 5;
	return world;
}

static void world_free(struct world *world)
{
	pw_heap_sites_done(&world->sites);
	fake_go_free(world->go);
	free(world);
}

/* Objects of 8 MB. */
static uint64_t allocate(struct world *world, uint64_t pc, uint64_t count)
{
	const uint64_t pcs[] = {pc, 0x499000};

	return fake_heap_add(
		&world->heap,
		&(struct fake_bucket){.object_bytes = 8 << 20, .pc_count = 2, .pcs = pcs, .allocs = count});
}

/* Each GC cycle publishes: the numbers are those of a heap profile that says it is of that cycle. */
static uint64_t work(struct world *world)
{
	struct pw_target *target = &world->go->target;
	int32_t numgc = target->build->facts.layout.offset[PW_FIELD_MSTATS_NUMGC];
	uint64_t memstats = target->build->facts.globals.addr[PW_GLOBAL_MEMSTATS];

	if (memstats && numgc >= 0 && fake_mem_at(&world->go->mem, memstats + (uint64_t)numgc, 4))
		fake_mem_put(&world->go->mem, memstats + (uint64_t)numgc, world->cycle, 4);
	assert_int_equal(pw_heap_sites_work(&world->sites, target, world->cycle, MINUTE, world->now_ns), 0);
	return world->sites.taken_ns;
}

static void it_is_looked_at_once_in_an_interval_and_once_a_cycle(void **state)
{
	struct world *world = world_new();
	uint64_t first;

	(void)state;
	allocate(world, 0x411000, 3);
	first = work(world);
	assert_int_equal(first, world->now_ns);
	assert_non_null(world->sites.shown);
	world->now_ns += 2 * MINUTE;
	world->sites.shown->cycle = world->cycle; /* (this process does not say it itself) */
	assert_int_equal(work(world), first);	  /* no cycle has ended: there is nothing new */
	world->now_ns = first + MINUTE / 2;
	world->cycle++;
	assert_int_equal(work(world), first); /* not yet */
	world->now_ns = first + MINUTE;
	assert_int_equal(work(world), world->now_ns);
	assert_int_equal(world->sites.failures, 0);
	world_free(world);
}

static void who_wants_it_gets_it_sooner_if_there_is_something_new(void **state)
{
	struct world *world = world_new();
	struct pw_target *target = &world->go->target;

	(void)state;
	allocate(world, 0x411000, 3);
	(void)work(world);
	world->sites.shown->cycle = world->cycle;
	world->now_ns += MINUTE / 2;
	assert_false(pw_heap_sites_want(&world->sites, target, world->cycle, world->now_ns));
	world->cycle++;
	assert_true(pw_heap_sites_want(&world->sites, target, world->cycle, world->now_ns));
	assert_int_equal(work(world), world->now_ns);
	/* one that was dear waits for fifty times what it took */
	world->sites.shown->cycle = world->cycle++;
	world->sites.cost_ns = PW_NS_PER_SEC;
	world->now_ns += 49 * PW_NS_PER_SEC;
	assert_false(pw_heap_sites_want(&world->sites, target, world->cycle, world->now_ns));
	world->now_ns += 2 * PW_NS_PER_SEC;
	assert_true(pw_heap_sites_want(&world->sites, target, world->cycle, world->now_ns));
	target->heap_remark = "it keeps no heap profile";
	assert_false(pw_heap_sites_want(&world->sites, target, world->cycle, world->now_ns));
	world_free(world);
}

static void a_program_without_a_profile_is_left_alone(void **state)
{
	struct world *world = world_new();

	(void)state;
	world->go->target.heap_remark = "it keeps no heap profile";
	assert_int_equal(work(world), 0);
	assert_null(world->sites.shown);
	world->go->target.heap_remark = "";
	world->go->target.memory_ok = false;
	assert_int_equal(work(world), 0);
	assert_int_equal(world->sites.failures, 0);
	world_free(world);
}

static struct pw_record *record_of(struct world *world)
{
	struct pw_record_builder *builder;
	struct pw_record *draft, *record;

	assert_int_equal(pw_record_builder_new(&builder), 0);
	draft = pw_record_builder_begin(builder);
	draft->boot_ns = world->now_ns;
	pw_heap_sites_write(&world->sites, draft, builder);
	assert_int_equal(pw_record_builder_finish(builder, &record), 0);
	pw_record_builder_free(builder);
	return record;
}

static const struct pw_record_heap_site *site_of(const struct pw_record *record, uint64_t addr)
{
	char name[32];

	snprintf(name, sizeof(name), "0x%llx", (unsigned long long)addr - 1); /* a return address */
	for (uint64_t i = 0; i < record->heap.site_count; i++)
		if (!strcmp(pw_record_string(record, record->heap.site[i].function), name))
			return &record->heap.site[i];
	return NULL;
}

/* 60 lines, of which the smallest grows most. */
static void the_record_has_the_biggest_and_those_that_grow(void **state)
{
	struct world *world = world_new();
	struct pw_record *record = record_of(world);
	const struct pw_record_heap_site *site;

	(void)state;
	assert_false(record->heap.section.present);
	pw_record_unref(record);
	for (uint64_t i = 0; i < 60; i++)
		allocate(world, 0x411000 + i * 16, 100 - i);
	(void)work(world);
	world->sites.shown->cycle = world->cycle++;
	world->now_ns += MINUTE;
	allocate(world, 0x411000 + 59 * 16, 7); /* one more bucket of the same line */
	(void)work(world);
	record = record_of(world);
	assert_true(record->heap.section.present);
	assert_int_equal(record->heap.section.quality, PW_SAMPLED);
	assert_int_equal(record->heap.section.taken_ns, world->now_ns);
	assert_int_equal(record->heap.sites, 60);
	assert_int_equal(record->heap.site_count, PW_RECORD_HEAP_SITES_MAX - 8 + 1);
	for (uint64_t i = 1; i + 1 < record->heap.site_count; i++)
		assert_true(record->heap.site[i].inuse_bytes <= record->heap.site[i - 1].inuse_bytes);
	assert_null(site_of(record, 0x411000 + 50 * 16)); /* neither big nor growing */
	site = site_of(record, 0x411000 + 59 * 16);
	assert_non_null(site);
	assert_int_equal(site->growth_bytes, 7ULL * (8 << 20));
	assert_int_equal(site->inuse_objects, 41 + 7);
	assert_int_equal(site_of(record, 0x411000)->growth_bytes, 0);
	pw_record_unref(record);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_looked_at_once_in_an_interval_and_once_a_cycle),
		cmocka_unit_test(who_wants_it_gets_it_sooner_if_there_is_something_new),
		cmocka_unit_test(a_program_without_a_profile_is_left_alone),
		cmocka_unit_test(the_record_has_the_biggest_and_those_that_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
