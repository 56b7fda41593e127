/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/observe/observed.h"

/* Totals since attach that are never sampled: known as long as nothing was missed. */

/* GC probes are switched off over the budget, never sampled: a total with a hole in it is no total. */
static void totals_that_missed_some_are_unknown(void **state)
{
	struct pw_record *record;
	struct world world;

	(void)state;
	world_init(&world, 1);
	counts.gc_counts[PW_EVENT_GC_START] = 5;
	counts.gc_counts[PW_EVENT_STW_START] = counts.gc_counts[PW_EVENT_STW_END] = 9;
	record = tick(&world);
	assert_int_equal(record->events.gc_cycles, 5);
	assert_int_equal(record->events.stw_starts, 9);
	assert_int_equal(record->events.stw_total_ns, 0);
	pw_record_unref(record);
	counts.mode[PW_EVENT_GC_START] = counts.mode[PW_EVENT_STW_START] = PW_PROBES_OFF;
	record = tick(&world);
	assert_int_equal(record->events.gc_cycles, PW_UNKNOWN);
	assert_int_equal(record->events.stw_starts, PW_UNKNOWN);
	assert_int_equal(record->events.stw_total_ns, PW_UNKNOWN);
	assert_int_equal(record->events.stw_ends, 9);
	pw_record_unref(record);
	counts.mode[PW_EVENT_GC_START] = PW_PROBES_CONTINUOUS;
	record = tick(&world);
	assert_int_equal(record->events.gc_cycles, PW_UNKNOWN);
	pw_record_unref(record);
	world_done(&world);
	/* Off from the beginning, then on: what is counted from then on is all that is counted. */
	world_init(&world, 1);
	counts.gc_counts[PW_EVENT_GC_START] = 5;
	counts.mode[PW_EVENT_GC_START] = PW_PROBES_OFF;
	record = tick(&world);
	assert_int_equal(record->events.gc_cycles, PW_UNKNOWN);
	pw_record_unref(record);
	counts.mode[PW_EVENT_GC_START] = PW_PROBES_CONTINUOUS;
	record = tick(&world);
	assert_int_equal(record->events.gc_cycles, 5);
	pw_record_unref(record);
	world_done(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(totals_that_missed_some_are_unknown),
	};

	return cmocka_run_group_tests_name("observe/totals", tests, NULL, NULL);
}
