/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * bench_snapshot PID [ROUNDS] [waits]: how long it takes to look at all goroutines of a process, against copying as
 * many bytes of it in ranges of 1 MB; in CPU time, which other load of the machine disturbs least, and on the clock.
 * The first look is taken with a new snapshot each round, the second one reads what ran since.
 *
 * bench_snapshot PID for-ever: whole looks with waits, one after the other, until it is ended.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/huge.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/procfs.h"
#include "base/time.h"
#include "base/why.h"
#include "reader/reader.h"
#include "target/snapshot.h"
#include "target/target.h"

#define RANGE	   (1u << 20)
#define ROUNDS_MAX 100

struct measured {
	uint64_t first[ROUNDS_MAX], first_wall[ROUNDS_MAX], second[ROUNDS_MAX], copy[ROUNDS_MAX];
	double over_copy[ROUNDS_MAX], of_first[ROUNDS_MAX];
};

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int by_ratio(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median_ms(uint64_t *ns, size_t count)
{
	qsort(ns, count, sizeof(*ns), by_value);
	return (double)ns[count / 2] / 1e6;
}

static double median(double *ratios, size_t count)
{
	qsort(ratios, count, sizeof(*ratios), by_ratio);
	return ratios[count / 2];
}

/* Copies `wanted` bytes of the largest writable mappings, 1 MB at a time. */
static uint64_t copy_bytes(struct pw_target *target, const struct pw_proc_maps *maps, uint64_t wanted)
{
	static uint8_t buffer[RANGE];
	uint64_t start = pw_cpu_thread_ns(), copied = 0;

	for (int pass = 0; copied < wanted && pass < 64; pass++)
		for (size_t i = 0; i < maps->count && copied < wanted; i++) {
			const struct pw_proc_map *map = &maps->items[i];

			for (uint64_t at = map->start; map->end - at >= RANGE && copied < wanted; at += RANGE) {
				if (pw_mem_read(&target->mem, at, buffer, RANGE))
					break;
				copied += RANGE;
			}
		}
	return copied ? (uint64_t)((double)(pw_cpu_thread_ns() - start) * (double)wanted / (double)copied) : 0;
}

static const struct pw_snapshot_result *look(struct pw_snapshot *snapshot)
{
	int r = pw_snapshot_look(snapshot);

	if (r) {
		fprintf(stderr, "cannot look: %s\n", strerror(-r));
		exit(1);
	}
	return pw_snapshot_result(snapshot);
}

static struct pw_snapshot *new_snapshot(struct pw_target *target, bool waits)
{
	struct pw_snapshot_options options = {.waits = waits};
	struct pw_snapshot *snapshot;

	if (pw_snapshot_new(&snapshot, target, &options)) {
		fprintf(stderr, "cannot look: no memory\n");
		exit(1);
	}
	return snapshot;
}

static void measure_round(struct pw_target *target, const struct pw_proc_maps *maps, bool waits, struct measured *all,
			  size_t i, uint64_t *ret_bytes, size_t *ret_count)
{
	uint64_t wall = pw_now_ns(), start = pw_cpu_thread_ns();
	struct pw_snapshot *snapshot = new_snapshot(target, waits);

	*ret_bytes = look(snapshot)->bytes_read;
	all->first[i] = pw_cpu_thread_ns() - start;
	all->first_wall[i] = pw_now_ns() - wall;
	all->copy[i] = copy_bytes(target, maps, *ret_bytes);
	start = pw_cpu_thread_ns();
	*ret_count = look(snapshot)->count;
	all->second[i] = pw_cpu_thread_ns() - start;
	all->over_copy[i] = (double)all->first[i] / (double)PW_MAX(all->copy[i], (uint64_t)1);
	all->of_first[i] = (double)all->second[i] / (double)all->first[i];
	pw_snapshot_free(snapshot);
}

static void measure(struct pw_target *target, const struct pw_proc_maps *maps, size_t rounds, bool waits)
{
	static struct measured all;
	struct rusage usage;
	uint64_t bytes = 0;
	size_t count = 0;

	for (size_t i = 0; i < rounds; i++)
		measure_round(target, maps, waits, &all, i, &bytes, &count);
	getrusage(RUSAGE_SELF, &usage);
	printf("{\"goroutines\": %zu, \"bytes\": %llu, \"first_ms\": %.1f, \"first_wall_ms\": %.1f, \"second_ms\": "
	       "%.1f, "
	       "\"copy_ms\": %.1f, \"over_copy\": %.3f, \"of_first\": %.3f, \"peak_rss_kb\": %ld}\n",
	       count, (unsigned long long)bytes, median_ms(all.first, rounds), median_ms(all.first_wall, rounds),
	       median_ms(all.second, rounds), median_ms(all.copy, rounds), median(all.over_copy, rounds),
	       median(all.of_first, rounds), usage.ru_maxrss);
}

static void look_for_ever(struct pw_target *target)
{
	for (bool said = false;; said = true) {
		struct pw_snapshot *snapshot = new_snapshot(target, true);

		look(snapshot);
		pw_snapshot_free(snapshot);
		if (!said) {
			printf("looking\n");
			fflush(stdout);
		}
	}
}

int main(int argc, char **argv)
{
	struct pw_procfs procfs = PW_PROCFS_INIT;
	struct pw_proc_maps maps = {};
	struct pw_reader *reader;
	struct pw_target *target;
	struct pw_why why = {};
	bool for_ever = argc == 3 && !strcmp(argv[2], "for-ever");
	int pid = argc > 1 ? atoi(argv[1]) : 0, rounds = argc > 2 && !for_ever ? atoi(argv[2]) : 9;

	if (pid <= 0 || rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench_snapshot PID [ROUNDS] [waits] | PID for-ever\n");
		return 3;
	}
	pw_huge_init();
	if (pw_procfs_open(&procfs, "/proc") || pw_reader_start(&reader) ||
	    pw_target_open(&target, pid, &procfs, reader, &why) || pw_procfs_maps(&procfs, pid, &maps)) {
		fprintf(stderr, "cannot open %d: %s\n", pid, why.text);
		return 2;
	}
	if (for_ever)
		look_for_ever(target);
	measure(target, &maps, (size_t)rounds, argc > 3);
	pw_proc_maps_done(&maps);
	pw_target_free(target);
	pw_reader_free(reader);
	return 0;
}
