/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * bench_snapshot PID [ROUNDS] [waits]: how long it takes to look at all goroutines of a process, against copying as
 * many bytes of it in ranges of 1 MB; all in CPU time, which other load of the machine disturbs least. The first look
 * is taken with a new snapshot each round, the second one reads what ran since.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/procfs.h"
#include "base/time.h"
#include "base/why.h"
#include "reader/reader.h"
#include "target/snapshot.h"
#include "target/target.h"

#define RANGE (1u << 20)

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static double median_ms(uint64_t *ns, size_t count)
{
	qsort(ns, count, sizeof(*ns), by_value);
	return (double)ns[count / 2] / 1e6;
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

static void measure(struct pw_target *target, const struct pw_proc_maps *maps, size_t rounds, bool waits)
{
	struct pw_snapshot_options options = {};
	const struct pw_snapshot_result *result = NULL;
	uint64_t first[100], second[100], copy[100], bytes = 0;
	struct pw_snapshot *snapshot = NULL;

	for (size_t i = 0; i < rounds; i++) {
		options.waits = waits;
		first[i] = pw_cpu_thread_ns();
		if (pw_snapshot_new(&snapshot, target, &options) || pw_snapshot_look(snapshot)) {
			fprintf(stderr, "cannot look\n");
			exit(1);
		}
		result = pw_snapshot_result(snapshot);
		first[i] = pw_cpu_thread_ns() - first[i];
		bytes = result->bytes_read;
		copy[i] = copy_bytes(target, maps, bytes);
		second[i] = pw_cpu_thread_ns();
		if (pw_snapshot_look(snapshot))
			exit(1);
		result = pw_snapshot_result(snapshot);
		second[i] = pw_cpu_thread_ns() - second[i];
		if (i + 1 < rounds)
			pw_snapshot_free(snapshot);
	}
	printf("{\"goroutines\": %zu, \"bytes\": %llu, \"first_ms\": %.1f, \"second_ms\": %.1f, \"copy_ms\": %.1f}\n",
	       result->count, (unsigned long long)bytes, median_ms(first, rounds), median_ms(second, rounds),
	       median_ms(copy, rounds));
	pw_snapshot_free(snapshot);
}

int main(int argc, char **argv)
{
	struct pw_procfs procfs = PW_PROCFS_INIT;
	struct pw_proc_maps maps = {};
	struct pw_reader *reader;
	struct pw_target *target;
	struct pw_why why = {};
	int pid = argc > 1 ? atoi(argv[1]) : 0, rounds = argc > 2 ? atoi(argv[2]) : 9;

	if (pid <= 0 || rounds < 1 || rounds > 100) {
		fprintf(stderr, "usage: bench_snapshot PID [ROUNDS] [waits]\n");
		return 3;
	}
	if (pw_procfs_open(&procfs, "/proc") || pw_reader_start(&reader) ||
	    pw_target_open(&target, pid, &procfs, reader, &why) || pw_procfs_maps(&procfs, pid, &maps)) {
		fprintf(stderr, "cannot open %d: %s\n", pid, why.text);
		return 2;
	}
	measure(target, &maps, (size_t)rounds, argc > 3);
	pw_proc_maps_done(&maps);
	pw_target_free(target);
	pw_reader_free(reader);
	return 0;
}
