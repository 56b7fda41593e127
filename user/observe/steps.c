/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "observe/steps.h"

#include <string.h>

/* Steps are rounded only from here on, so that rounding by an eighth never reaches below PW_AGE_EXACT_NS. */
#define ROUND_FROM_NS (PW_AGE_EXACT_NS / 4 * 5)

uint64_t pw_age_step(uint64_t since_ns, uint64_t now_ns)
{
	uint64_t age, grid = 1;

	if (since_ns > now_ns)
		return now_ns;
	age = now_ns - since_ns;
	if (age < ROUND_FROM_NS)
		return since_ns;
	while (grid <= age / 16)
		grid *= 2;
	return (since_ns + grid - 1) / grid * grid;
}

/* The first step that is not older than since_ns. */
static size_t place_of(const struct pw_age_steps *steps, uint64_t since_ns)
{
	size_t low = 0, high = steps->of.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (steps->of.items[middle].born_before_ns < since_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* count more in the step of exactly that time. */
static int add(struct pw_age_steps *steps, uint64_t since_ns, uint64_t count)
{
	struct pw_record_age *ages = steps->of.items;
	size_t at = place_of(steps, since_ns);
	int r;

	if (at < steps->of.count && ages[at].born_before_ns == since_ns) {
		ages[at].count += count;
		return 0;
	}
	if (steps->of.count == PW_AGE_STEPS_MAX) { /* the two oldest become one, as old as the younger of them */
		if (at <= 1) {
			ages[at].count += count;
			return 0;
		}
		ages[1].count += ages[0].count;
		memmove(&ages[0], &ages[1], (steps->of.count - 1) * sizeof(*ages));
		steps->of.count--;
		at--;
	}
	r = pw_vec_reserve(&steps->of, 1);
	if (r < 0)
		return r;
	ages = steps->of.items;
	memmove(&ages[at + 1], &ages[at], (steps->of.count - at) * sizeof(*ages));
	ages[at] = (struct pw_record_age){.born_before_ns = since_ns, .count = count};
	steps->of.count++;
	return 0;
}

int pw_age_steps_add(struct pw_age_steps *steps, uint64_t since_ns, uint64_t now_ns)
{
	return add(steps, pw_age_step(since_ns, now_ns), 1);
}

int pw_age_steps_merge(struct pw_age_steps *steps, const struct pw_age_steps *other)
{
	int r = 0;

	for (size_t i = 0; i < other->of.count && !r; i++)
		r = add(steps, other->of.items[i].born_before_ns, other->of.items[i].count);
	return r;
}

void pw_age_steps_reset(struct pw_age_steps *steps)
{
	pw_vec_reset(&steps->of);
}

void pw_age_steps_done(struct pw_age_steps *steps)
{
	pw_vec_done(&steps->of);
}

void pw_age_steps_write(const struct pw_age_steps *steps, struct pw_record_builder *builder, pw_age_add_fn add_age,
			uint32_t *ret_first, uint32_t *ret_count)
{
	uint32_t last = 0, count = 0;

	for (size_t i = 0; i < steps->of.count; i++) {
		struct pw_record_age *age = add_age(builder, &last);

		if (!age)
			break;
		*age = steps->of.items[i];
		count++;
	}
	*ret_first = count ? last + 1 - count : 0;
	*ret_count = count;
}
