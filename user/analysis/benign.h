/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_BENIGN_H
#define PW_ANALYSIS_BENIGN_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/alert.h"

struct pw_buf;
struct pw_policy;
struct pw_why;

/*
 * The benign list: goroutines that are there by design. An entry lowers alerts about them to info while there are no
 * more than it allows and until its day has come, both by the record's own figures; it says so in the alert, and it
 * never lowers a proof. Names are matched by POSIX extended regular expressions, without what can take them long: no
 * {n,m}, no back references.
 */
#define PW_BENIGN_MAX	      256
#define PW_BENIGN_REGEX_SIZE  256
#define PW_BENIGN_REASON_SIZE 128

struct pw_benign {
	char created[PW_BENIGN_REGEX_SIZE]; /* the go statement's function, or one that called it */
	char blocked[PW_BENIGN_REGEX_SIZE]; /* a function on the stack that most of them are parked on; "": any */
	char reason[PW_BENIGN_REASON_SIZE];
	uint64_t max;	  /* goroutines */
	char expires[12]; /* "2027-03-01": from that day on, UTC, it no longer holds */
	uint64_t expires_wall_ns;
	char shipped[16]; /* version of the list that it came with in the program; "": it is of the file */
	uint32_t line;
	regex_t created_regex, blocked_regex; /* owned by the policy */
};

/* An entry as a file has it, compiled here. -E2BIG: too many; -EINVAL with a sentence: an expression or the date. */
int pw_policy_add_benign(struct pw_policy *policy, const struct pw_benign *entry, struct pw_why *reterr_why)
	__attribute__((warn_unused_result));
void pw_benign_done(struct pw_benign *entry);

/* The list that comes with the program: its version, and all of it added behind what is there. */
#define PW_BENIGN_SHIPPED_VERSION "2026-11"
int pw_policy_add_shipped(struct pw_policy *policy) __attribute__((warn_unused_result));

/* "2027-03-01" to the beginning of that day, UTC; -EINVAL. */
int pw_benign_parse_day(const char *text, uint64_t *ret_wall_ns) __attribute__((warn_unused_result));

/* What is remembered of the list over the life of an alert: an entry whose cap was passed holds no more for it. */
struct pw_benign_memory {
	uint64_t generation; /* of the configuration */
	size_t over;	     /* index of that entry, + 1; 0: none */
};

/* Sets level (if it is lowered), lowered and benign of an alert at wall_ns. policy may be NULL. */
void pw_benign_judge(const struct pw_policy *policy, uint64_t generation, struct pw_benign_memory *memory,
		     uint64_t wall_ns, struct pw_alert *alert);

#endif
