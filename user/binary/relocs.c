/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "binary/relocs.h"

#include <elf.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/vec.h"

#define ENTRY_BYTES   24U
#define ENTRIES_CHUNK 2048U

_Static_assert(ENTRY_BYTES == sizeof(Elf64_Rela), "of the file format");

static int compare_vaddr(const void *a, const void *b)
{
	uint64_t left = ((const struct pw_reloc *)a)->vaddr, right = ((const struct pw_reloc *)b)->vaddr;

	return left < right ? -1 : left > right;
}

typedef PW_VEC(struct pw_reloc) reloc_vec;

static int add_chunk(reloc_vec *relocs, const uint8_t *data, size_t size, uint32_t wanted_type, bool *sorted)
{
	struct pw_bytes bytes = pw_bytes_init(data, size);
	struct pw_reloc reloc;
	uint64_t info;
	int r;

	while (pw_bytes_remaining(&bytes) >= ENTRY_BYTES) {
		reloc.vaddr = pw_bytes_u64(&bytes);
		info = pw_bytes_u64(&bytes);
		reloc.value = pw_bytes_u64(&bytes);
		if (ELF64_R_TYPE(info) != wanted_type)
			continue;
		if (relocs->count && relocs->items[relocs->count - 1].vaddr > reloc.vaddr)
			*sorted = false;
		r = pw_vec_push(relocs, reloc);
		if (r < 0)
			return r;
	}
	return 0;
}

int pw_relocs_read(struct pw_relocs *ret_relocs, const struct pw_file *file, uint64_t offset, uint64_t size,
		   uint32_t wanted_type)
{
	reloc_vec relocs = PW_VEC_INIT(PW_ELF_RELOCATIONS_MAX);
	_cleanup_free_ uint8_t *chunk = malloc(ENTRIES_CHUNK * ENTRY_BYTES);
	bool sorted = true;
	size_t n;
	int r = chunk ? 0 : -ENOMEM;

	if (!r && !pw_file_holds(file, offset, size))
		r = -EFAULT;
	while (!r && size >= ENTRY_BYTES) {
		n = (size_t)PW_MIN(size - size % ENTRY_BYTES, (uint64_t)ENTRIES_CHUNK * ENTRY_BYTES);
		r = pw_file_read(file, offset, chunk, n);
		if (!r)
			r = add_chunk(&relocs, chunk, n, wanted_type, &sorted);
		offset += n;
		size -= n;
	}
	if (r < 0) {
		pw_vec_done(&relocs);
		return r;
	}
	if (!sorted) /* GNU ld sorts, Go's linker does not */
		pw_vec_sort(&relocs, compare_vaddr);
	*ret_relocs = (struct pw_relocs){.items = relocs.items, .count = relocs.count};
	return 0;
}

void pw_relocs_done(struct pw_relocs *relocs)
{
	free(relocs->items);
	*relocs = (struct pw_relocs){};
}

const struct pw_reloc *pw_relocs_find(const struct pw_relocs *relocs, uint64_t vaddr)
{
	struct pw_reloc key = {.vaddr = vaddr};

	if (!relocs->count)
		return NULL;
	return bsearch(&key, relocs->items, relocs->count, sizeof(key), compare_vaddr);
}
