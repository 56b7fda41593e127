/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/time.h"
#include "collect/sampling.h"

#define PARKS (1U << PW_EVENT_PARK)

static uint64_t seed;

static double uniform(void)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (double)(seed >> 11) / (double)(1ULL << 53);
}

static double normal(void)
{
	return sqrt(-2 * log(uniform() + 1e-300)) * cos(6.283185307179586 * uniform());
}

static double poisson(double mean)
{
	double count = 0, product = uniform(), limit = exp(-mean);

	if (mean > 50) {
		count = floor(mean + sqrt(mean) * normal() + 0.5);
		return count < 0 ? 0 : count;
	}
	while (product > limit) {
		product *= uniform();
		count++;
	}
	return count;
}

/*
 * A process that parks so often in each ms of its own work, at a rate that wanders; steps of 1 ms. A hit costs it
 * cost_ns while a window is open, by which it is slowed down; pause and window lengths as the governor's.
 */
struct process {
	double rate, drift, burst; /* parks a ms; relative change each ms; share of time at ten times the rate */
	double burst_ms;	   /* how long bursts and calm last, about; 0: 20 */
	double level;
	bool bursting;
};

static double step(struct process *process, double work_ms)
{
	process->level += process->drift * normal() * (work_ms < 1 ? work_ms : 1);
	process->level = process->level < -1.5 ? -1.5 : process->level > 1.5 ? 1.5 : process->level;
	if (uniform() < 1 / (process->burst_ms > 0 ? process->burst_ms : 20))
		process->bursting = uniform() < process->burst;
	return poisson(work_ms * process->rate * exp(process->level) * (process->bursting ? 10 : 1));
}

/* Runs so many windows; true if the truth of all pauses is within the bound at the end. */
static bool covers(struct process process, double cost_ns, unsigned int windows, double *ret_relative)
{
	struct pw_sampling sampling = {0};
	double truth = 0, factor;

	for (unsigned int i = 0; i < windows; i++) {
		double pause_ms = 300 + 600 * uniform(), open_ms = 20 + 20 * uniform();
		struct pw_window window = {.pause_cpu_ns = (uint64_t)(pause_ms * 1e6),
					   .cpu_ns = (uint64_t)(open_ms * 1e6)};
		double counted = 0, cpu_ms = 0;

		for (double ms = 0; ms < pause_ms; ms++)
			truth += step(&process, 1);
		while (cpu_ms < open_ms) { /* a step of work takes longer by what its parks cost */
			double parks = step(&process, 0.1);

			counted += parks;
			cpu_ms += 0.1 + parks * cost_ns / 1e6;
		}
		window.counted[PW_EVENT_PARK] = (uint64_t)counted;
		window.probe_ns = (uint64_t)(counted * cost_ns);
		window.cpu_ns = (uint64_t)(cpu_ms * 1e6);
		pw_sampling_add(&sampling, &window);
		pw_sampling_settle(&sampling, PARKS, &factor);
	}
	const struct pw_sampled *total = &sampling.total[PW_EVENT_PARK];
	*ret_relative = total->extra / truth;
	return fabs(total->extra - truth) <= pw_sampling_bound(total->square, total->linear);
}

static void the_bound_holds(struct process process, double cost_ns, unsigned int windows, double bias_max)
{
	unsigned int covered = 0, tries = 300;
	double sum = 0, relative;

	seed = 42;
	for (unsigned int i = 0; i < tries; i++) {
		covered += covers(process, cost_ns, windows, &relative);
		sum += relative;
	}
	print_message("%u of %u within the bound, mean estimate %.3f of the truth\n", covered, tries, sum / tries);
	assert_true(covered >= tries * 95 / 100);
	assert_true(fabs(sum / tries - 1) < bias_max);
}

static void a_steady_process_is_within_the_bound(void **state)
{
	(void)state;
	the_bound_holds((struct process){.rate = 100}, 0, 10, 0.02);
}

static void a_slow_one_too(void **state)
{
	(void)state;
	the_bound_holds((struct process){.rate = 0.05}, 0, 20, 0.05);
}

static void one_whose_rate_wanders_too(void **state)
{
	(void)state;
	the_bound_holds((struct process){.rate = 20, .drift = 0.02}, 0, 30, 0.05);
}

static void one_that_comes_in_bursts_too(void **state)
{
	(void)state;
	the_bound_holds((struct process){.rate = 20, .burst = 0.2}, 0, 30, 0.05);
}

/* Longer than a window, and seldom: most windows see nothing of them. */
static void one_whose_bursts_are_long_and_rare_too(void **state)
{
	(void)state;
	the_bound_holds((struct process){.rate = 20, .burst = 0.1, .burst_ms = 200}, 0, 60, 0.1);
}

static void bursts_that_the_probes_slow_down_too(void **state)
{
	(void)state;
	the_bound_holds((struct process){.rate = 200, .burst = 0.2, .drift = 0.01}, 700, 30, 0.15);
}

static void one_that_the_probes_slow_down_to_a_seventh_too(void **state)
{
	(void)state;
	the_bound_holds((struct process){.rate = 8500}, 700, 10, 0.02);
}

static void three_windows_are_enough_for_a_bound_that_holds(void **state)
{
	(void)state;
	the_bound_holds((struct process){.rate = 20, .drift = 0.02}, 0, 3, 0.1);
}

static void the_bound_gets_narrower_with_time(void **state)
{
	struct process process = {.rate = 100};
	struct pw_sampling sampling = {0};
	struct pw_window window = {.cpu_ns = 30 * PW_NS_PER_MS, .pause_cpu_ns = PW_NS_PER_SEC};
	double factor, relative[2] = {0};

	(void)state;
	seed = 7;
	for (int i = 0; i < 40; i++) {
		window.counted[PW_EVENT_PARK] = (uint64_t)step(&process, 30);
		pw_sampling_add(&sampling, &window);
		assert_true(pw_sampling_settle(&sampling, PARKS, &factor));
		const struct pw_sampled *total = &sampling.total[PW_EVENT_PARK];
		if (i == 4 || i == 39)
			relative[i == 39] = pw_sampling_bound(total->square, total->linear) / total->extra;
	}
	assert_true(factor > 33.3 && factor < 33.4);
	assert_true(relative[1] < relative[0] && relative[1] < 0.05);
}

static void a_window_that_saw_no_work_waits_for_the_next(void **state)
{
	struct pw_sampling sampling = {0};
	struct pw_window asleep = {.cpu_ns = 1000, .pause_cpu_ns = 50 * PW_NS_PER_MS};
	struct pw_window awake = {
		.cpu_ns = 10 * PW_NS_PER_MS, .pause_cpu_ns = 50 * PW_NS_PER_MS, .counted[PW_EVENT_PARK] = 500};
	double factor;

	(void)state;
	assert_false(pw_sampling_settle(&sampling, PARKS, &factor));
	pw_sampling_add(&sampling, &asleep);
	assert_false(pw_sampling_settle(&sampling, PARKS, &factor));
	pw_sampling_add(&sampling, &awake);
	assert_true(pw_sampling_settle(&sampling, PARKS, &factor));
	assert_true(factor > 9.9 && factor < 10.1);
	assert_true(sampling.total[PW_EVENT_PARK].extra > 4990 && sampling.total[PW_EVENT_PARK].extra < 5010);
	assert_false(pw_sampling_settle(&sampling, PARKS, &factor));
}

static void what_is_not_sampled_is_not_estimated(void **state)
{
	struct pw_sampling sampling = {0};
	struct pw_window window = {.cpu_ns = 10 * PW_NS_PER_MS,
				   .pause_cpu_ns = 90 * PW_NS_PER_MS,
				   .counted = {[PW_EVENT_PARK] = 10, [PW_EVENT_SPAWN] = 10}};
	double factor;

	(void)state;
	pw_sampling_add(&sampling, &window);
	assert_true(pw_sampling_settle(&sampling, PARKS, &factor));
	assert_true(sampling.total[PW_EVENT_SPAWN].extra == 0);
	assert_true(sampling.total[PW_EVENT_PARK].extra > 89 && sampling.total[PW_EVENT_PARK].extra < 91);
	/* One window alone: anything up to twice as much. */
	assert_true(pw_sampling_bound(sampling.total[PW_EVENT_PARK].square, 0) >= 89);
}

static void a_price_above_the_cpu_time_leaves_some_work(void **state)
{
	struct pw_sampling sampling = {0};
	struct pw_window window = {.cpu_ns = 10 * PW_NS_PER_MS,
				   .probe_ns = 12 * PW_NS_PER_MS,
				   .pause_cpu_ns = 10 * PW_NS_PER_MS,
				   .counted[PW_EVENT_PARK] = 1000};
	double factor;

	(void)state;
	pw_sampling_add(&sampling, &window);
	assert_true(pw_sampling_settle(&sampling, PARKS, &factor));
	assert_true(factor > 19.9 && factor < 20.1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_steady_process_is_within_the_bound),
		cmocka_unit_test(a_slow_one_too),
		cmocka_unit_test(one_whose_rate_wanders_too),
		cmocka_unit_test(one_that_comes_in_bursts_too),
		cmocka_unit_test(one_whose_bursts_are_long_and_rare_too),
		cmocka_unit_test(bursts_that_the_probes_slow_down_too),
		cmocka_unit_test(one_that_the_probes_slow_down_to_a_seventh_too),
		cmocka_unit_test(three_windows_are_enough_for_a_bound_that_holds),
		cmocka_unit_test(the_bound_gets_narrower_with_time),
		cmocka_unit_test(a_window_that_saw_no_work_waits_for_the_next),
		cmocka_unit_test(what_is_not_sampled_is_not_estimated),
		cmocka_unit_test(a_price_above_the_cpu_time_leaves_some_work),
	};

	return cmocka_run_group_tests_name("collect/sampling", tests, NULL, NULL);
}
