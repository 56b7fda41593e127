/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "base/macros.h"
#include "binary/file.h"

/*
 * The R_X86_64_RELATIVE and R_AARCH64_RELATIVE relocations of a PIE, sorted by address: slots whose value in the file
 * means nothing, and what the loader writes there less the load bias. Slots of DT_RELR are not here: their value is in
 * the file.
 */
struct pw_reloc {
	uint64_t vaddr, value;
};

struct pw_relocs {
	struct pw_reloc *items;
	size_t count;
};

/*
 * Reads the RELA table of size bytes at a file offset; entries of other types are passed over. wanted_type is the
 * machine's RELATIVE. -EFAULT outside the file, -E2BIG over PW_ELF_RELOCATIONS_MAX.
 */
int pw_must_check pw_relocs_read(struct pw_relocs *ret_relocs, const struct pw_file *file, uint64_t offset,
				 uint64_t size, uint32_t wanted_type);
void pw_relocs_done(struct pw_relocs *relocs);

/* The relocation of exactly this slot, or NULL. */
const struct pw_reloc *pw_relocs_find(const struct pw_relocs *relocs, uint64_t vaddr);
