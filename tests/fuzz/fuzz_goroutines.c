/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * A target whose memory is the input: globals, Ps, the list of goroutines and the goroutines themselves begin sound and
 * are then overwritten by (where, how much, what) records. No walk may crash, hang or show what was not checked.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "fuzz/memory_input.h"
#include "model/record.h"
#include "target/goroutines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct fake_go *go, const struct pw_census_result *result)
{
	for (size_t i = 0; i < result->count; i++) {
		const struct pw_goroutine *g = &result->goroutines[i];

		if (!g->goid || g->status >= _PW_GOROUTINE_STATUS_MAX || g->stack_lo >= g->stack_hi)
			abort();
		if (g->status == PW_GOROUTINE_WAITING && g->wait_reason >= go->build.facts.wait_reasons.count)
			abort();
		if (g->gopc && (g->gopc < FAKE_GO_TEXT || g->gopc > FAKE_GO_ETEXT))
			abort();
	}
	if (result->count + result->dead + result->torn > result->allglen)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_census *census;
	struct fake_go *go;
	uint64_t low, high;
	int r;

	if (size < 2)
		return 0;
	go = fake_go_new(19 + data[0] % 9, data[1] % 64 + 1, data[1] % 5 + 1);
	memory_overwrite(go, data + 2, size - 2);
	if (pw_census_new(&census) || pw_births_new(&go->target.births))
		abort();
	for (int walk = 0; walk < 2; walk++) {
		r = pw_census_begin(census, &go->target);
		while (!r && (r = pw_census_step(census, 0)) == -EAGAIN)
			r = 0;
		if (!r)
			check(go, pw_census_result(census));
	}
	if (!pw_births_poll(go->target.births, &go->target, 1000)) {
		pw_births_bounds(go->target.births, 5, &low, &high);
		if (low > high)
			abort();
	}
	pw_births_free(go->target.births);
	pw_census_free(census);
	fake_go_free(go);
	return 0;
}
