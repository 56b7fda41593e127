/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * bench_runtime PID [ROUNDS]: what one read of all of the runtime's numbers of a process costs us, as a ratio to an
 * empty process_vm_readv (one range of no bytes), and how many system calls it makes. The two are measured in turns,
 * in CPU time. With lists: the walk of threads and finalizers too.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "base/log.h"
#include "base/procfs.h"
#include "base/time.h"
#include "base/why.h"
#include "reader/reader.h"
#include "target/runtime_metrics.h"
#include "target/target.h"

#define BATCH	   200
#define ROUNDS_MAX 200

static struct pw_runtime_numbers numbers;
static struct pw_histograms histograms;

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static double median(uint64_t *values, size_t count)
{
	qsort(values, count, sizeof(*values), by_value);
	return (double)values[count / 2];
}

static uint64_t empty_ns(int pid)
{
	char byte;
	struct iovec local = {&byte, 0}, remote = {&byte, 0};
	uint64_t start = pw_cpu_thread_ns();

	for (int i = 0; i < BATCH; i++)
		if (process_vm_readv(pid, &local, 1, &remote, 1, 0) < 0)
			perror("process_vm_readv");
	return (pw_cpu_thread_ns() - start) / BATCH;
}

static uint64_t read_ns(struct pw_runtime_metrics *metrics, unsigned int what)
{
	uint64_t start = pw_cpu_thread_ns();

	for (int i = 0; i < BATCH; i++) {
		struct pw_why why = {0};
		int r = pw_runtime_metrics_read(metrics, what, &numbers, &histograms, &why);

		if (r && r != -EAGAIN) {
			fprintf(stderr, "bench_runtime: %s\n", pw_why_text(&why, r));
			exit(1);
		}
	}
	return (pw_cpu_thread_ns() - start) / BATCH;
}

static void measure(struct pw_target *target, size_t rounds)
{
	uint64_t empty[ROUNDS_MAX], plain[ROUNDS_MAX], lists[ROUNDS_MAX], calls;
	struct pw_runtime_metrics *metrics;
	struct pw_why why = {0};
	double empty_median, plain_median, lists_median;
	int r = pw_runtime_metrics_new(&metrics, target, &why);

	if (r) {
		fprintf(stderr, "bench_runtime: %s\n", pw_why_text(&why, r));
		exit(1);
	}
	read_ns(metrics, PW_READ_ALL);
	for (size_t i = 0; i < rounds; i++) {
		empty[i] = empty_ns(target->pid);
		plain[i] = read_ns(metrics, 0);
		lists[i] = read_ns(metrics, PW_READ_ALL);
	}
	calls = target->mem.calls;
	r = pw_runtime_metrics_read(metrics, 0, &numbers, &histograms, &why);
	calls = target->mem.calls - calls;
	empty_median = median(empty, rounds);
	plain_median = median(plain, rounds);
	lists_median = median(lists, rounds);
	printf("{\"go_version\":\"%s\",\"gomaxprocs\":%llu,\"threads\":%llu,\"system_calls\":%llu,\"empty_ns\":%.0f,"
	       "\"read_ns\":%.0f,\"with_lists_ns\":%.0f,\"ratio\":%.1f,\"repeats\":%llu}\n",
	       target->build->facts.info.go_version, (unsigned long long)numbers.gomaxprocs,
	       (unsigned long long)numbers.threads, (unsigned long long)calls, empty_median, plain_median, lists_median,
	       plain_median / empty_median, (unsigned long long)pw_runtime_metrics_repeats(metrics));
	pw_runtime_metrics_free(metrics);
}

int main(int argc, char **argv)
{
	struct pw_procfs procfs = PW_PROCFS_INIT;
	struct pw_target *target = NULL;
	struct pw_reader *reader = NULL;
	struct pw_why why = {0};
	size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 51;
	int r;

	if (argc < 2 || !rounds || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench_runtime PID [ROUNDS]\n");
		return 1;
	}
	pw_log_set_level(PW_LOG_ERR);
	if (pw_procfs_open(&procfs, "/proc") || pw_reader_start(&reader))
		return 1;
	r = pw_target_open(&target, (int)strtol(argv[1], NULL, 10), &procfs, reader, &why);
	if (r || !target->memory_ok) {
		fprintf(stderr, "bench_runtime: %s\n", r ? pw_why_text(&why, r) : target->memory_reason);
		return 1;
	}
	measure(target, rounds);
	pw_target_free(target);
	pw_reader_free(reader);
	pw_procfs_done(&procfs);
	return 0;
}
