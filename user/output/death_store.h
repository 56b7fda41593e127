/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_DEATH_STORE_H
#define PW_OUTPUT_DEATH_STORE_H

#include <stddef.h>
#include <stdint.h>

struct pw_death_report;
struct pw_why;

/*
 * What is kept of processes that have ended: the last ones in memory, to be shown, and those that were told of as files
 * of JSON in the state directory (spool.h: 0600, whole or not at all, the oldest gives way and is counted). Files are
 * written a few at a time, from pw_death_store_write, so that a host that loses a hundred processes at once is not held
 * up by its disk. Used by one thread.
 */
#define PW_DEATHS_SHOWN_MAX   64  /* in memory: some 15 kB each */
#define PW_DEATHS_SERVICE_MAX 8	  /* of them of one service */
#define PW_DEATHS_FILES_MAX   256 /* of 10 kB as a rule, 256 kB at most */

struct pw_death_store;

struct pw_death_store_stats {
	uint64_t written;
	uint64_t failed;  /* the disk did not take it: in memory only */
	uint64_t dropped; /* files that gave way to newer ones, and reports that found no place before they were written
			   */
};

/* directory: made if it is not there; "": memory only. -errno with a sentence if it cannot be used: the store is there
 * all the same. */
int pw_death_store_new(struct pw_death_store **ret_store, const char *directory, struct pw_why *reterr_why)
	__attribute__((warn_unused_result));
void pw_death_store_free(struct pw_death_store *store); /* writes what is not yet written */

/* Takes a reference. */
void pw_death_store_add(struct pw_death_store *store, const struct pw_death_report *report);
/* Writes at most max of those that are due. */
void pw_death_store_write(struct pw_death_store *store, size_t max);
/* The newest first, borrowed until the next add: their number, at most PW_DEATHS_SHOWN_MAX. */
size_t pw_death_store_list(const struct pw_death_store *store, struct pw_death_report *reports[PW_DEATHS_SHOWN_MAX]);
void pw_death_store_stats(const struct pw_death_store *store, struct pw_death_store_stats *ret_stats);

#endif
