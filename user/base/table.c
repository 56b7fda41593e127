/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/table.h"

#include <string.h>

/* uthash is C without -Wconversion in mind, and expands here. */
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"

static void free_entry(struct pw_table *table, struct pw_table_entry *entry)
{
	if (table->free_value && entry->value)
		table->free_value(entry->value);
	free(entry);
}

void pw_table_done(struct pw_table *table)
{
	struct pw_table_entry *entry = table->head, *next;

	HASH_CLEAR(hh, table->head);
	for (; entry; entry = next) {
		next = entry->hh.next;
		free_entry(table, entry);
	}
}

size_t pw_table_count(const struct pw_table *table)
{
	return HASH_COUNT(table->head);
}

static struct pw_table_entry *find(const struct pw_table *table, const void *key, size_t key_size)
{
	struct pw_table_entry *entry;

	HASH_FIND(hh, table->head, key, key_size, entry);
	return entry;
}

/* Last in the order is the most recently used. Moving cannot fail for want of memory while the table has others. */
static bool add_last(struct pw_table *table, struct pw_table_entry *entry)
{
	entry->oom = false;
	HASH_ADD_KEYPTR(hh, table->head, entry->key, entry->key_size, entry);
	return !entry->oom;
}

static void unlink_entry(struct pw_table *table, struct pw_table_entry *entry)
{
	HASH_DELETE(hh, table->head, entry);
}

/*
 * To the end of the use order by relinking the list alone: the hash buckets do not know the order. Keeps what
 * HASH_DELETE relies on: head has no prev, and the table's tail points to the handle of the last.
 */
static void mark_used(struct pw_table *table, struct pw_table_entry *entry)
{
	UT_hash_table *tbl = table->head->hh.tbl;
	struct pw_table_entry *last, *prev = entry->hh.prev, *next = entry->hh.next;

	if (!next)
		return;
	next->hh.prev = prev;
	if (prev)
		prev->hh.next = next;
	else
		table->head = next;
	last = ELMT_FROM_HH(tbl, tbl->tail);
	last->hh.next = entry;
	entry->hh.prev = last;
	entry->hh.next = NULL;
	tbl->tail = &entry->hh;
}

int pw_table_put(struct pw_table *table, const void *key, size_t key_size, void *value)
{
	size_t max = table->max ? table->max : PW_TABLE_DEFAULT_MAX;
	struct pw_table_entry *entry = find(table, key, key_size);

	if (key_size > UINT32_MAX / 2)
		return -E2BIG;
	if (entry) {
		if (table->free_value && entry->value && entry->value != value)
			table->free_value(entry->value);
		entry->value = value;
		mark_used(table, entry);
		return 0;
	}
	if (pw_table_count(table) >= max && !table->evict) {
		table->refused++;
		return -E2BIG;
	}
	entry = calloc(1, sizeof(*entry) + key_size);
	if (!entry)
		return -ENOMEM;
	entry->value = value;
	entry->key_size = key_size;
	if (key_size)
		memcpy(entry->key, key, key_size);
	while (pw_table_count(table) >= max) {
		struct pw_table_entry *oldest = table->head;

		unlink_entry(table, oldest);
		free_entry(table, oldest);
		table->evicted++;
	}
	if (!add_last(table, entry)) {
		free(entry);
		return -ENOMEM;
	}
	return 0;
}

void *pw_table_get(struct pw_table *table, const void *key, size_t key_size)
{
	struct pw_table_entry *entry = find(table, key, key_size);

	if (!entry)
		return NULL;
	mark_used(table, entry);
	return entry->value;
}

void *pw_table_peek(const struct pw_table *table, const void *key, size_t key_size)
{
	struct pw_table_entry *entry = find(table, key, key_size);

	return entry ? entry->value : NULL;
}

void *pw_table_take(struct pw_table *table, const void *key, size_t key_size)
{
	struct pw_table_entry *entry = find(table, key, key_size);
	void *value;

	if (!entry)
		return NULL;
	value = entry->value;
	unlink_entry(table, entry);
	free(entry);
	return value;
}

bool pw_table_remove(struct pw_table *table, const void *key, size_t key_size)
{
	struct pw_table_entry *entry = find(table, key, key_size);

	if (!entry)
		return false;
	unlink_entry(table, entry);
	free_entry(table, entry);
	return true;
}

int pw_table_put_u64(struct pw_table *table, uint64_t key, void *value)
{
	return pw_table_put(table, &key, sizeof(key), value);
}

void *pw_table_get_u64(struct pw_table *table, uint64_t key)
{
	return pw_table_get(table, &key, sizeof(key));
}

bool pw_table_remove_u64(struct pw_table *table, uint64_t key)
{
	return pw_table_remove(table, &key, sizeof(key));
}

int pw_table_put_str(struct pw_table *table, const char *key, void *value)
{
	return pw_table_put(table, key, strlen(key), value);
}

void *pw_table_get_str(struct pw_table *table, const char *key)
{
	return pw_table_get(table, key, strlen(key));
}

bool pw_table_remove_str(struct pw_table *table, const char *key)
{
	return pw_table_remove(table, key, strlen(key));
}
