/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "model/record.h"
#include "support/fake_mem.h"
#include "target/core.h"
#include "target/goroutines.h"

/* ---- memory ---- */

static int file_of(uint8_t fill, size_t size)
{
	uint8_t *bytes = malloc(size);
	int fd = memfd_create("file", MFD_CLOEXEC);

	memset(bytes, fill, size);
	assert_int_equal(write(fd, bytes, size), size);
	free(bytes);
	return fd;
}

/* A core of 0x100 bytes of 0xcc, an executable of 0x10000 bytes of 0xee. */
static struct pw_frozen *freeze(void)
{
	struct pw_frozen *frozen = calloc(1, sizeof(*frozen));

	frozen->core_fd = file_of(0xcc, 0x100);
	frozen->exe_fd = file_of(0xee, 0x10000);
	return frozen;
}

static void add_segment(struct pw_frozen *frozen, uint64_t start, uint64_t size, uint64_t held, bool writable, bool cut)
{
	struct pw_core_segment segment = {.start = start, .size = size, .held = held, .writable = writable, .cut = cut};

	assert_int_equal(pw_vec_push(&frozen->core.segments, segment), 0);
}

static void add_mapping(struct pw_frozen *frozen, uint64_t start, uint64_t end, uint64_t offset)
{
	struct pw_core_mapping mapping = {.start = start, .end = end, .offset = offset};

	assert_int_equal(pw_vec_push(&frozen->core.mappings, mapping), 0);
}

static void what_was_not_dumped_comes_from_the_executable(void **state)
{
	struct pw_frozen *frozen = freeze();
	struct pw_mem mem;
	uint8_t bytes[32];

	(void)state;
	add_segment(frozen, 0x1000, 0x1000, 0x100, false, false);
	add_mapping(frozen, 0x1000, 0x2000, 0);
	pw_mem_frozen(&mem, frozen);
	assert_int_equal(pw_mem_read(&mem, 0x10f0, bytes, sizeof(bytes)), 0);
	assert_int_equal(bytes[15], 0xcc);
	assert_int_equal(bytes[16], 0xee);
	assert_int_equal(pw_mem_read(&mem, 0x1ff0, bytes, 16), 0);
	assert_int_equal(pw_mem_read(&mem, 0x1ff8, bytes, 16), -EFAULT);
	assert_int_equal(pw_mem_read(&mem, 0xff8, bytes, 16), -EFAULT);
	pw_frozen_free(frozen);
}

static void what_was_cut_off_may_have_been_written_to(void **state)
{
	struct pw_frozen *frozen = freeze();
	struct pw_mem mem;
	uint8_t bytes[16];

	(void)state;
	add_segment(frozen, 0x1000, 0x1000, 0x100, true, true);
	add_segment(frozen, 0x2000, 0x1000, 0x100, false, true);
	add_segment(frozen, 0x3000, 0x1000, 0, true, false);
	add_mapping(frozen, 0x1000, 0x4000, 0);
	pw_mem_frozen(&mem, frozen);
	assert_int_equal(pw_mem_read(&mem, 0x1100, bytes, sizeof(bytes)), -EFAULT);
	assert_int_equal(pw_mem_read(&mem, 0x2100, bytes, sizeof(bytes)), 0); /* nobody could */
	assert_int_equal(pw_mem_read(&mem, 0x3100, bytes, sizeof(bytes)), 0); /* nobody did: it was not dumped */
	pw_frozen_free(frozen);
}

static void mappings_that_lie_read_nothing(void **state)
{
	struct pw_frozen *frozen = freeze();
	struct pw_mem mem;
	uint8_t bytes[16];

	(void)state;
	add_mapping(frozen, 0x1000, 0x2000, UINT64_MAX - 0x100);
	add_mapping(frozen, 0x3000, 0x4000, 0xfff8);		   /* over the end of the file */
	add_segment(frozen, 0x5000, 0x1000, 0x1000, false, false); /* more than the core file has by now */
	pw_mem_frozen(&mem, frozen);
	assert_int_equal(pw_mem_read(&mem, 0x1000, bytes, sizeof(bytes)), -EFAULT);
	assert_int_equal(pw_mem_read(&mem, 0x3000, bytes, sizeof(bytes)), -EFAULT);
	assert_int_equal(pw_mem_read(&mem, 0x50f8, bytes, sizeof(bytes)), -EFAULT);
	assert_int_equal(pw_mem_read(&mem, 0x5000, bytes, sizeof(bytes)), 0);
	close(frozen->exe_fd);
	frozen->exe_fd = -1;
	assert_int_equal(pw_mem_read(&mem, 0x3000, bytes, 1), -EFAULT);
	pw_frozen_free(frozen);
}

/* ---- where they ran ---- */

#define M	   0x800000ULL
#define G0	   0x810000ULL
#define G0_STACK   0x820000ULL
#define SIG_STACK  0x830000ULL
#define STACK_SIZE 0x8000ULL
#define TID	   77
#define PC	   (FAKE_GO_MAIN_FUNC + 5)

struct running {
	struct fake_go *go;
	struct pw_goroutine g;
};

static void put(struct running *run, uint64_t base, enum pw_field field, uint64_t value)
{
	fake_mem_put(&run->go->mem, base + (uint64_t)run->go->build.facts.layout.offset[field], value, 8);
}

/* Goroutine 1 runs on m, whose thread stands at pc and sp. */
static struct running run_at(uint64_t pc, uint64_t sp)
{
	struct running run = {.go = fake_go_new(24, 1, 1)};
	struct pw_frozen *frozen = freeze();
	struct pw_core_thread thread = {.tid = TID, .pc = pc, .sp = sp};

	run.g = (struct pw_goroutine){.addr = fake_go_g(run.go, 0),
				      .status = PW_GOROUTINE_RUNNING,
				      .stack_lo = 0xc000100000,
				      .stack_hi = 0xc000108000,
				      .sched_pc = FAKE_GO_TEXT + 0x99,
				      .sched_sp = 0xc000107000};
	fake_mem_add(&run.go->mem, M, 0x1000);
	fake_mem_add(&run.go->mem, G0, 0x400);
	fake_mem_add(&run.go->mem, SIG_STACK, STACK_SIZE);
	put(&run, run.g.addr, PW_FIELD_G_M, M);
	put(&run, M, PW_FIELD_M_PROCID, TID);
	put(&run, M, PW_FIELD_M_CURG, run.g.addr);
	put(&run, M, PW_FIELD_M_G0, G0);
	put(&run, G0, PW_FIELD_G_STACK_LO, G0_STACK);
	put(&run, G0, PW_FIELD_G_STACK_HI, G0_STACK + STACK_SIZE);
	assert_int_equal(pw_vec_push(&frozen->core.threads, thread), 0);
	run.go->target.frozen = frozen;
	return run;
}

static void stop(struct running *run)
{
	pw_frozen_free(run->go->target.frozen);
	run->go->target.frozen = NULL;
	fake_go_free(run->go);
}

/* As the kernel lays it out for a handler: the registers that were interrupted, and the stack that it is on. */
static void interrupt(struct running *run, uint64_t at, uint64_t pc, uint64_t sp)
{
	fake_mem_put(&run->go->mem, at + 2 * 8, SIG_STACK, 8);
	fake_mem_put(&run->go->mem, at + 4 * 8, STACK_SIZE, 8);
	fake_mem_put(&run->go->mem, at + 20 * 8, sp, 8);
	fake_mem_put(&run->go->mem, at + 21 * 8, pc, 8);
	fake_mem_put(&run->go->mem, at + 23 * 8, 0x2b000000000033, 8);
}

static void assert_placed(struct running *run, uint64_t pc, uint64_t sp, bool exact)
{
	pw_frozen_place(&run->go->target, &run->g);
	assert_true(run->g.placed);
	assert_int_equal(run->g.exact, exact);
	assert_int_equal(run->g.sched_pc, pc);
	assert_int_equal(run->g.sched_sp, sp);
	stop(run);
}

static void assert_unknown(struct running *run)
{
	pw_frozen_place(&run->go->target, &run->g);
	assert_false(run->g.placed);
	assert_int_equal(run->g.sched_pc, FAKE_GO_TEXT + 0x99);
	stop(run);
}

static void on_its_own_stack_it_stands_where_its_thread_does(void **state)
{
	struct running run = run_at(PC, 0xc000106000);

	(void)state;
	assert_placed(&run, PC, 0xc000106000, true);
}

static void on_the_stack_of_g0_it_has_left_its_place_in_sched(void **state)
{
	struct running run = run_at(PC, G0_STACK + 0x100);

	(void)state;
	assert_placed(&run, FAKE_GO_TEXT + 0x99, 0xc000107000, false);
}

static void in_the_vdso_it_has_left_its_place_in_m(void **state)
{
	struct running run = run_at(0x7fff00001000, G0_STACK + 0x100);

	(void)state;
	put(&run, M, PW_FIELD_M_VDSOSP, 0xc000105000);
	put(&run, M, PW_FIELD_M_VDSOPC, PC);
	assert_placed(&run, PC, 0xc000105000, false);
}

static void in_a_handler_the_kernel_has_kept_its_registers(void **state)
{
	struct running run = run_at(FAKE_GO_RUNTIME_FUNC, SIG_STACK + 0x1000);

	(void)state;
	interrupt(&run, SIG_STACK + 0x2000, FAKE_GO_RUNTIME_FUNC, SIG_STACK + 0x3000); /* a handler in a handler */
	interrupt(&run, SIG_STACK + 0x4000, PC, 0xc000106008);
	assert_placed(&run, PC, 0xc000106008, true);
}

static void in_a_handler_over_g0_it_is_in_sched_again(void **state)
{
	struct running run = run_at(FAKE_GO_RUNTIME_FUNC, SIG_STACK + 0x1000);

	(void)state;
	interrupt(&run, SIG_STACK + 0x4000, PC, G0_STACK + 0x200);
	assert_placed(&run, FAKE_GO_TEXT + 0x99, 0xc000107000, false);
}

static void where_nothing_fits_nothing_is_said(void **state)
{
	struct running elsewhere = run_at(PC, 0x900000), no_handler = run_at(PC, SIG_STACK + 0x1000),
		       other_g = run_at(PC, 0xc000106000), no_thread = run_at(PC, 0xc000106000),
		       race = run_at(PC, 0xc000106000), arm = run_at(PC, 0xc000106000),
		       wild = run_at(PC, SIG_STACK + 0x1000);

	(void)state;
	assert_unknown(&elsewhere);
	assert_unknown(&no_handler);
	put(&other_g, M, PW_FIELD_M_CURG, 0xc000000010);
	assert_unknown(&other_g);
	put(&no_thread, M, PW_FIELD_M_PROCID, TID + 1);
	assert_unknown(&no_thread);
	race.go->build.facts.info.instrumented = true;
	assert_unknown(&race);
	arm.go->build.facts.arch = PW_ARCH_ARM64;
	assert_unknown(&arm);
	interrupt(&wild, SIG_STACK + 0x4000, 0x1234, 0xc000106008); /* no code there */
	assert_unknown(&wild);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_not_dumped_comes_from_the_executable),
		cmocka_unit_test(what_was_cut_off_may_have_been_written_to),
		cmocka_unit_test(mappings_that_lie_read_nothing),
		cmocka_unit_test(on_its_own_stack_it_stands_where_its_thread_does),
		cmocka_unit_test(on_the_stack_of_g0_it_has_left_its_place_in_sched),
		cmocka_unit_test(in_the_vdso_it_has_left_its_place_in_m),
		cmocka_unit_test(in_a_handler_the_kernel_has_kept_its_registers),
		cmocka_unit_test(in_a_handler_over_g0_it_is_in_sched_again),
		cmocka_unit_test(where_nothing_fits_nothing_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
