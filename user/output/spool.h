/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_SPOOL_H
#define PW_OUTPUT_SPOOL_H

#include <stddef.h>
#include <stdint.h>

struct pw_buf;
struct pw_why;

/*
 * A queue of small texts on disk, first in, first out, that outlives us: each item is a file of its own (0600), written
 * beside its name and renamed, so that a crash leaves whole items only. Full: the oldest gives way, and is counted.
 * What the disk does not take is kept in memory, up to PW_SPOOL_MEMORY_MAX items. For one thread at a time.
 */
#define PW_SPOOL_MEMORY_MAX 64
#define PW_SPOOL_ITEM_MAX   (256U << 10) /* bytes */

struct pw_spool;

struct pw_spool_stats {
	uint64_t items;	    /* waiting, on disk and in memory */
	uint64_t in_memory; /* of them not on disk: lost if we end */
	uint64_t dropped;   /* gave way, or found no place at all */
	uint64_t disk_failures;
};

/*
 * directory: made (0700, and those above it) if it is not there; NULL or "": memory only. What it holds from before
 * comes first. -EACCES and the like with a sentence if it cannot be used at all; the spool is there all the same, in
 * memory.
 */
int pw_spool_new(struct pw_spool **ret_spool, const char *directory, size_t items_max, struct pw_why *reterr_why)
	__attribute__((warn_unused_result));
void pw_spool_free(struct pw_spool *spool); /* items stay on disk */

/* At the end of the queue. 0; -E2BIG an item larger than the cap, -ENOMEM: counted as dropped, may be ignored. */
int pw_spool_put(struct pw_spool *spool, const char *text, size_t size);
/* The oldest item into out: 0, -ENODATA there is none, -errno of the read (the item is then dropped and counted). */
int pw_spool_first(struct pw_spool *spool, struct pw_buf *out) __attribute__((warn_unused_result));
/* The oldest item is done with. */
void pw_spool_remove_first(struct pw_spool *spool);
void pw_spool_stats(const struct pw_spool *spool, struct pw_spool_stats *ret_stats);

#endif
