/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/why.h"
#include "binary/disasm.h"
#include "binary/elf.h"
#include "binary/pclntab.h"
#include "support/elf_builder.h"
#include "support/targets.h"

#define TEXT 0x401000ULL

enum { AX, CX, DX, BX, SP, BP, SI, DI };

/* Code of its own, in a file of its own. */
struct snippet {
	int fd;
	struct pw_elf *elf;
	struct pw_code code;
};

static int open_snippet(struct snippet *snippet, uint16_t machine, const void *bytes, size_t size, struct pw_why *why)
{
	struct elf_builder builder;

	elf_builder_init(&builder, ET_EXEC, machine);
	elf_builder_segment(&builder, PT_LOAD, PF_R | PF_X, TEXT, bytes, size);
	*snippet = (struct snippet){.fd = elf_builder_file(&builder)};
	elf_builder_done(&builder);
	assert_int_equal(pw_elf_open(&snippet->elf, snippet->fd, NULL), 0);
	return pw_code_read(&snippet->code, snippet->elf, TEXT, TEXT + size, why);
}

static void close_snippet(struct snippet *snippet)
{
	pw_code_done(&snippet->code);
	pw_elf_free(snippet->elf);
	close(snippet->fd);
}

static struct pw_insn amd64(const char *bytes, size_t size)
{
	struct snippet snippet;
	struct pw_insn insn;

	assert_int_equal(open_snippet(&snippet, EM_X86_64, bytes, size, NULL), 0);
	assert_int_equal(snippet.code.count, 1);
	assert_true(snippet.code.complete);
	insn = snippet.code.insn[0];
	assert_int_equal(insn.size, size);
	close_snippet(&snippet);
	return insn;
}

#define AMD64(bytes) amd64((bytes), sizeof(bytes) - 1)

static struct pw_insn arm64(uint32_t word)
{
	struct snippet snippet;
	struct pw_insn insn;

	assert_int_equal(open_snippet(&snippet, EM_AARCH64, &word, sizeof(word), NULL), 0);
	assert_int_equal(snippet.code.count, 1);
	insn = snippet.code.insn[0];
	close_snippet(&snippet);
	return insn;
}

static void amd64_kinds_are_told_apart(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		enum pw_insn_kind kind;
	} kinds[] = {
#define ROW(text, kind) {text, sizeof(text) - 1, kind}
		ROW("\xe8\0\0\0\0", PW_INSN_CALL),
		ROW("\xff\xd0", PW_INSN_CALL_INDIRECT),
		ROW("\xff\x14\x25\0\0\0\0", PW_INSN_CALL_INDIRECT),
		ROW("\xe9\0\0\0\0", PW_INSN_JUMP),
		ROW("\xeb\0", PW_INSN_JUMP),
		ROW("\xff\xe0", PW_INSN_JUMP_INDIRECT),
		ROW("\xff\x24\xc5\0\0\0\0", PW_INSN_JUMP_INDIRECT),
		ROW("\x76\0", PW_INSN_BRANCH),
		ROW("\x0f\x86\0\0\0\0", PW_INSN_BRANCH),
		ROW("\xe3\0", PW_INSN_BRANCH),
		ROW("\xc3", PW_INSN_RETURN),
		ROW("\x55", PW_INSN_PUSH),
		ROW("\x41\x54", PW_INSN_PUSH),
		ROW("\x6a\x01", PW_INSN_OTHER), /* push of a constant */
		ROW("\x90", PW_INSN_NOP),
		ROW("\x66\x90", PW_INSN_NOP),
		ROW("\x0f\x1f\x44\0\0", PW_INSN_NOP),
		ROW("\x48\x89\xc3", PW_INSN_MOVE),
		ROW("\x0f\xb6\xc8", PW_INSN_MOVE),
		ROW("\x48\x8d\x05\0\0\0\0", PW_INSN_LEA),
		ROW("\x49\x3b\x66\x10", PW_INSN_COMPARE),
		ROW("\x48\x85\xc0", PW_INSN_COMPARE),
		ROW("\x48\x83\xec\x18", PW_INSN_ARITHMETIC),
		ROW("\xf0\x0f\xb1\x8a\x90\0\0\0", PW_INSN_COMPARE_EXCHANGE),
		ROW("\xcc", PW_INSN_TRAP),
		ROW("\x0f\x0b", PW_INSN_TRAP),
		ROW("\x0f\x05", PW_INSN_OTHER),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		assert_int_equal(amd64(kinds[i].bytes, kinds[i].size).kind, kinds[i].kind);
}

static void amd64_operands_are_plain_numbers(void **state)
{
	struct pw_insn insn = AMD64("\x88\x88\xb0\0\0\0"); /* mov [rax+0xb0], cl */

	(void)state;
	assert_int_equal(insn.operand_count, 2);
	assert_int_equal(insn.operand[0].kind, PW_OPERAND_MEM);
	assert_int_equal(insn.operand[0].base, AX);
	assert_int_equal(insn.operand[0].index, PW_REG_NONE);
	assert_int_equal(insn.operand[0].disp, 0xb0);
	assert_int_equal(insn.operand[0].size, 1);
	assert_int_equal(insn.operand[0].address, 0);
	assert_true(insn.operand[0].written);
	assert_int_equal(insn.operand[1].kind, PW_OPERAND_REG);
	assert_int_equal(insn.operand[1].reg, CX);
	assert_int_equal(insn.operand[1].size, 1);
	assert_false(insn.operand[1].written);

	insn = AMD64("\x4d\x8b\x74\xc6\xf8"); /* mov r14, [r14+rax*8-8] */
	assert_int_equal(insn.operand[0].reg, 14);
	assert_true(insn.operand[0].written);
	assert_int_equal(insn.operand[1].base, 14);
	assert_int_equal(insn.operand[1].index, AX);
	assert_int_equal(insn.operand[1].scale, 8);
	assert_int_equal(insn.operand[1].disp, -8);

	insn = AMD64("\x48\x8b\x0d\x10\0\0\0"); /* mov rcx, [rip+0x10] */
	assert_int_equal(insn.operand[1].base, PW_REG_IP);
	assert_int_equal(insn.operand[1].address, TEXT + 7 + 0x10);

	insn = AMD64("\x83\x3d\xf0\xff\xff\xff\x00"); /* cmp dword [rip-0x10], 0: the constant is behind the address */
	assert_int_equal(insn.operand[0].address, TEXT + 7 - 0x10);
	assert_int_equal(insn.operand[1].kind, PW_OPERAND_IMM);
	assert_false(insn.operand[0].written);

	insn = AMD64("\xf0\x0f\xb1\x8a\x90\0\0\0"); /* lock cmpxchg [rdx+0x90], ecx */
	assert_true(insn.lock);
	assert_int_equal(insn.operand[0].disp, 0x90);
	assert_int_equal(insn.operand[0].size, 4);

	insn = AMD64("\x76\xfe"); /* to itself */
	assert_int_equal(insn.target, TEXT);
	assert_true(insn.is_target);

	insn = AMD64("\x55");
	assert_int_equal(insn.operand[0].reg, BP);
	assert_string_equal(insn.text, "push rbp");
	insn = AMD64("\xc3");
	assert_string_equal(insn.text, "ret");
	insn = AMD64("\x44\x0f\x11\x7c\x24\x10"); /* movups [rsp+0x10], xmm15 */
	assert_int_equal(insn.operand[1].reg, PW_REG_NONE);
}

/* KERNELS: what every kernel from 5.10 to 7.2 emulates, and what looks like it and is not. */
static void amd64_emulation_is_what_every_kernel_does(void **state)
{
	(void)state;
#define YES(bytes)                                                    \
	do {                                                          \
		struct pw_insn insn_ = AMD64(bytes);                  \
		assert_true(pw_insn_emulated(PW_ARCH_AMD64, &insn_)); \
	} while (0)
#define NO(bytes)                                                      \
	do {                                                           \
		struct pw_insn insn_ = AMD64(bytes);                   \
		assert_false(pw_insn_emulated(PW_ARCH_AMD64, &insn_)); \
	} while (0)
	YES("\x90");
	YES("\x66\x90");
	YES("\xe8\0\0\0\0");
	YES("\xe9\0\0\0\0");
	YES("\xeb\0");
	YES("\x70\0");
	YES("\x7f\0");
	YES("\x0f\x80\0\0\0\0");
	YES("\x0f\x8f\0\0\0\0");
	YES("\x50");
	YES("\x57");
	YES("\x41\x50");
	YES("\x41\x57");
	NO("\x41\x90");		/* xchg r8, rax: the kernel would take it for a nop */
	NO("\x0f\x1f\x44\0\0"); /* longer nops: only after 6.12 */
	NO("\x0f\x1f\0");
	NO("\x58");	/* pop */
	NO("\xff\x30"); /* push [rax] */
	NO("\x66\x50"); /* push ax */
	NO("\x6a\x01");
	NO("\xc3");
	NO("\xff\xd0");
	NO("\xe3\0"); /* jrcxz */
	NO("\x48\x89\xe5");
	NO("\x49\x3b\x66\x10");
	NO("\x48\x83\xec\x18");
	NO("\xcc");
#undef YES
#undef NO
}

static void arm64_emulation_is_what_every_kernel_does(void **state)
{
	static const uint32_t simulated[] = {
		0x54000069, /* b.ls */
		0xb4000000, 0xb5000000, 0x34000000, 0x36000000, 0x37000000, 0x14000000, 0x94000000, 0xd61f0000,
		0xd63f0000, 0xd65f03c0, 0x10000000, 0x90000000, 0x58000000, 0x18000000, 0x98000000,
	};
	static const uint32_t stepped[] = {
		0xd503201f, /* nop: simulated from 6.13 on only */
		0xd503233f, /* paciasp */
		0xf9400b90, /* ldr x16, [x28, #16] */
		0xeb3063ff, /* cmp sp, x16 */
		0xd10083ff, /* sub sp, sp, #32 */
		0xf81f0ffe, /* str x30, [sp, #-16]! */
		0xd4200000, /* brk */
		0xd61f0001, /* not BR: reserved bits */
		0xd8000000, /* prfm literal */
		0x1c000000, /* ldr s0, literal */
	};
	struct pw_insn insn;

	(void)state;
	for (size_t i = 0; i < sizeof(simulated) / sizeof(simulated[0]); i++) {
		insn = arm64(simulated[i]);
		assert_true(pw_insn_emulated(PW_ARCH_ARM64, &insn));
	}
	for (size_t i = 0; i < sizeof(stepped) / sizeof(stepped[0]); i++) {
		insn = arm64(stepped[i]);
		assert_false(pw_insn_emulated(PW_ARCH_ARM64, &insn));
	}
}

static void arm64_instructions_look_like_those_of_amd64(void **state)
{
	struct pw_insn insn = arm64(0x54000069); /* b.ls +12 */

	(void)state;
	assert_int_equal(insn.kind, PW_INSN_BRANCH);
	assert_int_equal(insn.target, TEXT + 12);
	insn = arm64(0x37180040); /* tbnz w0, #3, +8 */
	assert_int_equal(insn.kind, PW_INSN_BRANCH);
	assert_int_equal(insn.target, TEXT + 8);
	insn = arm64(0x94000004);
	assert_int_equal(insn.kind, PW_INSN_CALL);
	assert_int_equal(insn.target, TEXT + 16);
	assert_int_equal(arm64(0x14000001).kind, PW_INSN_JUMP);
	assert_int_equal(arm64(0xd63f0020).kind, PW_INSN_CALL_INDIRECT);
	assert_int_equal(arm64(0xd61f0020).kind, PW_INSN_JUMP_INDIRECT);
	assert_int_equal(arm64(0xd65f03c0).kind, PW_INSN_RETURN);
	assert_int_equal(arm64(0xd503201f).kind, PW_INSN_NOP);
	assert_int_equal(arm64(0xd4200000).kind, PW_INSN_TRAP);
	assert_int_equal(arm64(0).kind, PW_INSN_TRAP); /* padding */
	assert_int_equal(arm64(0xeb3063ff).kind, PW_INSN_COMPARE);

	insn = arm64(0xf9400b90); /* ldr x16, [x28, #16] */
	assert_int_equal(insn.kind, PW_INSN_MOVE);
	assert_int_equal(insn.operand[0].reg, 16);
	assert_true(insn.operand[0].written);
	assert_int_equal(insn.operand[1].base, 28);
	assert_int_equal(insn.operand[1].disp, 16);
	assert_int_equal(insn.operand[1].size, 8);

	insn = arm64(0x3902c041); /* strb w1, [x2, #0xb0]: destination first */
	assert_int_equal(insn.kind, PW_INSN_MOVE);
	assert_int_equal(insn.operand[0].kind, PW_OPERAND_MEM);
	assert_int_equal(insn.operand[0].base, 2);
	assert_int_equal(insn.operand[0].disp, 0xb0);
	assert_int_equal(insn.operand[0].size, 1);
	assert_true(insn.operand[0].written);
	assert_int_equal(insn.operand[1].reg, 1);
	assert_false(insn.operand[1].written);

	insn = arm64(0x910003fd); /* mov x29, sp */
	assert_int_equal(insn.operand[0].reg, 29);
	assert_int_equal(insn.operand[1].reg, 31);

	insn = arm64(0x88e07c41); /* casa w0, w1, [x2]: ARMv8.1, which capstone 4 does not know */
	assert_int_equal(insn.kind, PW_INSN_COMPARE_EXCHANGE);
	assert_int_equal(insn.operand[0].reg, 0);
	assert_int_equal(insn.operand[1].reg, 1);
	assert_int_equal(insn.operand[2].base, 2);
	assert_int_equal(insn.operand[2].size, 4);
}

static void arm64_pairs_give_one_address_each(void **state)
{
	static const uint32_t words[] = {
		0xb000001b, /* 0  adrp x27, +1 page */
		0x9100437b, /* 1  add  x27, x27, #0x10 */
		0xf9400b60, /* 2  ldr  x0, [x27, #16]: x27 is no page any more */
		0xb0000001, /* 3  adrp x1, +1 page */
		0xaa0003e2, /* 4  mov  x2, x0: something in between */
		0xf9400823, /* 5  ldr  x3, [x1, #16] */
		0xf9000c23, /* 6  str  x3, [x1, #24] */
		0xf9400821, /* 7  ldr  x1, [x1, #16]: overwrites the page */
		0xf9400824, /* 8  ldr  x4, [x1, #16] */
		0xb0000005, /* 9  adrp x5, +1 page */
		0x94000000, /* 10 bl: takes all registers */
		0xf94008a6, /* 11 ldr  x6, [x5, #16] */
		0xb0000005, /* 12 adrp x5, +1 page */
		0xb4000040, /* 13 cbz  x0, 15 */
		0xf94008a6, /* 14 ldr  x6, [x5, #16]: falls through, still known */
		0xf94008a6, /* 15 a branch lands here: unknown from where */
	};
	static const struct {
		size_t insn, operand;
		uint64_t address;
	} expected[] = {{0, 1, 0},	  {1, 1, 0x402010},  {2, 1, 0},	       {3, 1, 0},
			{5, 1, 0x402010}, {6, 0, 0x402018},  {7, 1, 0x402010}, {8, 1, 0},
			{11, 1, 0},	  {14, 1, 0x402010}, {15, 1, 0}};
	struct snippet snippet;

	(void)state;
	assert_int_equal(open_snippet(&snippet, EM_AARCH64, words, sizeof(words), NULL), 0);
	assert_int_equal(snippet.code.count, sizeof(words) / 4);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_int_equal(snippet.code.insn[expected[i].insn].operand[expected[i].operand].address,
				 expected[i].address);
	assert_int_equal(snippet.code.insn[1].kind, PW_INSN_LEA);
	assert_int_equal(snippet.code.insn[1].operand[0].reg, 27);
	assert_int_equal(snippet.code.insn[1].operand_count, 2);
	assert_true(snippet.code.insn[15].is_target);
	close_snippet(&snippet);
}

static void code_that_cannot_be_decoded_ends_there(void **state)
{
	struct snippet snippet;
	struct pw_why why = {};

	(void)state;
	assert_int_equal(open_snippet(&snippet, EM_X86_64, "\x90\x55\x06\x90", 4, NULL),
			 0); /* 06: not in 64-bit mode */
	assert_int_equal(snippet.code.count, 2);
	assert_false(snippet.code.complete);
	close_snippet(&snippet);
	assert_int_equal(open_snippet(&snippet, EM_X86_64, "\x06", 1, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "no instruction"));
	close_snippet(&snippet);
	assert_int_equal(open_snippet(&snippet, EM_X86_64, "\x0f", 1, NULL), -EBADMSG); /* cut */
	close_snippet(&snippet);
	assert_int_equal(open_snippet(&snippet, EM_AARCH64, "\xff\xff\xff\xff\x1f\x20\x03\xd5\x01", 9, NULL), 0);
	assert_int_equal(snippet.code.count, 2);
	assert_int_equal(snippet.code.insn[1].kind, PW_INSN_NOP);
	assert_false(snippet.code.complete);
	close_snippet(&snippet);
}

static void ranges_that_lie_are_refused(void **state)
{
	struct snippet snippet;
	struct pw_code code;

	(void)state;
	assert_int_equal(open_snippet(&snippet, EM_X86_64, "\x90\x90", 2, NULL), 0);
	assert_int_equal(pw_code_read(&code, snippet.elf, TEXT, TEXT, NULL), -EFAULT);
	assert_int_equal(pw_code_read(&code, snippet.elf, TEXT + 1, TEXT, NULL), -EFAULT);
	assert_int_equal(pw_code_read(&code, snippet.elf, TEXT, TEXT + 3, NULL), -EFAULT);
	assert_int_equal(pw_code_read(&code, snippet.elf, 0, UINT64_MAX, NULL), -E2BIG);
	assert_int_equal(pw_code_read(&code, snippet.elf, TEXT, TEXT + PW_CODE_BYTES_MAX + 1, NULL), -E2BIG);
	close_snippet(&snippet);
}

static bool lands_inside(const struct pw_func *func, uint64_t target)
{
	return target >= func->entry && target < func->end;
}

/* Wherever the text is decoded right, direct calls reach the start of a function and branches the start of an
 * instruction. */
static void check_function(const struct pw_pclntab *table, const struct pw_func *func, const struct pw_code *code)
{
	struct pw_func callee;

	for (size_t i = 0; i < code->count; i++) {
		const struct pw_insn *insn = &code->insn[i];
		bool found = false;

		if (insn->kind == PW_INSN_CALL && !pw_pclntab_func_by_pc(table, insn->target, &callee) &&
		    callee.entry != insn->target) /* Duff's devices are entered in the middle */
			assert_true(!strcmp(callee.name, "runtime.duffzero") ||
				    !strcmp(callee.name, "runtime.duffcopy"));
		if ((insn->kind != PW_INSN_JUMP && insn->kind != PW_INSN_BRANCH) || !lands_inside(func, insn->target))
			continue;
		for (size_t n = 0; n < code->count && !found; n++)
			found = code->insn[n].addr == insn->target && code->insn[n].is_target;
		assert_true(found);
	}
}

static void real_functions_are_decoded_whole(void **state)
{
	static const char *const names[] = {
		"runtime.gopark",
		"runtime.newproc1",
		"runtime.newproc.func1",
		"runtime.park_m",
		"runtime.ready",
		"runtime.execute",
		"runtime.goexit0",
		"runtime.gcStart",
		"runtime.gcMark",
		"runtime.gcSweep",
		"runtime.schedinit",
		"runtime.schedule",
		"runtime.casgstatus",
		"runtime.stopTheWorldWithSema",
		"runtime.startTheWorldWithSema",
		"runtime.forEachG",
		"runtime.mallocgc",
		"runtime.newstack",
		"runtime.chanrecv",
		"runtime.waitReason.String",
		"main.main",
	};
	static const char *const flavours[] = {"stripped", "pie-external-stripped", "arm64-stripped"};
	struct pw_pclntab *table;
	struct pw_elf *elf;
	struct pw_code code;
	struct pw_func func;

	(void)state;
	for (size_t v = 0; target_versions[v]; v++) {
		for (size_t f = 0; f < 3; f++) {
			int fd = target_open("waits", target_versions[v], flavours[f]);

			assert_int_equal(pw_elf_open(&elf, fd, NULL), 0);
			assert_int_equal(pw_pclntab_open(&table, elf, atoi(target_versions[v] + 2), NULL), 0);
			for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
				assert_int_equal(pw_pclntab_func_by_name(table, names[i], &func), 0);
				assert_int_equal(pw_code_read(&code, elf, func.entry, func.end, NULL), 0);
				assert_true(code.complete);
				check_function(table, &func, &code);
				pw_code_done(&code);
			}
			pw_pclntab_free(table);
			pw_elf_free(elf);
			close(fd);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(amd64_kinds_are_told_apart),
		cmocka_unit_test(amd64_operands_are_plain_numbers),
		cmocka_unit_test(amd64_emulation_is_what_every_kernel_does),
		cmocka_unit_test(arm64_emulation_is_what_every_kernel_does),
		cmocka_unit_test(arm64_instructions_look_like_those_of_amd64),
		cmocka_unit_test(arm64_pairs_give_one_address_each),
		cmocka_unit_test(code_that_cannot_be_decoded_ends_there),
		cmocka_unit_test(ranges_that_lie_are_refused),
		cmocka_unit_test(real_functions_are_decoded_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
