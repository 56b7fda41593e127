/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OBSERVE_NUMBERS_H
#define PW_OBSERVE_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "model/runtime_numbers.h"

struct pw_record;
struct pw_record_builder;
struct pw_runtime_metrics;
struct pw_target;

/* The runtime's own numbers of one observed target, read once per interval. Embedded; a zeroed one is empty. */
struct pw_observed_numbers {
	struct pw_runtime_metrics *metrics; /* NULL: not yet, or not possible */
	struct pw_runtime_numbers numbers;
	struct pw_histograms *histograms;
	uint64_t taken_ns;    /* CLOCK_BOOTTIME; 0: never */
	uint64_t next_try_ns; /* after a refusal */
	uint64_t failures;
	bool stale; /* the last read failed */
	char reason[256];
};

/* Reads them now. What fails is shown as stale, with a reason; 0, or -ESRCH: the target is gone. */
int pw_observed_numbers_poll(struct pw_observed_numbers *observed, struct pw_target *target, uint64_t boot_ns)
	__attribute__((warn_unused_result));
/* The target is validated anew: nothing of before counts. */
void pw_observed_numbers_reset(struct pw_observed_numbers *observed);
void pw_observed_numbers_done(struct pw_observed_numbers *observed);

/* Sets numbers and histograms of the draft's runtime section; its section itself is the caller's. */
void pw_observed_numbers_write(const struct pw_observed_numbers *observed, struct pw_record *draft,
			       struct pw_record_builder *builder);

#endif
