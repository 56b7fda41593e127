/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * bench_heap PID [ROUNDS]: CPU time of a look at the heap profile of a process, of its sites with names, and of both
 * with the pprof file, compressed, as /debug/pprof/heap answers it. Names are asked once, before the first round.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/procfs.h"
#include "base/time.h"
#include "base/why.h"
#include "model/heap.h"
#include "observe/heap_build.h"
#include "observe/profile_names.h"
#include "output/heap.h"
#include "reader/reader.h"
#include "target/heap_profile.h"
#include "target/symbolize.h"
#include "target/target.h"

#define ROUNDS_MAX 100

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

static void fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static void measure(struct pw_target *target, size_t rounds)
{
	uint64_t look_ns[ROUNDS_MAX], sites_ns[ROUNDS_MAX], file_ns[ROUNDS_MAX];
	struct pw_heap_profiler *profiler = NULL;
	const struct pw_heap_look *look = NULL;

	if (pw_heap_profiler_new(&profiler) < 0)
		fail("out of memory");
	for (size_t i = 0; i <= rounds; i++) {
		struct pw_buf out = PW_BUF_INIT(1U << 30);
		struct pw_heap_profile *heap = pw_heap_profile_new();
		size_t at = i ? i - 1 : 0; /* the first is not counted */
		uint64_t start = pw_cpu_thread_ns(), looked, built;
		int r;

		if (!heap || pw_heap_profiler_look(profiler, target, &look) < 0)
			fail("cannot look");
		looked = pw_cpu_thread_ns();
		pw_profile_describe(heap->base, target);
		while ((r = pw_heap_build(heap, look, target->symbolizer)) == -EAGAIN)
			if (pw_symbolizer_settle(target->symbolizer) < 0)
				fail("no names");
		built = pw_cpu_thread_ns();
		if (r < 0 || pw_heap_write_pprof(&out, heap, &(struct pw_heap_shown){0}) < 0)
			fail("cannot write");
		look_ns[at] = looked - start;
		sites_ns[at] = built - start;
		file_ns[at] = pw_cpu_thread_ns() - start;
		pw_heap_profile_free(heap);
		pw_buf_done(&out);
	}
	printf("{\"buckets\": %zu, \"addresses\": %zu, \"bytes\": %llu, \"reads\": %llu, \"look_ms\": %.2f, "
	       "\"sites_ms\": %.2f, "
	       "\"pprof_ms\": %.2f}\n",
	       look->count, look->pc_count, (unsigned long long)look->bytes_read, (unsigned long long)look->reads,
	       median_ms(look_ns, rounds), median_ms(sites_ns, rounds), median_ms(file_ns, rounds));
	pw_heap_profiler_free(profiler);
}

int main(int argc, char **argv)
{
	struct pw_procfs procfs = PW_PROCFS_INIT;
	struct pw_reader *reader;
	struct pw_target *target;
	struct pw_why why = {};
	int pid = argc > 1 ? atoi(argv[1]) : 0, rounds = argc > 2 ? atoi(argv[2]) : 9;

	if (pid <= 0 || rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench_heap PID [ROUNDS]\n");
		return 3;
	}
	if (pw_procfs_open(&procfs, "/proc") || pw_reader_start(&reader) ||
	    pw_target_open(&target, pid, &procfs, reader, &why)) {
		fprintf(stderr, "cannot open %d: %s\n", pid, why.text);
		return 2;
	}
	measure(target, (size_t)rounds);
	pw_target_free(target);
	pw_reader_free(reader);
	return 0;
}
