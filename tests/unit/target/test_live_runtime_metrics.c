/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * The runtime's numbers as we read them, against what the same program's MemStats, ReadGCStats and runtime/metrics say,
 * field by field and bucket by bucket, for every Go version and flavour that is built. Needs root, or CAP_SYS_PTRACE,
 * and scripts/targets --default.
 *
 * The program stands still from its own reading to ours, so all is equal, but for one thing: ReadMemStats empties the
 * allocator's caches before it counts, and what the program allocates behind it takes new spans (SPANS_SLACK). The
 * figures of runtime/metrics, read last, have no such difference.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/procfs.h"
#include "base/why.h"
#include "model/record.h"
#include "reader/reader.h"
#include "support/go_target.h"
#include "target/runtime_metrics.h"
#include "target/target.h"

static struct pw_procfs procfs = PW_PROCFS_INIT;
static struct pw_reader *reader;
static struct pw_histograms ours;

static struct pw_target *open_target(const struct go_target *go)
{
	struct pw_target *target;
	struct pw_why why = {};
	int r = pw_target_open(&target, go->pid, &procfs, reader, &why);

	if (r)
		fail_msg("%s: %s", go->path, pw_why_text(&why, r));
	if (!target->memory_ok)
		fail_msg("%s: memory '%s'", go->path, target->memory_reason);
	return target;
}

static const char *text_behind(const char *answer, const char *prefix, const char *key)
{
	char pattern[96];
	const char *at;

	snprintf(pattern, sizeof(pattern), "\"%s%s\":", prefix, key);
	at = strstr(answer, pattern);
	return at ? at + strlen(pattern) : NULL;
}

static void read_all(struct pw_runtime_metrics *metrics, const char *path, struct pw_runtime_numbers *numbers)
{
	struct pw_why why = {};
	int r = pw_runtime_metrics_read(metrics, PW_READ_ALL | PW_READ_PATIENT, numbers, &ours, &why);

	if (r)
		fail_msg("%s: %s", path, pw_why_text(&why, r));
}

#define NONE	    SIZE_MAX
#define TRIES	    8 /* a goroutine of the runtime may wake up between its reading and ours: seen, one in 20 */
#define SPANS_SLACK (16 * 8192) /* a span for each of a few size classes; seen: one */

/* What must be equal: number + plus - minus, up to a slack. */
#define N(name) offsetof(struct pw_runtime_numbers, name)
static const struct expectation {
	const char *key;
	size_t number, plus, minus;
	uint64_t slack;
} expectations[] = {
	{"MemStats.TotalAlloc", N(alloc_bytes), NONE, NONE, 0},
	{"MemStats.Alloc", N(heap_objects_bytes), NONE, NONE, 0},
	{"MemStats.HeapAlloc", N(heap_objects_bytes), NONE, NONE, 0},
	{"MemStats.Mallocs", N(allocs), N(tiny_allocs), NONE, 0},
	{"MemStats.Frees", N(frees), N(tiny_allocs), NONE, 0},
	{"MemStats.HeapObjects", N(heap_objects), NONE, NONE, 0},
	{"MemStats.HeapInuse", N(heap_inuse_bytes), NONE, NONE, SPANS_SLACK},
	{"MemStats.HeapIdle", N(heap_free_bytes), N(heap_released_bytes), NONE, SPANS_SLACK},
	{"MemStats.HeapReleased", N(heap_released_bytes), NONE, NONE, SPANS_SLACK},
	{"MemStats.StackInuse", N(stack_inuse_bytes), NONE, NONE, 0},
	{"MemStats.StackSys", N(stack_inuse_bytes), N(os_stack_bytes), NONE, 0},
	{"MemStats.MSpanInuse", N(mspan_inuse_bytes), NONE, NONE, 0},
	{"MemStats.MSpanSys", N(mspan_sys_bytes), NONE, NONE, 0},
	{"MemStats.MCacheInuse", N(mcache_inuse_bytes), NONE, NONE, 0},
	{"MemStats.MCacheSys", N(mcache_sys_bytes), NONE, NONE, 0},
	{"MemStats.BuckHashSys", N(profile_buckets_bytes), NONE, NONE, 0},
	{"MemStats.GCSys", N(gc_sys_bytes), NONE, NONE, 0},
	{"MemStats.OtherSys", N(other_sys_bytes), NONE, NONE, 0},
	{"MemStats.Sys", N(sys_bytes), NONE, NONE, 0},
	{"MemStats.NextGC", N(heap_goal_bytes), NONE, NONE, SPANS_SLACK},
	{"MemStats.LastGC", N(gc_last_unix_ns), NONE, NONE, 0},
	{"MemStats.PauseTotalNs", N(gc_pause_total_ns), NONE, NONE, 0},
	{"MemStats.NumGC", N(gc_cycles), NONE, NONE, 0},
	{"MemStats.NumForcedGC", N(gc_forced), NONE, NONE, 0},
	{"GCStats.NumGC", N(gc_cycles), NONE, NONE, 0},
	{"GCStats.PauseTotal", N(gc_pause_total_ns), NONE, NONE, 0},
	{"GCStats.LastGC", N(gc_last_unix_ns), NONE, NONE, 0},
	{"GCStats.Quantile0", N(gc_pause_quantiles_ns), NONE, NONE, 0},
	{"GCStats.Quantile1", N(gc_pause_quantiles_ns) + 8, NONE, NONE, 0},
	{"GCStats.Quantile2", N(gc_pause_quantiles_ns) + 16, NONE, NONE, 0},
	{"GCStats.Quantile3", N(gc_pause_quantiles_ns) + 24, NONE, NONE, 0},
	{"GCStats.Quantile4", N(gc_pause_quantiles_ns) + 32, NONE, NONE, 0},
	{"/cgo/go-to-c-calls:calls", N(cgo_calls), NONE, NONE, 0},
	{"/gc/cycles/total:gc-cycles", N(gc_cycles), NONE, NONE, 0},
	{"/gc/cycles/forced:gc-cycles", N(gc_forced), NONE, NONE, 0},
	{"/gc/gogc:percent", N(gc_percent), NONE, NONE, 0},
	{"/gc/gomemlimit:bytes", N(memory_limit_bytes), NONE, NONE, 0},
	{"/gc/heap/allocs:bytes", N(alloc_bytes), NONE, NONE, 0},
	{"/gc/heap/allocs:objects", N(allocs), NONE, NONE, 0},
	{"/gc/heap/frees:bytes", N(freed_bytes), NONE, NONE, 0},
	{"/gc/heap/frees:objects", N(frees), NONE, NONE, 0},
	{"/gc/heap/goal:bytes", N(heap_goal_bytes), NONE, NONE, 0},
	{"/gc/heap/live:bytes", N(heap_marked_bytes), NONE, NONE, 0},
	{"/gc/heap/objects:objects", N(heap_objects), NONE, NONE, 0},
	{"/gc/heap/tiny/allocs:objects", N(tiny_allocs), NONE, NONE, 0},
	{"/gc/limiter/last-enabled:gc-cycle", N(limiter_last_cycle), NONE, NONE, 0},
	{"/gc/scan/globals:bytes", N(scan_globals_bytes), NONE, NONE, 0},
	{"/gc/scan/heap:bytes", N(scan_heap_bytes), NONE, NONE, 0},
	{"/gc/scan/stack:bytes", N(scan_stack_bytes), NONE, NONE, 0},
	{"/gc/stack/starting-size:bytes", N(starting_stack_bytes), NONE, NONE, 0},
	{"/gc/finalizers/queued:finalizers", N(finalizers_queued), NONE, NONE, 0},
	{"/gc/finalizers/executed:finalizers", N(finalizers_executed), NONE, NONE, 0},
	{"/gc/cleanups/queued:cleanups", N(cleanups_queued), NONE, NONE, 0},
	{"/gc/cleanups/executed:cleanups", N(cleanups_executed), NONE, NONE, 0},
	{"/memory/classes/heap/free:bytes", N(heap_free_bytes), NONE, NONE, 0},
	{"/memory/classes/heap/objects:bytes", N(heap_objects_bytes), NONE, NONE, 0},
	{"/memory/classes/heap/released:bytes", N(heap_released_bytes), NONE, NONE, 0},
	{"/memory/classes/heap/unused:bytes", N(heap_inuse_bytes), NONE, N(heap_objects_bytes), 0},
	{"/memory/classes/metadata/mcache/free:bytes", N(mcache_sys_bytes), NONE, N(mcache_inuse_bytes), 0},
	{"/memory/classes/metadata/mspan/free:bytes", N(mspan_sys_bytes), NONE, N(mspan_inuse_bytes), 0},
	{"/gc/cycles/automatic:gc-cycles", N(gc_cycles), NONE, N(gc_forced), 0},
	{"/memory/classes/heap/stacks:bytes", N(stack_inuse_bytes), NONE, NONE, 0},
	{"/memory/classes/metadata/mcache/inuse:bytes", N(mcache_inuse_bytes), NONE, NONE, 0},
	{"/memory/classes/metadata/mspan/inuse:bytes", N(mspan_inuse_bytes), NONE, NONE, 0},
	{"/memory/classes/metadata/other:bytes", N(gc_sys_bytes), NONE, NONE, 0},
	{"/memory/classes/os-stacks:bytes", N(os_stack_bytes), NONE, NONE, 0},
	{"/memory/classes/other:bytes", N(other_sys_bytes), NONE, NONE, 0},
	{"/memory/classes/profiling/buckets:bytes", N(profile_buckets_bytes), NONE, NONE, 0},
	{"/memory/classes/total:bytes", N(sys_bytes), NONE, NONE, 0},
	{"/sched/gomaxprocs:threads", N(gomaxprocs), NONE, NONE, 0},
};

static const struct {
	const char *key;
	size_t number;
} seconds[] = {
	{"/cpu/classes/gc/mark/assist:cpu-seconds", N(cpu_gc_assist_ns)},
	{"/cpu/classes/gc/mark/dedicated:cpu-seconds", N(cpu_gc_dedicated_ns)},
	{"/cpu/classes/gc/mark/idle:cpu-seconds", N(cpu_gc_idle_ns)},
	{"/cpu/classes/gc/pause:cpu-seconds", N(cpu_gc_pause_ns)},
	{"/cpu/classes/gc/total:cpu-seconds", N(cpu_gc_total_ns)},
	{"/cpu/classes/scavenge/assist:cpu-seconds", N(cpu_scavenge_assist_ns)},
	{"/cpu/classes/scavenge/background:cpu-seconds", N(cpu_scavenge_background_ns)},
	{"/cpu/classes/scavenge/total:cpu-seconds", N(cpu_scavenge_total_ns)},
	{"/cpu/classes/idle:cpu-seconds", N(cpu_idle_ns)},
	{"/cpu/classes/user:cpu-seconds", N(cpu_user_ns)},
	{"/cpu/classes/total:cpu-seconds", N(cpu_total_ns)},
	{"/sync/mutex/wait/total:seconds", N(mutex_wait_ns)},
};

static uint64_t number_at(const struct pw_runtime_numbers *numbers, size_t offset)
{
	uint64_t value;

	memcpy(&value, (const char *)numbers + offset, sizeof(value));
	return value;
}

/* Differences are told when the last try has them too. */
static bool telling;
static void tell(const char *fmt, ...) pw_printf_like(1, 2);
static void tell(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (telling)
		vprint_error(fmt, args);
	va_end(args);
}

static unsigned int compare_numbers(const char *path, const char *answer, const struct pw_runtime_numbers *numbers)
{
	unsigned int compared = 0, wrong = 0;

	for (size_t i = 0; i < ARRAY_SIZE(expectations); i++) {
		const struct expectation *e = &expectations[i];
		const char *text = text_behind(answer, "", e->key);
		uint64_t mine = number_at(numbers, e->number), theirs;

		if (!text) /* this version does not have it */
			continue;
		theirs = strtoull(text, NULL, 10);
		mine += e->plus != NONE ? number_at(numbers, e->plus) : 0;
		mine -= e->minus != NONE ? number_at(numbers, e->minus) : 0;
		if (e->number == N(gc_percent) && mine == PW_GC_PERCENT_OFF)
			mine = UINT64_MAX;
		compared++;
		if (mine + e->slack - theirs > 2 * e->slack && ++wrong)
			tell("%s: %s is %llu, and we read %llu\n", path, e->key, (unsigned long long)theirs,
			     (unsigned long long)mine);
	}
	for (size_t i = 0; i < ARRAY_SIZE(seconds); i++) {
		const char *text = text_behind(answer, "", seconds[i].key);
		double mine = (double)number_at(numbers, seconds[i].number) / 1e9, theirs;

		if (!text)
			continue;
		theirs = strtod(text, NULL);
		compared++;
		if (fabs(mine - theirs) > 1e-9 + theirs * 1e-12 && ++wrong)
			tell("%s: %s is %.9f, and we read %.9f\n", path, seconds[i].key, theirs, mine);
	}
	assert_true(compared >= 50);
	return wrong;
}

static const struct {
	const char *key;
	enum pw_histogram histogram;
	double unit;
} histograms[] = {
	{"/sched/latencies:seconds", PW_HISTOGRAM_SCHED_LATENCIES, 1e9},
	{"/gc/pauses:seconds", PW_HISTOGRAM_GC_PAUSES, 1e9},
	{"/sched/pauses/stopping/gc:seconds", PW_HISTOGRAM_STW_STOPPING_GC, 1e9},
	{"/sched/pauses/stopping/other:seconds", PW_HISTOGRAM_STW_STOPPING_OTHER, 1e9},
	{"/sched/pauses/total/gc:seconds", PW_HISTOGRAM_STW_TOTAL_GC, 1e9},
	{"/sched/pauses/total/other:seconds", PW_HISTOGRAM_STW_TOTAL_OTHER, 1e9},
	{"/gc/heap/allocs-by-size:bytes", PW_HISTOGRAM_ALLOCS_BY_SIZE, 1},
	{"/gc/heap/frees-by-size:bytes", PW_HISTOGRAM_FREES_BY_SIZE, 1},
};

/* allocs-by-size begins at 1 byte; ours with a bucket below it, which is always empty. */
static unsigned int compare_histogram(const char *path, const char *answer, size_t which)
{
	enum pw_histogram_scale scale = ours.scale[histograms[which].histogram];
	const uint64_t *counts = ours.count[histograms[which].histogram];
	const char *text = text_behind(answer, "", histograms[which].key);
	const char *bounds = text_behind(answer, "buckets ", histograms[which].key);
	size_t first = scale == PW_SCALE_SIZE ? 1 : 0;
	unsigned int wrong = 0;
	char *end;

	if (!text) {
		assert_int_equal(scale, PW_SCALE_NONE);
		return 0;
	}
	if (scale == PW_SCALE_NONE)
		fail_msg("%s: no %s", path, histograms[which].key);
	for (size_t i = first; i < pw_scale_buckets(scale); i++) {
		uint64_t theirs = strtoull(++text, &end, 10);
		double bound, mine = pw_scale_bound(scale, i) / histograms[which].unit;

		text = end;
		bounds++;
		bound = strncmp(bounds, "null", 4) ? strtod(bounds, &end) : -INFINITY;
		bounds = strncmp(bounds, "null", 4) ? end : bounds + 4;
		if ((theirs != counts[i] || mine != bound) && ++wrong)
			tell("%s: %s[%zu] from %g is %llu, and we read %llu from %g\n", path, histograms[which].key, i,
			     bound, (unsigned long long)theirs, (unsigned long long)counts[i], mine);
	}
	assert_int_equal(*text, ']'); /* no bucket more */
	return wrong;
}

static unsigned int compare_all(const char *path, const char *answer, const struct pw_runtime_numbers *numbers)
{
	unsigned int wrong = compare_numbers(path, answer, numbers);

	for (size_t i = 0; i < ARRAY_SIZE(histograms); i++)
		wrong += compare_histogram(path, answer, i);
	return wrong;
}

static const char *const all_flavours[] = {"plain", "stripped", "pie-external-stripped", NULL};
static const char *const one_flavour[] = {"stripped", NULL};

static void for_each(const char *const *flavours, void (*check)(struct go_target *go, struct pw_target *target))
{
	size_t seen = 0;

	if (geteuid() != 0)
		skip();
	for (size_t v = 0; go_target_versions[v]; v++) {
		for (size_t f = 0; flavours[f]; f++) {
			struct go_target go;
			struct pw_target *target;

			if (!go_target_start(&go, "memstats", go_target_versions[v], flavours[f]))
				continue;
			target = open_target(&go);
			check(&go, target);
			pw_target_free(target);
			go_target_stop(&go);
			seen++;
		}
	}
	if (!seen)
		fail_msg("no program 'memstats': run scripts/targets --default");
}

static void check_equal(struct go_target *go, struct pw_target *target)
{
	static const char *const commands[] = {"work 1", "work 4", "limit", "off", "queue 250"};
	struct pw_runtime_metrics *metrics;
	struct pw_runtime_numbers numbers;
	struct pw_why why = {};
	int r = pw_runtime_metrics_new(&metrics, target, &why);

	if (r)
		fail_msg("%s: %s", go->path, pw_why_text(&why, r));
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		unsigned int wrong = 1;

		go_target_ask(go, commands[i]);
		for (unsigned int tries = 0; wrong && tries < TRIES; tries++) {
			const char *answer = go_target_ask(go, "stats");

			telling = tries + 1 == TRIES;
			read_all(metrics, go->path, &numbers);
			wrong = compare_all(go->path, answer, &numbers);
		}
		if (wrong)
			fail_msg("%s: not equal after '%s', in %d tries", go->path, commands[i], TRIES);
	}
	pw_runtime_metrics_free(metrics);
}

static void numbers_at_rest_are_those_of_the_program_itself(void **state)
{
	(void)state;
	for_each(all_flavours, check_equal);
}

/* ---- under load ---- */

static double value_of(const char *answer, const char *key)
{
	const char *text = text_behind(answer, "", key);

	return text ? strtod(text, NULL) : NAN;
}

static bool lies_between(const char *path, const char *key, double low, double mine, double high)
{
	if (mine >= low * (1 - 1e-12) - 1e-9 && mine <= high * (1 + 1e-12) + 1e-9)
		return true;
	print_error("%s: %s: %.9f, then ours %.9f, then %.9f\n", path, key, low, mine, high);
	return false;
}

static unsigned int counters_between(const char *path, const char *first, const struct pw_runtime_numbers *numbers,
				     const char *second)
{
	static const struct {
		const char *key;
		size_t number;
	} counters[] = {
		{"/gc/heap/allocs:bytes", N(alloc_bytes)},	  {"/gc/heap/allocs:objects", N(allocs)},
		{"/gc/heap/frees:bytes", N(freed_bytes)},	  {"/gc/heap/frees:objects", N(frees)},
		{"/gc/heap/tiny/allocs:objects", N(tiny_allocs)}, {"MemStats.NumGC", N(gc_cycles)},
		{"MemStats.PauseTotalNs", N(gc_pause_total_ns)},  {"MemStats.LastGC", N(gc_last_unix_ns)},
	};
	unsigned int wrong = 0;

	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		wrong += !lies_between(path, counters[i].key, value_of(first, counters[i].key),
				       (double)number_at(numbers, counters[i].number),
				       value_of(second, counters[i].key));
	for (size_t i = 0; i < ARRAY_SIZE(seconds); i++)
		if (text_behind(first, "", seconds[i].key))
			wrong += !lies_between(path, seconds[i].key, value_of(first, seconds[i].key),
					       (double)number_at(numbers, seconds[i].number) / 1e9,
					       value_of(second, seconds[i].key));
	return wrong;
}

static unsigned int buckets_between(const char *path, const char *first, const char *second, size_t which)
{
	enum pw_histogram_scale scale = ours.scale[histograms[which].histogram];
	const char *low = text_behind(first, "", histograms[which].key);
	const char *high = text_behind(second, "", histograms[which].key);
	unsigned int wrong = 0;

	for (size_t i = scale == PW_SCALE_SIZE ? 1 : 0; low && i < pw_scale_buckets(scale); i++) {
		char *low_end, *high_end;
		double least = strtod(low + 1, &low_end), most = strtod(high + 1, &high_end);

		wrong += !lies_between(path, histograms[which].key, least,
				       (double)ours.count[histograms[which].histogram][i], most);
		low = low_end;
		high = high_end;
	}
	return wrong;
}

static uint64_t torn_reads;

/* The program allocates, collects and merges its own statistics all the time. */
static void check_load(struct go_target *go, struct pw_target *target)
{
	struct pw_runtime_numbers numbers;
	struct pw_runtime_metrics *metrics;
	uint64_t repeats = 0;
	char *first = NULL;

	assert_int_equal(pw_runtime_metrics_new(&metrics, target, NULL), 0);
	go_target_ask(go, "load");
	for (unsigned int round = 0; round < 8; round++) {
		const char *second;
		unsigned int wrong;

		free(first);
		first = strdup(go_target_ask(go, "stats"));
		for (unsigned int i = 0; i < 200; i++) /* one of them lands in a merge */
			read_all(metrics, go->path, &numbers);
		second = go_target_ask(go, "stats");
		wrong = counters_between(go->path, first, &numbers, second);
		for (size_t i = 0; i < ARRAY_SIZE(histograms); i++)
			wrong += buckets_between(go->path, first, second, i);
		if (wrong)
			fail_msg("%s: %u counters are not between two of the program's own", go->path, wrong);
	}
	repeats = pw_runtime_metrics_repeats(metrics);
	go_target_ask(go, "rest");
	torn_reads += repeats;
	free(first);
	pw_runtime_metrics_free(metrics);
}

static void counters_under_load_lie_between_two_of_the_programs_own(void **state)
{
	(void)state;
	torn_reads = 0;
	for_each(one_flavour, check_load);
	assert_true(torn_reads > 0); /* or nothing was put to the test */
}

/* ---- what has no number in runtime/metrics ---- */

static void check_queue(struct go_target *go, struct pw_target *target)
{
	struct pw_runtime_numbers numbers;
	struct pw_runtime_metrics *metrics;

	assert_int_equal(pw_runtime_metrics_new(&metrics, target, NULL), 0);
	go_target_ask(go, "queue 250"); /* behind one that does not return */
	read_all(metrics, go->path, &numbers);
	if (numbers.finalizers_waiting !=
	    (target->build->facts.layout.go_minor == 24 ? 500 : 250)) /* 1.24: cleanups too */
		fail_msg("%s: %llu finalizers wait", go->path, (unsigned long long)numbers.finalizers_waiting);
	assert_int_equal(numbers.gc_phase, 0);
	assert_in_range(numbers.threads, 3, 20);
	assert_int_equal(numbers.threads, numbers.threads_created - numbers.threads_exited);
	assert_in_range(numbers.goroutines_system, 2, 12);
	pw_runtime_metrics_free(metrics);
}

static void finalizers_in_the_queue_are_counted(void **state)
{
	(void)state;
	for_each(one_flavour, check_queue);
}

/* ---- another version's layout ---- */

/* Every table that differs from the right one where it matters is refused, or what it gives is right all the same. */
static void check_other_layouts(struct go_target *go, struct pw_target *target)
{
	struct pw_layout right = target->build->facts.layout, *used = &target->build->facts.layout;
	const char *answer;

	for (int minor = pw_layout_oldest(); minor <= pw_layout_newest(); minor++) {
		struct pw_runtime_numbers numbers;
		struct pw_runtime_metrics *metrics;
		struct pw_why why = {};
		int r;

		assert_int_equal(pw_layout_for(used, PW_ARCH_AMD64, minor), 0);
		used->go_minor = right.go_minor; /* what it is called is not what gives it away */
		r = pw_runtime_metrics_new(&metrics, target, &why);
		if (!r) {
			answer = go_target_ask(go, "stats");
			r = pw_runtime_metrics_read(metrics, PW_READ_ALL, &numbers, &ours, &why);
			if (!r && (double)numbers.alloc_bytes != value_of(answer, "/gc/heap/allocs:bytes"))
				fail_msg("%s: the layout of Go 1.%d is believed", go->path, minor);
			pw_runtime_metrics_free(metrics);
		}
		if (r && (r != -EBADMSG || !strstr(why.text, "laid out")) && r != -EAGAIN && r != -EFAULT)
			fail_msg("%s with the layout of Go 1.%d: %s", go->path, minor, pw_why_text(&why, r));
		*used = right;
	}
}

static void the_layout_of_another_version_is_refused(void **state)
{
	(void)state;
	for_each(one_flavour, check_other_layouts);
}

static int start_reader(void **state)
{
	(void)state;
	pw_log_set_level(PW_LOG_ERR);
	return pw_procfs_open(&procfs, "/proc") || pw_reader_start(&reader) ? -1 : 0;
}

static int stop_reader(void **state)
{
	(void)state;
	pw_reader_free(reader);
	pw_procfs_done(&procfs);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_at_rest_are_those_of_the_program_itself),
		cmocka_unit_test(counters_under_load_lie_between_two_of_the_programs_own),
		cmocka_unit_test(finalizers_in_the_queue_are_counted),
		cmocka_unit_test(the_layout_of_another_version_is_refused),
	};

	return cmocka_run_group_tests(tests, start_reader, stop_reader);
}
