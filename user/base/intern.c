/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/intern.h"

#include <string.h>

#include "base/table.h"

/* Texts are allocated one by one and never move; the hash finds them by content. */
struct interned {
	uint32_t id;
	size_t size;
	bool oom;
	UT_hash_handle hh;
	char text[];
};

struct pw_intern {
	struct interned *by_text;
	struct interned **by_id; /* by_id[0] is NULL: the empty string */
	uint32_t count, capacity, max_strings;
	size_t bytes, max_bytes;
	uint64_t dropped;
};

int pw_intern_new(struct pw_intern **ret_intern, uint32_t max_strings, size_t max_bytes)
{
	struct pw_intern *intern = calloc(1, sizeof(*intern));

	if (!intern)
		return -ENOMEM;
	intern->capacity = 64;
	intern->by_id = calloc(intern->capacity, sizeof(struct interned *));
	if (!intern->by_id) {
		free(intern);
		return -ENOMEM;
	}
	intern->count = 1;
	intern->max_strings = max_strings;
	intern->max_bytes = max_bytes;
	*ret_intern = intern;
	return 0;
}

void pw_intern_free(struct pw_intern *intern)
{
	if (!intern)
		return;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
	HASH_CLEAR(hh, intern->by_text);
#pragma GCC diagnostic pop
	for (uint32_t i = 1; i < intern->count; i++)
		free(intern->by_id[i]);
	free(intern->by_id);
	free(intern);
}

static struct interned *find(const struct pw_intern *intern, const char *text, size_t size)
{
	struct interned *found = NULL;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
	HASH_FIND(hh, intern->by_text, text, size, found);
#pragma GCC diagnostic pop
	return found;
}

static int grow(struct pw_intern *intern)
{
	struct interned **bigger;
	uint32_t capacity = intern->capacity * 2;

	if (intern->count < intern->capacity)
		return 0;
	bigger = reallocarray(intern->by_id, capacity, sizeof(struct interned *));
	if (!bigger)
		return -ENOMEM;
	intern->by_id = bigger;
	intern->capacity = capacity;
	return 0;
}

int pw_intern_add(struct pw_intern *intern, const char *text, size_t size, uint32_t *ret_id)
{
	struct interned *entry;

	if (pw_intern_find(intern, text, size, ret_id))
		return 0;
	if (size > PW_INTERN_STRING_MAX || intern->count >= intern->max_strings ||
	    size > intern->max_bytes - intern->bytes) {
		intern->dropped++;
		return -E2BIG;
	}
	if (grow(intern) < 0)
		return -ENOMEM;
	entry = calloc(1, sizeof(*entry) + size + 1);
	if (!entry)
		return -ENOMEM;
	memcpy(entry->text, text, size);
	entry->size = size;
	entry->id = intern->count;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
	HASH_ADD_KEYPTR(hh, intern->by_text, entry->text, size, entry);
#pragma GCC diagnostic pop
	if (entry->oom) {
		free(entry);
		return -ENOMEM;
	}
	intern->by_id[intern->count++] = entry;
	intern->bytes += size;
	*ret_id = entry->id;
	return 0;
}

int pw_intern_adds(struct pw_intern *intern, const char *text, uint32_t *ret_id)
{
	return pw_intern_add(intern, text, strlen(text), ret_id);
}

bool pw_intern_find(const struct pw_intern *intern, const char *text, size_t size, uint32_t *ret_id)
{
	const struct interned *found;

	if (size == 0) {
		*ret_id = 0;
		return true;
	}
	found = find(intern, text, size);
	if (!found)
		return false;
	*ret_id = found->id;
	return true;
}

const char *pw_intern_text(const struct pw_intern *intern, uint32_t id)
{
	return id == 0 || id >= intern->count ? "" : intern->by_id[id]->text;
}

size_t pw_intern_size(const struct pw_intern *intern, uint32_t id)
{
	return id == 0 || id >= intern->count ? 0 : intern->by_id[id]->size;
}

uint32_t pw_intern_count(const struct pw_intern *intern)
{
	return intern->count;
}

size_t pw_intern_bytes(const struct pw_intern *intern)
{
	return intern->bytes;
}

uint64_t pw_intern_dropped(const struct pw_intern *intern)
{
	return intern->dropped;
}
