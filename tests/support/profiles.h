/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TESTS_PROFILES_H
#define PW_TESTS_PROFILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_profile;
struct pw_profile_group;

/* Profiles for tests, told group by group. */
struct sample_group {
	uint32_t count;
	uint8_t status;		/* enum pw_status_class */
	const char *reason;	/* NULL: does not wait */
	const char *stack[6];	/* "function file:line", innermost first */
	const char *created_by; /* the same; NULL: none */
	uint64_t parked_ns;	/* of the youngest; the next is twice as long parked, and so on, up to 8 times */
	uint32_t runs;		/* of each; UINT32_MAX unknown */
	bool system;
	const char *label, *value; /* of each member */
	const char *wait;	   /* kind of what they wait on; NULL nothing known */
	uint64_t receivers, senders;
	int64_t deadline_ns;
	bool nil;
	bool own_objects; /* each member waits on another one; else all on one */
	uint64_t owner;
	uint32_t newcomers; /* so many of them were not there at the first look */
	int64_t period_ns;
};

/* goids count up from 1 over all groups. Summarized; two looks a second apart, one if no runs are known. */
struct pw_profile *sample_profile(const struct sample_group *groups, size_t count);

/* The group whose innermost frame (or go statement) is that function; fails the test if there is none. */
struct pw_profile_group *group_of(const struct pw_profile *profile, const char *function);

#endif
