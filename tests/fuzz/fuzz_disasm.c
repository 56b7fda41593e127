/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "fuzz/file_input.h"

#include <elf.h>
#include <string.h>

#include "binary/disasm.h"
#include "binary/elf.h"

#define TEXT 0x401000ULL

/* An ELF file around the code: arm64 if the first byte is odd. */
static int code_file(const uint8_t *code, size_t size, bool arm64)
{
	static uint8_t file[sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr) + 65536];
	Elf64_Ehdr header = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_EXEC,
		.e_machine = arm64 ? EM_AARCH64 : EM_X86_64,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
	};
	Elf64_Phdr segment = {
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_X,
		.p_offset = sizeof(header) + sizeof(segment),
		.p_vaddr = TEXT,
		.p_filesz = size,
		.p_memsz = size,
	};

	memcpy(file, &header, sizeof(header));
	memcpy(file + sizeof(header), &segment, sizeof(segment));
	memcpy(file + sizeof(header) + sizeof(segment), code, size);
	return file_input(file, sizeof(header) + sizeof(segment) + size);
}

/* Instructions follow one another without gaps, their bytes are the code's, and the text ends. */
static void check(const struct pw_code *code, const uint8_t *bytes, size_t size)
{
	size_t at = 0;

	for (size_t i = 0; i < code->count; i++) {
		const struct pw_insn *insn = &code->insn[i];

		if (insn->addr != TEXT + at || !insn->size || insn->size > size - at ||
		    insn->size > sizeof(insn->bytes) || memcmp(insn->bytes, bytes + at, insn->size) ||
		    !memchr(insn->text, '\0', sizeof(insn->text)) || insn->operand_count > 4)
			__builtin_trap();
		if (pw_insn_emulated(code->arch, insn) && insn->kind == PW_INSN_OTHER)
			__builtin_trap(); /* what the kernel emulates, we understand */
		at += insn->size;
	}
	if (code->complete && at != size)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_code code;
	struct pw_elf *elf;

	if (size < 2 || size > 65536)
		return 0;
	if (pw_elf_open(&elf, code_file(data + 1, size - 1, data[0] & 1), NULL))
		return 0;
	if (!pw_code_read(&code, elf, TEXT, TEXT + size - 1, NULL)) {
		check(&code, data + 1, size - 1);
		pw_code_done(&code);
	}
	pw_elf_free(elf);
	return 0;
}
