/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "base/macros.h"
#include "target/core.h"

void pw_frozen_free(struct pw_frozen *frozen)
{
	if (!frozen)
		return;
	pw_closep(&frozen->core_fd);
	pw_closep(&frozen->exe_fd);
	pw_core_done(&frozen->core);
	free(frozen);
}

static bool read_file(int fd, uint64_t offset, uint8_t *to, size_t size)
{
	while (size) {
		ssize_t n = pread(fd, to, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		to += n;
		offset += (uint64_t)n;
		size -= (size_t)n;
	}
	return true;
}

/* The mapping of the executable that an address is in, or NULL. */
static const struct pw_core_mapping *mapping_at(const struct pw_frozen *frozen, uint64_t address)
{
	for (size_t i = 0; i < frozen->core.mappings.count; i++) {
		const struct pw_core_mapping *mapping = &frozen->core.mappings.items[i];

		if (address >= mapping->start && address < mapping->end)
			return mapping;
	}
	return NULL;
}

/*
 * As many bytes as come from one place. What the core should hold and does not, since it was cut, may have been written
 * to: only what could not be is in the executable too. 0: nobody has them.
 */
static size_t read_piece(const struct pw_frozen *frozen, uint64_t address, uint8_t *to, size_t size)
{
	const struct pw_core_segment *segment = pw_core_segment_at(&frozen->core, address);
	uint64_t at = segment ? address - segment->start : 0;
	const struct pw_core_mapping *mapping;

	if (segment && at < segment->held) {
		size = (size_t)PW_MIN((uint64_t)size, segment->held - at);
		return read_file(frozen->core_fd, segment->offset + at, to, size) ? size : 0;
	}
	mapping = mapping_at(frozen, address);
	if (frozen->exe_fd < 0 || !mapping || (segment && segment->cut && segment->writable))
		return 0;
	size = (size_t)PW_MIN((uint64_t)size, mapping->end - address);
	if (segment)
		size = (size_t)PW_MIN((uint64_t)size, segment->size - at);
	if (mapping->offset > INT64_MAX - (address - mapping->start) - size)
		return 0;
	return read_file(frozen->exe_fd, mapping->offset + (address - mapping->start), to, size) ? size : 0;
}

static int read_frozen(void *context, struct pw_mem_range *ranges, size_t count)
{
	const struct pw_frozen *frozen = context;
	int good = 0;

	for (size_t i = 0; i < count; i++) {
		struct pw_mem_range *range = &ranges[i];
		size_t done = 0, n = 1;

		while (done < range->size && n) {
			n = read_piece(frozen, range->addr + done, (uint8_t *)range->buffer + done, range->size - done);
			done += n;
		}
		range->ok = done == range->size;
		good += range->ok;
	}
	return good;
}

void pw_mem_frozen(struct pw_mem *ret_mem, struct pw_frozen *frozen)
{
	*ret_mem = (struct pw_mem){.read = read_frozen, .context = frozen};
}
