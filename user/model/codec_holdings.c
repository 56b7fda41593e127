/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/codec_walk.h"
#include "model/record.h"

/* A recording of before has fewer of the numbers: the others are unknown. One of later has more: they are passed over.
 */
#define NUMBERS_MAX 256U
#define NUMBERS_10  17U
#define NUMBERS_11  28U

/* How many there are was not written before format 13: then there were as many as the format had. */
static uint64_t implied_count(unsigned int version)
{
	return version >= 13 ? 0 : version >= 11 ? NUMBERS_11 : NUMBERS_10;
}

void pw_walk_holdings(struct pw_walk *walk, struct pw_record *now, const struct pw_record *old)
{
	static const struct pw_holdings none;
	uint64_t *to = (uint64_t *)&now->holdings.numbers;
	const uint64_t *from = (const uint64_t *)(old->holdings.section.present ? &old->holdings.numbers : &none);
	uint64_t count;

	pw_walk_section(walk, &now->holdings.section, &old->holdings.section);
	if (!now->holdings.section.present)
		return;
	count = pw_walk_value(walk, PW_HOLDING_COUNT, implied_count(walk->version), NUMBERS_MAX);
	if (!walk->encoding)
		pw_holdings_init(&now->holdings.numbers);
	for (uint64_t i = 0; i < count && !walk->failed; i++) {
		bool known = i < PW_HOLDING_COUNT;
		uint64_t value = pw_walk_value(walk, known ? to[i] : 0, known ? from[i] : 0, UINT64_MAX);

		if (known && !walk->encoding)
			to[i] = value;
	}
	U32(holdings.pids_path);
}
