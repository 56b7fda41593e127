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

#include "binary/core.h"
#include "model/record.h"
#include "support/core_builder.h"
#include "support/elf_builder.h"
#include "support/fake_mem.h"
#include "target/core.h"
#include "target/goroutines.h"
#include "target/unwind.h"

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
#define LR	   (FAKE_GO_MAIN_FUNC + 0x70)

struct running {
	struct fake_go *go;
	struct pw_goroutine g;
};

static void put(struct running *run, uint64_t base, enum pw_field field, uint64_t value)
{
	fake_mem_put(&run->go->mem, base + (uint64_t)run->go->build.facts.layout.offset[field], value, 8);
}

/* Goroutine 1 runs on m, whose thread stands at pc and sp. */
static struct running run_on(enum pw_arch arch, uint64_t pc, uint64_t sp)
{
	struct running run = {.go = fake_go_new(24, 1, 1)};
	struct pw_frozen *frozen = freeze();
	struct pw_core_thread thread = {.tid = TID, .pc = pc, .sp = sp, .lr = arch == PW_ARCH_ARM64 ? LR : 0};

	run.g = (struct pw_goroutine){.addr = fake_go_g(run.go, 0),
				      .status = PW_GOROUTINE_RUNNING,
				      .stack_lo = 0xc000100000,
				      .stack_hi = 0xc000108000,
				      .sched_pc = FAKE_GO_TEXT + 0x99,
				      .sched_sp = 0xc000107000,
				      .sched_lr = arch == PW_ARCH_ARM64 ? FAKE_GO_TEXT + 0x44 : 0};
	run.go->build.facts.arch = arch;
	assert_int_equal(pw_layout_for(&run.go->build.facts.layout, arch, 24), 0);
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

static struct running run_at(uint64_t pc, uint64_t sp)
{
	return run_on(PW_ARCH_AMD64, pc, sp);
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

/* The same on arm64: {flags, link, stack} {mask, room} {fault, x0 .. x30, sp, pc, pstate} {FPSIMD context}. */
static void interrupt_arm64(struct running *run, uint64_t at, uint64_t pc, uint64_t sp, uint64_t lr)
{
	fake_mem_put(&run->go->mem, at + 16, SIG_STACK, 8);
	fake_mem_put(&run->go->mem, at + 32, STACK_SIZE, 8);
	fake_mem_put(&run->go->mem, at + 176 + 8 + 30 * 8, lr, 8);
	fake_mem_put(&run->go->mem, at + 176 + 8 + 31 * 8, sp, 8);
	fake_mem_put(&run->go->mem, at + 176 + 8 + 32 * 8, pc, 8);
	fake_mem_put(&run->go->mem, at + 176 + 288, 0x46508001, 4);
	fake_mem_put(&run->go->mem, at + 176 + 292, 528, 4);
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

static void assert_placed_lr(struct running *run, uint64_t pc, uint64_t sp, uint64_t lr, bool exact)
{
	pw_frozen_place(&run->go->target, &run->g);
	assert_int_equal(run->g.sched_lr, lr);
	assert_placed(run, pc, sp, exact);
}

static void on_arm64_the_return_address_comes_with_it(void **state)
{
	struct running own = run_on(PW_ARCH_ARM64, PC, 0xc000106000), g0 = run_on(PW_ARCH_ARM64, PC, G0_STACK + 0x100),
		       vdso = run_on(PW_ARCH_ARM64, 0xffff00001000, G0_STACK + 0x100),
		       handler = run_on(PW_ARCH_ARM64, FAKE_GO_RUNTIME_FUNC, SIG_STACK + 0x1000),
		       handler_g0 = run_on(PW_ARCH_ARM64, FAKE_GO_RUNTIME_FUNC, SIG_STACK + 0x1000),
		       amd64 = run_on(PW_ARCH_ARM64, FAKE_GO_RUNTIME_FUNC, SIG_STACK + 0x1000);

	(void)state;
	assert_placed_lr(&own, PC, 0xc000106000, LR, true);
	assert_placed_lr(&g0, FAKE_GO_TEXT + 0x99, 0xc000107000, FAKE_GO_TEXT + 0x44, false);
	put(&vdso, M, PW_FIELD_M_VDSOSP, 0xc000105000);
	put(&vdso, M, PW_FIELD_M_VDSOPC, PC);
	assert_placed_lr(&vdso, PC, 0xc000105000, 0, false);
	interrupt_arm64(&handler, SIG_STACK + 0x2000, FAKE_GO_RUNTIME_FUNC, SIG_STACK + 0x3000, 1);
	interrupt_arm64(&handler, SIG_STACK + 0x4000, PC, 0xc000106008, LR + 4);
	assert_placed_lr(&handler, PC, 0xc000106008, LR + 4, true);
	interrupt_arm64(&handler_g0, SIG_STACK + 0x4000, PC, G0_STACK + 0x200, LR + 4);
	assert_placed_lr(&handler_g0, FAKE_GO_TEXT + 0x99, 0xc000107000, FAKE_GO_TEXT + 0x44, false);
	interrupt(&amd64, SIG_STACK + 0x4000, PC, 0xc000106008); /* the layout of another processor */
	assert_unknown(&amd64);
}

/*
 * A core of arm64 as the kernel writes it, read and unwound: main.work, in a function without a frame that it has
 * called, whose return address is nowhere but in its register.
 */
#define CORE_STACK  0xc000100000ULL
#define FRAMELESS   (FAKE_GO_MAIN_FUNC + 0x400)
#define WORK_RETURN (FAKE_GO_MAIN_FUNC + 0x48)
#define TOP_RETURN  (FAKE_GO_RUNTIME_FUNC + 0x304)

static void put_word(uint8_t *bytes, uint64_t at, uint64_t value)
{
	memcpy(bytes + at, &value, sizeof(value));
}

static struct pw_frozen *core_of_arm64(const struct pw_layout *layout, uint64_t g)
{
	struct pw_frozen *frozen = calloc(1, sizeof(*frozen));
	static uint8_t m[0x1000], g0[0x400], own[FAKE_GO_STRIDE], stack[STACK_SIZE];
	struct core_notes notes = {};
	struct elf_builder builder;

	put_word(own, (uint64_t)layout->offset[PW_FIELD_G_M], M);
	put_word(m, (uint64_t)layout->offset[PW_FIELD_M_PROCID], TID);
	put_word(m, (uint64_t)layout->offset[PW_FIELD_M_CURG], g);
	put_word(m, (uint64_t)layout->offset[PW_FIELD_M_G0], G0);
	put_word(stack, 0x7000, TOP_RETURN); /* where main.work, whose frame is there, returns to */
	elf_builder_init(&builder, ET_CORE, EM_AARCH64);
	core_note_process(&notes, 4711, "program");
	core_note_thread_arm64(&notes, TID, FRAMELESS, CORE_STACK + 0x7000, WORK_RETURN);
	elf_builder_segment(&builder, PT_NOTE, 0, 0, notes.bytes, notes.size);
	elf_builder_segment(&builder, PT_LOAD, PF_R | PF_W, M, m, sizeof(m));
	elf_builder_segment(&builder, PT_LOAD, PF_R | PF_W, G0, g0, sizeof(g0));
	elf_builder_segment(&builder, PT_LOAD, PF_R | PF_W, g, own, sizeof(own));
	elf_builder_segment(&builder, PT_LOAD, PF_R | PF_W, CORE_STACK, stack, sizeof(stack));
	frozen->core_fd = elf_builder_file(&builder);
	frozen->exe_fd = -1;
	elf_builder_done(&builder);
	assert_int_equal(pw_core_read(&frozen->core, frozen->core_fd, NULL), 0);
	return frozen;
}

static void a_running_goroutine_of_arm64_is_unwound_from_its_registers(void **state)
{
	struct running run = run_on(PW_ARCH_ARM64, 0, 0);
	const struct pw_build_facts *facts = &run.go->build.facts;
	struct pw_frame_table frames = {};
	struct pw_unwind_start start;
	struct pw_unwind_stack walked;
	uint8_t bytes[STACK_SIZE];

	(void)state;
	pw_frozen_free(run.go->target.frozen);
	run.go->target.frozen = core_of_arm64(&facts->layout, run.g.addr);
	pw_mem_frozen(&run.go->target.mem, run.go->target.frozen);
	pw_frozen_place(&run.go->target, &run.g);
	assert_true(run.g.placed);
	assert_int_equal(run.g.sched_pc, FRAMELESS);
	start = (struct pw_unwind_start){.arch = facts->arch,
					 .pc = run.g.sched_pc,
					 .sp = run.g.sched_sp,
					 .lr = run.g.sched_lr,
					 .exact = run.g.exact,
					 .hi = run.g.stack_hi,
					 .bytes = bytes,
					 .size = (size_t)(run.g.stack_hi - run.g.sched_sp),
					 .text = facts->text,
					 .etext = facts->etext};
	assert_int_equal(pw_mem_read(&run.go->target.mem, start.sp, bytes, start.size), 0);
	assert_int_equal(pw_frame_table_put(&frames, &(struct pw_frame_info){.pc = FRAMELESS}), 0);
	assert_int_equal(pw_frame_table_put(&frames, &(struct pw_frame_info){.pc = WORK_RETURN, .size = 48}), 0);
	assert_int_equal(pw_frame_table_put(&frames, &(struct pw_frame_info){.pc = TOP_RETURN, .top = true}), 0);
	pw_unwind(&start, &frames, &walked);
	assert_false(walked.truncated);
	assert_int_equal(walked.count, 3);
	assert_int_equal(walked.packed[0], PW_PACK_PC(FRAMELESS, false));
	assert_int_equal(walked.packed[1], PW_PACK_PC(WORK_RETURN, true));
	assert_int_equal(walked.packed[2], PW_PACK_PC(TOP_RETURN, true));
	pw_frame_table_done(&frames);
	stop(&run);
}

static void where_nothing_fits_nothing_is_said(void **state)
{
	struct running elsewhere = run_at(PC, 0x900000), no_handler = run_at(PC, SIG_STACK + 0x1000),
		       other_g = run_at(PC, 0xc000106000), no_thread = run_at(PC, 0xc000106000),
		       race = run_at(PC, 0xc000106000), other = run_at(PC, 0xc000106000),
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
	other.go->build.facts.arch = PW_ARCH_UNKNOWN;
	assert_unknown(&other);
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
		cmocka_unit_test(on_arm64_the_return_address_comes_with_it),
		cmocka_unit_test(a_running_goroutine_of_arm64_is_unwound_from_its_registers),
		cmocka_unit_test(where_nothing_fits_nothing_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
