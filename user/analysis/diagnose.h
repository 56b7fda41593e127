/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_DIAGNOSE_H
#define PW_ANALYSIS_DIAGNOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_profile;
struct pw_profile_group;

/*
 * What a group of equal goroutines is, read from its structure, age and runs by named rules; the first that fits
 * speaks. Pure: no clock, no I/O. "certain" is only what cannot be otherwise, "likely" what a healthy program hardly
 * ever shows, "possible" what is worth a look if it grows.
 */
struct pw_diagnosis_rule {
	const char *id; /* "PW-G02" */
	const char *name;
	const char *text;     /* when it speaks, and with which word */
	const char *look_for; /* what to do about it */
	bool (*judge)(const struct pw_profile *profile, struct pw_profile_group *group);
};

/* Fills the diagnosis of each group of the profile; those that no rule fits have none. */
void pw_diagnose(struct pw_profile *profile);

const struct pw_diagnosis_rule *pw_diagnosis_rules(size_t *ret_count);

#endif
