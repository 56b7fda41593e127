/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TESTS_SUPPORT_FAKE_WORLD_H
#define TESTS_SUPPORT_FAKE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "support/fake_mem.h"
#include "target/snapshot.h"
#include "target/symbolize.h"
#include "target/unwind.h"

struct pw_reader;

/* A process of fake memory (fake_mem.h) with stacks and room for objects, and a snapshot of it. Inline, as
 * not every test links what it needs. */
#define FAKE_STACKS  0xc200000000
#define FAKE_OBJECTS 0xc300000000		   /* 128 kB of zeros */
#define FAKE_PARK    (FAKE_GO_RUNTIME_FUNC + 0x80) /* where all of them are parked: frame of 24 bytes */
#define FAKE_WORK    (FAKE_GO_MAIN_FUNC + 0x40)	   /* 40 bytes */
#define FAKE_TOP     (FAKE_GO_RUNTIME_FUNC + 0x300)
#define FAKE_COUNT   100u
#define FAKE_RECEIVE 14 /* wait reasons of the fake process */
#define FAKE_SEND    15
#define FAKE_SELECT  9
#define FAKE_SLEEP   19
#define FAKE_COND    20
#define FAKE_LOCK    21

struct fake_world {
	struct fake_go *go;
	struct pw_snapshot *snapshot;
};

static inline uint64_t fake_world_sp(size_t i)
{
	return FAKE_STACKS + i * 0x2000 + 0x1f00;
}

static inline void fake_world_know(struct fake_world *world, struct pw_frame_info info)
{
	struct pw_frame_table *table = (struct pw_frame_table *)pw_symbolizer_frame_info(world->go->target.symbolizer);

	assert_int_equal(pw_frame_table_put(table, &info), 0);
}

/* FAKE_COUNT goroutines, each parked in a channel receive below FAKE_WORK. */
static inline struct fake_world fake_world_new(int go_minor, struct pw_reader *reader)
{
	struct pw_snapshot_options options = {.waits = true, .labels = true};
	struct fake_world world = {.go = fake_go_new(go_minor, FAKE_COUNT, 2)};
	struct pw_build_facts *facts = &world.go->build.facts;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	snprintf(facts->wait_reasons.name[FAKE_RECEIVE], PW_WAIT_REASON_SIZE, "chan receive");
	snprintf(facts->wait_reasons.name[FAKE_SEND], PW_WAIT_REASON_SIZE, "chan send");
	snprintf(facts->wait_reasons.name[FAKE_SELECT], PW_WAIT_REASON_SIZE, "select");
	snprintf(facts->wait_reasons.name[FAKE_LOCK], PW_WAIT_REASON_SIZE, "sync.Mutex.Lock");
	snprintf(facts->wait_reasons.name[FAKE_SLEEP], PW_WAIT_REASON_SIZE, "sleep");
	snprintf(facts->wait_reasons.name[FAKE_COND], PW_WAIT_REASON_SIZE, "sync.Cond.Wait");
	assert_int_equal(pw_symbolizer_new(&world.go->target.symbolizer, reader, fd, "go:fake"), 0);
	close(fd);
	fake_mem_add(&world.go->mem, FAKE_STACKS, FAKE_COUNT * 0x2000);
	fake_mem_add(&world.go->mem, FAKE_OBJECTS, 0x20000);
	for (size_t i = 0; i < FAKE_COUNT; i++) {
		fake_go_set(world.go, i, PW_FIELD_G_WAITREASON, FAKE_RECEIVE, 1);
		fake_mem_put(&world.go->mem, fake_world_sp(i) + 24, FAKE_WORK, 8);
		fake_mem_put(&world.go->mem, fake_world_sp(i) + 24 + 8 + 40, FAKE_TOP, 8);
	}
	fake_world_know(&world, (struct pw_frame_info){.pc = FAKE_PARK, .size = 24});
	fake_world_know(&world, (struct pw_frame_info){.pc = FAKE_WORK, .size = 40});
	fake_world_know(&world, (struct pw_frame_info){.pc = FAKE_TOP, .top = true});
	assert_int_equal(pw_snapshot_new(&world.snapshot, &world.go->target, &options), 0);
	return world;
}

static inline void fake_world_end(struct fake_world *world)
{
	pw_snapshot_free(world->snapshot);
	pw_symbolizer_free(world->go->target.symbolizer);
	fake_go_free(world->go);
}

static inline const struct pw_snapshot_result *fake_world_look(struct fake_world *world)
{
	assert_int_equal(pw_snapshot_look(world->snapshot), 0);
	return pw_snapshot_result(world->snapshot);
}

/* A field of 8 bytes of the object there. */
static inline void fake_world_put(struct fake_world *world, uint64_t object, enum pw_field field, uint64_t value)
{
	fake_mem_put(&world->go->mem, object + (uint64_t)world->go->build.facts.layout.offset[field], value, 8);
}

#endif
