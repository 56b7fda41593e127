/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "binary/disasm.h"

#include <capstone/capstone.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/macros.h"
#include "base/why.h"
#include "binary/disasm_arch.h"

/*
 * Reads a function's bytes, lets capstone decode them one by one, and has the architecture's half (disasm_amd64.c,
 * disasm_arm64.c) translate what capstone says. Then marks where direct branches land.
 */

static int compare_addr(const void *a, const void *b)
{
	uint64_t left = ((const struct pw_insn *)a)->addr, right = ((const struct pw_insn *)b)->addr;

	return left < right ? -1 : left > right;
}

static void mark_targets(struct pw_code *code)
{
	struct pw_insn key = {}, *landing;

	for (size_t i = 0; i < code->count; i++) {
		if (code->insn[i].kind != PW_INSN_JUMP && code->insn[i].kind != PW_INSN_BRANCH)
			continue;
		key.addr = code->insn[i].target;
		landing = bsearch(&key, code->insn, code->count, sizeof(key), compare_addr);
		if (landing)
			landing->is_target = true;
	}
}

/* A word that capstone 4 does not know (it has no ARMv8.1): its length is known all the same. */
static bool take_unknown(struct pw_code *code, struct pw_insn *insn, const uint8_t **bytes, size_t *left,
			 uint64_t *addr)
{
	if (code->arch != PW_ARCH_ARM64 || *left < 4)
		return false;
	insn->addr = *addr;
	insn->size = 4;
	memcpy(insn->bytes, *bytes, 4);
	if (!pw_disasm_arm64_word(insn))
		code->complete = false;
	*bytes += 4;
	*left -= 4;
	*addr += 4;
	return true;
}

static void translate(struct pw_code *code, struct pw_insn *insn, const cs_insn *from)
{
	insn->addr = from->address;
	insn->size = (uint8_t)PW_MIN((size_t)from->size, sizeof(insn->bytes));
	memcpy(insn->bytes, from->bytes, insn->size);
	if (snprintf(insn->text, sizeof(insn->text), "%s %s", from->mnemonic, from->op_str) >= (int)sizeof(insn->text))
		insn->text[sizeof(insn->text) - 2] = '~'; /* cut */
	if (!from->op_str[0])
		insn->text[strlen(from->mnemonic)] = '\0';
	if (code->arch == PW_ARCH_AMD64)
		pw_disasm_amd64_translate(insn, from);
	else
		pw_disasm_arm64_translate(insn, from);
}

static int decode(struct pw_code *code, csh handle, const uint8_t *bytes, size_t left, uint64_t addr)
{
	size_t capacity = left / (code->arch == PW_ARCH_ARM64 ? 4 : 1) + 1;
	cs_insn *from = cs_malloc(handle);
	struct pw_insn *shrunk;

	code->complete = true;
	code->insn = calloc(capacity, sizeof(*code->insn));
	if (!from || !code->insn) {
		if (from)
			cs_free(from, 1);
		return -ENOMEM;
	}
	while (left && code->count < capacity) {
		if (cs_disasm_iter(handle, &bytes, &left, &addr, from))
			translate(code, &code->insn[code->count], from);
		else if (!take_unknown(code, &code->insn[code->count], &bytes, &left, &addr))
			break;
		code->count++;
	}
	cs_free(from, 1);
	if (left)
		code->complete = false;
	shrunk = realloc(code->insn, PW_MAX(code->count, (size_t)1) * sizeof(*code->insn));
	if (shrunk)
		code->insn = shrunk;
	return code->count ? 0 : -EBADMSG;
}

static int open_capstone(csh *ret_handle, enum pw_arch arch)
{
	cs_err error = arch == PW_ARCH_AMD64 ? cs_open(CS_ARCH_X86, CS_MODE_64, ret_handle)
					     : cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, ret_handle);

	if (error != CS_ERR_OK)
		return error == CS_ERR_MEM ? -ENOMEM : -ENOTSUP;
	if (cs_option(*ret_handle, CS_OPT_DETAIL, CS_OPT_ON) != CS_ERR_OK) {
		cs_close(ret_handle);
		return -ENOMEM;
	}
	return 0;
}

int pw_code_read(struct pw_code *ret_code, const struct pw_elf *elf, uint64_t start, uint64_t end,
		 struct pw_why *reterr_why)
{
	struct pw_code code = {.arch = pw_elf_arch(elf)};
	_cleanup_free_ uint8_t *bytes = NULL;
	csh handle;
	size_t size;
	int r;

	if (end <= start)
		return pw_why_set(reterr_why, -EFAULT, "a function without code");
	if (end - start > PW_CODE_BYTES_MAX)
		return pw_why_set(reterr_why, -E2BIG, "a function of %lu bytes", end - start);
	size = (size_t)(end - start);
	bytes = malloc(size);
	if (!bytes)
		return -ENOMEM;
	r = pw_elf_read(elf, start, bytes, size);
	if (r < 0)
		return pw_why_set(reterr_why, r, "no machine code at 0x%lx in the file", start);
	r = open_capstone(&handle, code.arch);
	if (r < 0)
		return pw_why_set(reterr_why, r, "the disassembler does not start");
	r = decode(&code, handle, bytes, size, start);
	cs_close(&handle);
	if (r < 0) {
		pw_code_done(&code);
		return pw_why_set(reterr_why, r, "no instruction can be decoded at 0x%lx", start);
	}
	mark_targets(&code);
	if (code.arch == PW_ARCH_ARM64)
		pw_disasm_arm64_pair(&code);
	*ret_code = code;
	return 0;
}

void pw_code_done(struct pw_code *code)
{
	free(code->insn);
	*code = (struct pw_code){};
}

bool pw_insn_emulated(enum pw_arch arch, const struct pw_insn *insn)
{
	switch (arch) {
	case PW_ARCH_AMD64:
		return pw_disasm_amd64_emulated(insn);
	case PW_ARCH_ARM64:
		return pw_disasm_arm64_emulated(insn);
	default:
		return false;
	}
}
