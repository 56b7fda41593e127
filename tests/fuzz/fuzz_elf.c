/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "fuzz/file_input.h"

#include <elf.h>
#include <string.h>

#include "base/limits.h"
#include "binary/elf.h"
#include "binary/file.h"

static int add_bytes(void *context, uint64_t vaddr, const uint8_t *data, size_t size)
{
	uint64_t *sum = context;

	*sum += vaddr;
	for (size_t i = 0; i < size; i++)
		*sum += data[i];
	return 0;
}

static uint64_t touch_sections(const struct pw_elf *elf)
{
	const struct pw_elf_section *sections;
	uint64_t sum = 0, offset;
	uint8_t byte;
	size_t count;

	sections = pw_elf_sections(elf, &count);
	for (size_t i = 0; i < count; i++) {
		sum += strlen(sections[i].name) + sections[i].type;
		if (sections[i].type != SHT_NOBITS && sections[i].size &&
		    pw_file_read(pw_elf_file(elf), sections[i].offset + sections[i].size - 1, &byte, 1))
			__builtin_trap(); /* a section that was kept is inside the file */
		if (!pw_elf_offset(elf, sections[i].addr, &offset) && !pw_file_holds(pw_elf_file(elf), offset, 1))
			__builtin_trap();
	}
	return sum;
}

static uint64_t touch_segments(const struct pw_elf *elf)
{
	const struct pw_elf_segment *segments;
	uint64_t sum = 0, value;
	size_t count, cursor = 0;

	segments = pw_elf_segments(elf, &count);
	for (size_t i = 0; i < count; i++) {
		for (uint64_t at = 0; at < segments[i].filesz && at < 256; at += 8)
			if (!pw_elf_read_pointer(elf, segments[i].vaddr + at, &value))
				sum += value;
		while (!pw_elf_find_relocated(elf, segments[i].vaddr, &cursor, &value))
			sum += value;
	}
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static volatile uint64_t sink;
	struct pw_elf *elf;
	uint64_t sum = 0;

	if (pw_elf_open(&elf, file_input(data, size), NULL))
		return 0;
	sum += strlen(pw_elf_build_id(elf)) + pw_elf_entry(elf) + pw_elf_dropped(elf);
	sum += pw_elf_is_pie(elf) + pw_elf_is_shared_library(elf) + pw_elf_has_symtab(elf) + pw_elf_has_dwarf(elf);
	sum += touch_sections(elf) + touch_segments(elf);
	if (pw_elf_scan(elf, 0, 0, 1 << 20, add_bytes, &sum))
		__builtin_trap();
	sink = sum;
	pw_elf_free(elf);
	return 0;
}
