/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "fuzz/file_input.h"

#include <string.h>

#include "base/limits.h"
#include "binary/elf.h"
#include "binary/pclntab.h"

static size_t touch_pc(const struct pw_pclntab *table, uint64_t pc)
{
	struct pw_frame_ref frames[8];
	size_t sum = 0;
	uint32_t bytes;
	int n = pw_pclntab_frames(table, pc, frames, 8);

	if (n > 8 || n == 0)
		__builtin_trap();
	for (int i = 0; i < n; i++) {
		sum += strlen(frames[i].function) + strlen(frames[i].file) + frames[i].line;
		if (frames[i].inlined == (i == n - 1)) /* the physical function, and it alone, is last */
			__builtin_trap();
	}
	return sum + (pw_pclntab_frame_size(table, pc, &bytes) ? 0 : bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static volatile size_t sink;
	struct pw_pclntab *table;
	struct pw_elf *elf;
	struct pw_func func;
	size_t count, sum = 0;

	/* The last byte is the Go version: it chooses layouts. */
	if (!size || pw_elf_open(&elf, file_input(data, size - 1), NULL))
		return 0;
	if (!pw_pclntab_open(&table, elf, (int)data[size - 1] % 32 - 1, NULL)) {
		count = pw_pclntab_count(table);
		for (size_t i = 0; i < count && i < 32; i++) {
			if (pw_pclntab_func(table, i, &func))
				continue;
			sum += strlen(func.name);
			for (uint64_t n = 0; n < 8; n++)
				sum += touch_pc(table, func.entry + n * 0x15);
		}
		sum += !pw_pclntab_func_by_name(table, "runtime.gopark", &func);
		pw_pclntab_free(table);
	}
	sink = sum;
	pw_elf_free(elf);
	return 0;
}
