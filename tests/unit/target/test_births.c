/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "base/limits.h"
#include "model/record.h"
#include "support/fake_mem.h"
#include "target/births.h"

#define SECOND 1000000000ULL

/* A model of the runtime's own hand: 16 at a time to a P, one by one from there. */
struct model {
	struct fake_go *go;
	uint64_t goidgen, issued;
	uint64_t cache[4], end[4];
};

static struct model model_new(void)
{
	return (struct model){.go = fake_go_new(24, 1, 4)};
}

static uint64_t spawn(struct model *model, size_t p)
{
	if (model->cache[p] == model->end[p]) {
		model->goidgen += 16;
		model->cache[p] = model->goidgen - 15;
		model->end[p] = model->goidgen + 1;
		fake_go_set_sched(model->go, PW_FIELD_SCHED_GOIDGEN, model->goidgen, 8);
		fake_go_set_p(model->go, p, PW_FIELD_P_GOIDCACHEEND, model->end[p], 8);
	}
	model->issued++;
	fake_go_set_p(model->go, p, PW_FIELD_P_GOIDCACHE, model->cache[p] + 1, 8);
	return model->cache[p]++;
}

static void the_total_is_the_number_of_spawns(void **state)
{
	struct model model = model_new();
	struct pw_births *births;

	(void)state;
	assert_int_equal(pw_births_new(&births), 0);
	assert_true(pw_births_total(births) == PW_UNKNOWN);
	srand(7);
	for (uint64_t second = 1; second < 400; second++) {
		for (int n = rand() % 100; n > 0; n--)
			spawn(&model, (size_t)(rand() % 4));
		assert_int_equal(pw_births_poll(births, &model.go->target, second * SECOND), 0);
		assert_int_equal(pw_births_total(births), model.issued);
	}
	pw_births_free(births);
	fake_go_free(model.go);
}

/* Every goroutine of an hour, polled each second: bounds hold the truth, and are tight for the young. */
static void bounds_hold_the_birth_and_widen_with_age(void **state)
{
	enum { SECONDS = 3600, PER_SECOND = 10 };
	static uint64_t goids[SECONDS * PER_SECOND], born[SECONDS * PER_SECOND];
	struct model model = model_new();
	struct pw_births *births;
	uint64_t after, before, now = 0;
	size_t count = 0;

	(void)state;
	assert_int_equal(pw_births_new(&births), 0);
	srand(8);
	for (uint64_t second = 1; second <= SECONDS; second++) {
		now = second * SECOND;
		for (size_t i = 0; i < PER_SECOND; i++) {
			goids[count] = spawn(&model, (size_t)(rand() % 4));
			born[count++] = now - SECOND / 2;
		}
		assert_int_equal(pw_births_poll(births, &model.go->target, now), 0);
	}
	for (size_t i = 0; i < count; i++) {
		pw_births_bounds(births, goids[i], &after, &before);
		assert_true(after <= born[i] && born[i] <= before);
		if (now - born[i] < 60 * SECOND)
			assert_in_range(before - after, SECOND - SECOND / 100, SECOND + SECOND / 100);
		else if (born[i] > 2 * SECOND) /* before the second poll "after" may be unknown */
			assert_in_range(before - after, SECOND - SECOND / 100, (now - born[i]) / 8 + 2 * SECOND);
	}
	/* one that was not there yet */
	pw_births_bounds(births, model.goidgen + 1000, &after, &before);
	assert_in_range(after, now, now + SECOND / 100);
	assert_true(before == PW_UNKNOWN);
	pw_births_free(births);
	fake_go_free(model.go);
}

static void what_was_there_before_the_first_poll_is_older_than_it(void **state)
{
	struct model model = model_new();
	struct pw_births *births;
	uint64_t after, before, goid = spawn(&model, 2);

	(void)state;
	assert_int_equal(pw_births_new(&births), 0);
	assert_int_equal(pw_births_poll(births, &model.go->target, 5 * SECOND), 0);
	pw_births_bounds(births, goid, &after, &before);
	assert_int_equal(after, 0);
	assert_in_range(before, 5 * SECOND, 5 * SECOND + SECOND / 10);
	goid = spawn(&model, 2); /* in P 2's hands at the first poll, and not issued */
	assert_int_equal(pw_births_poll(births, &model.go->target, 6 * SECOND), 0);
	pw_births_bounds(births, goid, &after, &before);
	assert_in_range(after, 5 * SECOND, 5 * SECOND + SECOND / 10);
	assert_in_range(before, 6 * SECOND, 6 * SECOND + SECOND / 10);
	pw_births_free(births);
	fake_go_free(model.go);
}

static void a_torn_or_senseless_interval_is_not_believed(void **state)
{
	struct model model = model_new();
	struct pw_births *births;

	(void)state;
	for (int i = 0; i < 40; i++)
		spawn(&model, (size_t)i % 4);
	assert_int_equal(pw_births_new(&births), 0);
	assert_int_equal(pw_births_poll(births, &model.go->target, SECOND), 0);
	fake_go_set_p(model.go, 1, PW_FIELD_P_GOIDCACHE, model.end[1] - 100, 8); /* 100 at a time */
	assert_int_equal(pw_births_poll(births, &model.go->target, 2 * SECOND), -EAGAIN);
	fake_go_set_p(model.go, 1, PW_FIELD_P_GOIDCACHE, model.end[1] + 5, 8); /* ends before it begins */
	assert_int_equal(pw_births_poll(births, &model.go->target, 2 * SECOND), -EAGAIN);
	fake_go_set_p(model.go, 1, PW_FIELD_P_GOIDCACHE, model.cache[0], 8); /* in two hands */
	fake_go_set_p(model.go, 1, PW_FIELD_P_GOIDCACHEEND, model.end[0], 8);
	assert_int_equal(pw_births_poll(births, &model.go->target, 2 * SECOND), -EAGAIN);
	fake_go_set_p(model.go, 1, PW_FIELD_P_GOIDCACHE, model.cache[1], 8);
	fake_go_set_p(model.go, 1, PW_FIELD_P_GOIDCACHEEND, model.end[1], 8);
	fake_go_set_sched(model.go, PW_FIELD_SCHED_GOIDGEN, 16, 8); /* it falls: another process */
	assert_int_equal(pw_births_poll(births, &model.go->target, 2 * SECOND), -EAGAIN);
	assert_int_equal(pw_births_total(births), 40);
	model.go->mem.error = -ESRCH;
	assert_int_equal(pw_births_poll(births, &model.go->target, 3 * SECOND), -ESRCH);
	pw_births_free(births);
	fake_go_free(model.go);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_total_is_the_number_of_spawns),
		cmocka_unit_test(bounds_hold_the_birth_and_widen_with_age),
		cmocka_unit_test(what_was_there_before_the_first_poll_is_older_than_it),
		cmocka_unit_test(a_torn_or_senseless_interval_is_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
