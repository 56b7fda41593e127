/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_DESCRIPTORS_H
#define PW_ANALYSIS_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analysis/climb.h"
#include "analysis/condition.h"

struct pw_alert;
struct pw_judge;
struct pw_record;
struct pw_record_park;
struct pw_rules_config;

/*
 * PW-G07, waits for the network without an end, has three faces. Goroutines in IO wait without a deadline that only get
 * more are found by growth.c, which asks here whether their sockets make it likely. Judged here, at each look at what
 * the process holds: connections that the other side has closed long ago and this one has not, and descriptors that
 * will soon be at their limit.
 */
struct pw_descriptors {
	struct {
		struct pw_tick tick;
		uint64_t count, first, first_wall_ns; /* first: before it began to rise */
		uint32_t rises;			      /* looks in which it did, since it last fell */
		struct pw_condition condition;
	} closed;
	struct {
		struct pw_climb climb;
		struct pw_climb_verdict verdict;
		bool grows;
		uint64_t onset_wall_ns;
		struct pw_condition condition;
	} files;
};

void pw_descriptors_judge(const struct pw_judge *judge, struct pw_descriptors *descriptors,
			  const struct pw_record *record);

/* Do the members of a group that is in IO wait mostly have no deadline? */
bool pw_network_endless(const struct pw_record_park *park);
/* Growth of such a group: may it be told? Not where its sockets still receive, nor, without a baseline, where they are
 * connections that nobody has closed: keep-alive and websockets look the same. */
bool pw_network_suspicious(const struct pw_record_park *park, const struct pw_rules_config *rules, bool cold);
/* Says in the alert's hint what the sockets of the group are. */
void pw_network_explain(struct pw_alert *alert, const struct pw_record_park *park);

#endif
