/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a goroutine waits for, in the runtime's own words. Go 1.26 renumbered the codes, so the strings of this very
 * binary are read first: waitReason.String is a bounds check and a load from waitReasonStrings, an array of string
 * headers (src/runtime/runtime2.go:waitReason, go1.17 to go1.27).
 */
#include "go/calibrate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/why.h"
#include "binary/elf.h"
#include "binary/pclntab.h"
#include "go/funcs.h"
#include "go/insns.h"
#include "go/layout.h"
#include "go/layout_tables.h"

#define STRING_HEADER_SIZE 16
#define REASONS_MIN	   16 /* fewer were never there: 27 in go1.17 */

/* The bound of the index: the constant of the first compare. */
static size_t find_count(const struct pw_code *code)
{
	for (size_t i = 0; i < code->count; i++) {
		const struct pw_insn *insn = &code->insn[i];

		for (uint8_t k = 0; insn->kind == PW_INSN_COMPARE && k < insn->operand_count && k < 4; k++) {
			if (insn->operand[k].kind != PW_OPERAND_IMM)
				continue;
			if (insn->operand[k].disp < REASONS_MIN || insn->operand[k].disp > PW_WAIT_REASONS_MAX)
				return 0;
			return (size_t)insn->operand[k].disp;
		}
	}
	return 0;
}

static uint64_t find_table(const struct pw_code *code)
{
	struct pw_reference reference;
	uint64_t addr = 0;
	size_t pos = 0;

	while (pw_code_next_reference(code, &pos, &reference))
		if (reference.kind == PW_REFERENCE_ADDRESS)
			addr = reference.addr;
	return addr;
}

static bool is_text(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return false;
	return true;
}

/* One string header and its text. A text that is longer than our buffer is cut. */
static int read_reason(const struct pw_elf *elf, uint64_t addr, char *ret_name)
{
	uint64_t text, size;
	uint8_t raw[8];
	int r;

	r = pw_elf_read(elf, addr + 8, raw, sizeof(raw));
	if (r < 0)
		return r;
	size = 0;
	for (size_t i = 0; i < sizeof(raw); i++)
		size |= (uint64_t)raw[i] << (8 * i);
	memset(ret_name, 0, PW_WAIT_REASON_SIZE);
	if (size == 0)
		return 0;
	if (size > 256)
		return -EBADMSG;
	r = pw_elf_read_pointer(elf, addr, &text);
	if (r < 0)
		return r;
	size = PW_MIN(size, (uint64_t)PW_WAIT_REASON_SIZE - 1);
	r = pw_elf_read(elf, text, ret_name, size);
	if (r < 0)
		return r;
	return is_text(ret_name, size) ? 0 : -EBADMSG;
}

static int read_from_target(struct pw_wait_reasons *ret_reasons, const struct pw_elf *elf,
			    const struct pw_pclntab *table, struct pw_why *reterr_why)
{
	_cleanup_(pw_function_done) struct pw_function function = {0};
	uint64_t addr;
	size_t count;
	int r;

	r = pw_function_read(&function, elf, table, PW_FUNC_WAIT_REASON_STRING, reterr_why);
	if (r < 0)
		return r;
	count = find_count(&function.code);
	addr = find_table(&function.code);
	if (count == 0 || addr == 0)
		return pw_why_set(reterr_why, -ENODATA, "waitReason.String is not a bounded table look-up");
	for (size_t i = 0; i < count; i++) {
		r = read_reason(elf, addr + i * STRING_HEADER_SIZE, ret_reasons->name[i]);
		if (r < 0)
			return pw_why_set(reterr_why, r, "wait reason %zu of %zu is no string", i, count);
	}
	ret_reasons->count = count;
	ret_reasons->from_target = true;
	return 0;
}

static int read_from_table(struct pw_wait_reasons *ret_reasons, int go_minor)
{
	for (size_t i = 0; i < PW_LAYOUT_VERSIONS; i++) {
		const struct pw_layout_version *version = &pw_layout_versions[i];

		if (version->go_minor != go_minor)
			continue;
		ret_reasons->count = PW_MIN(version->reason_count, (size_t)PW_WAIT_REASONS_MAX);
		for (size_t k = 0; k < ret_reasons->count; k++)
			snprintf(ret_reasons->name[k], PW_WAIT_REASON_SIZE, "%s", version->reasons[k]);
		return 0;
	}
	return -ENODATA;
}

int pw_wait_reasons_read(struct pw_wait_reasons *ret_reasons, const struct pw_elf *elf, const struct pw_pclntab *table,
			 int go_minor, struct pw_why *reterr_why)
{
	_cleanup_free_ struct pw_wait_reasons *reasons = calloc(1, sizeof(*reasons));
	int r;

	if (!reasons)
		return -ENOMEM;
	r = read_from_target(reasons, elf, table, reterr_why);
	if (r < 0) {
		memset(reasons, 0, sizeof(*reasons));
		r = read_from_table(reasons, go_minor);
	}
	if (r < 0)
		return r;
	*ret_reasons = *reasons;
	return 0;
}
