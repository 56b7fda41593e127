/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "base/limits.h"
#include "base/macros.h"

#define HASH_NONFATAL_OOM	   1
#define uthash_nonfatal_oom(entry) ((entry)->oom = true)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <uthash.h>
#pragma GCC diagnostic pop

/*
 * Hash table of integer or byte-block keys to pointers, over uthash, with a maximum, a count of what the maximum
 * refused or pushed out, and use order (least recently used first). The table owns the keys; values are owned by the
 * caller unless free_value is given.
 */
struct pw_table_entry {
	void *value;
	size_t key_size;
	bool oom; /* uthash could not grow while adding this one */
	UT_hash_handle hh;
	uint8_t key[];
};

struct pw_table {
	struct pw_table_entry *head; /* in use order: the least recently used first */
	size_t max;		     /* entries; 0 is PW_TABLE_DEFAULT_MAX */
	void (*free_value)(void *value);
	bool evict;	  /* when full: push out the least recently used instead of refusing the new one */
	uint64_t evicted; /* pushed out so far */
	uint64_t refused; /* not taken because full, so far */
};

#define PW_TABLE_INIT(max_entries, free_fn)                   \
	{                                                     \
		.max = (max_entries), .free_value = (free_fn) \
	}
#define PW_TABLE_INIT_LRU(max_entries, free_fn)                              \
	{                                                                    \
		.max = (max_entries), .free_value = (free_fn), .evict = true \
	}

/* Frees all entries, and the values by free_value. */
void pw_table_done(struct pw_table *table);

/*
 * Adds or replaces (the old value is freed). 0; -E2BIG when full and evict is off; -ENOMEM. On error the value stays
 * the caller's.
 */
int pw_must_check pw_table_put(struct pw_table *table, const void *key, size_t key_size, void *value);

/* The value or NULL. pw_table_get marks it as used, pw_table_peek does not. */
void *pw_table_get(struct pw_table *table, const void *key, size_t key_size);
void *pw_table_peek(const struct pw_table *table, const void *key, size_t key_size);

/* Takes an entry out without freeing its value, which is returned; NULL when absent. */
void *pw_table_take(struct pw_table *table, const void *key, size_t key_size);

/* Takes an entry out and frees its value; true if there was one. */
bool pw_table_remove(struct pw_table *table, const void *key, size_t key_size);

size_t pw_table_count(const struct pw_table *table);

/* The same by a 64-bit key. */
int pw_must_check pw_table_put_u64(struct pw_table *table, uint64_t key, void *value);
void *pw_table_get_u64(struct pw_table *table, uint64_t key);
bool pw_table_remove_u64(struct pw_table *table, uint64_t key);

/* And by a string. */
int pw_must_check pw_table_put_str(struct pw_table *table, const char *key, void *value);
void *pw_table_get_str(struct pw_table *table, const char *key);
bool pw_table_remove_str(struct pw_table *table, const char *key);

/* Each entry, least recently used first; the current one may be removed, nothing else may be changed. */
#define pw_table_foreach(table, entry)                                                                             \
	for (struct pw_table_entry *entry = (table)->head, *pw_table_next_##entry = entry ? entry->hh.next : NULL; \
	     entry; entry = pw_table_next_##entry, pw_table_next_##entry = entry ? entry->hh.next : NULL)
