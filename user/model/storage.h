/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_MODEL_STORAGE_H
#define PW_MODEL_STORAGE_H

#include "model/record.h"

struct pw_why;

/* How records are kept: for the builder and the decoder only. */

/* An immutable deep copy of a draft whose arrays lie anywhere, in one allocation, with one reference. -ENOMEM. */
int pw_record_copy(struct pw_record **ret_record, const struct pw_record *draft) __attribute__((warn_unused_result));

/* Bytes that a record made by pw_record_copy takes. */
size_t pw_record_bytes(const struct pw_record *record);

/* Does every index in it point to something, every enum to a word, and is every number finite? 0 or -EBADMSG. */
int pw_record_check(const struct pw_record *record, struct pw_why *reterr_why) __attribute__((warn_unused_result));

/* Caps of the arrays of one record; each refusal is counted in the record's drops. */
#define PW_RECORD_SITES_MAX	 64U	 /* one per event */
#define PW_RECORD_DROPS_MAX	 256U	 /* counters of ours, by name */
#define PW_RECORD_STATEMENTS_MAX 4096U	 /* go statements; etcd has 371, prometheus 402 in their binaries */
#define PW_RECORD_COUNTS_MAX	 4096U	 /* one per statement */
#define PW_RECORD_REASONS_MAX	 65536U	 /* 16 wait reasons for each statement */
#define PW_RECORD_GROUPS_MAX	 16384U	 /* 4 (status, reason) for each statement */
#define PW_RECORD_AGES_MAX	 262144U /* 16 steps for each group; a group has at most 256 */
#define PW_RECORD_PARKS_MAX	 16640U	 /* those that have a stack, and one for each group of the census */
#define PW_RECORD_PARK_AGES_MAX	 262144U /* as AGES */
#define PW_RECORD_ROWS_MAX	 262144U /* more goroutines are shown as groups only */
#define PW_RECORD_LOCKS_MAX	 32U	 /* groups that wait for one that is still */
#define PW_RECORD_BUCKETS_MAX	 5768U	 /* of all histograms of the runtime, full */
#define PW_RECORD_GC_CYCLES_MAX	 PW_GC_RING_MAX
#define PW_RECORD_FRAMES_MAX	 147456U    /* 32 for each creation stack, 64 for each parked one */
#define PW_RECORD_STACKS_MAX	 4352U	    /* one per statement to create it, 256 parked ones */
#define PW_RECORD_STRINGS_MAX	 65536U	    /* functions and files of all of these */
#define PW_RECORD_TEXT_MAX	 (8U << 20) /* bytes of all strings */

#endif
