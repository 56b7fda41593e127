/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/macros.h"
#include "output/metrics_writer.h"

/*
 * The runtime's own numbers under the names that Go's client library (client_golang, collectors.NewGoCollector with all
 * of runtime/metrics) gives them, with its types and buckets, so that dashboards made for it work. A number that the
 * program's Go version does not have is absent, also where we could read it.
 */
#define LABELS_MAX 8192

static void info(struct pw_writer *w, const struct pw_metric_target *t)
{
	_cleanup_buf_ struct pw_buf more = PW_BUF_INIT(LABELS_MAX);

	pw_write_label(&more, "version", pw_record_string(t->record, t->record->identity.go_version));
	pw_write_u64(w, "", t->labels, pw_buf_text(&more), 1);
}

static void gc_duration(struct pw_writer *w, const struct pw_metric_target *t)
{
	static const char *const labels[PW_PAUSE_QUANTILES] = {
		"quantile=\"0\"", "quantile=\"0.25\"", "quantile=\"0.5\"", "quantile=\"0.75\"", "quantile=\"1\""};
	const struct pw_runtime_numbers *numbers = &t->record->runtime.numbers;

	if (!t->record->runtime.section.present || numbers->gc_cycles == PW_UNKNOWN ||
	    numbers->gc_pause_total_ns == PW_UNKNOWN)
		return;
	for (size_t i = 0; i < PW_PAUSE_QUANTILES; i++)
		pw_write_seconds(w, "", t->labels, labels[i], numbers->gc_pause_quantiles_ns[i]);
	pw_write_seconds(w, "_sum", t->labels, NULL, numbers->gc_pause_total_ns);
	pw_write_u64(w, "_count", t->labels, NULL, numbers->gc_cycles);
}

/* The minor version in "go1.24.4"; 0: there is none. */
static unsigned long go_minor(const struct pw_record *record)
{
	const char *version = pw_record_string(record, record->identity.go_version);

	return strncmp(version, "go1.", 4) ? 0 : strtoul(version + 4, NULL, 10);
}

/* ---- numbers ---- */

enum number {
#define X(name, kind, unit) NUMBER_##name,
	PW_RUNTIME_NUMBERS(X)
#undef X
};

#define TERMS_MAX 5
/* The sum of some numbers minus that of others. */
struct formula {
	unsigned int plus[TERMS_MAX], minus[2]; /* 1 + enum number; 0: unused */
	bool seconds;				/* of nanoseconds */
	uint8_t since;				/* the minor version whose runtime/metrics has it first; 0: no matter */
};
#define P(name) (1 + NUMBER_##name)

#define G PW_METRIC_GAUGE
#define C PW_METRIC_COUNTER
/* clang-format off */
#define FAMILIES(X) \
	X("go_goroutines", G, NULL, "Goroutines that exist, as runtime.NumGoroutine counts them.", {P(goroutines)}) \
	X("go_threads", G, NULL, "OS threads that the runtime has created and that have not ended.", {P(threads)}) \
	X("go_memstats_alloc_bytes", G, "bytes", "Bytes of heap objects, allocated and not yet freed.", {P(heap_objects_bytes)}) \
	X("go_memstats_alloc_bytes_total", C, "bytes", "Bytes ever allocated for heap objects.", {P(alloc_bytes)}) \
	X("go_memstats_buck_hash_sys_bytes", G, "bytes", "Memory of the runtime's tables of profiles.", {P(profile_buckets_bytes)}) \
	X("go_memstats_frees_total", C, NULL, "Heap objects ever freed.", {P(frees), P(tiny_allocs)}) \
	X("go_memstats_gc_sys_bytes", G, "bytes", "Memory of the garbage collector's own data.", {P(gc_sys_bytes)}) \
	X("go_memstats_heap_alloc_bytes", G, "bytes", "Bytes of heap objects, allocated and not yet freed.", {P(heap_objects_bytes)}) \
	X("go_memstats_heap_idle_bytes", G, "bytes", "Heap memory without objects, kept or returned to the system.", {P(heap_free_bytes), P(heap_released_bytes)}) \
	X("go_memstats_heap_inuse_bytes", G, "bytes", "Heap memory in spans that hold objects.", {P(heap_inuse_bytes)}) \
	X("go_memstats_heap_objects", G, NULL, "Heap objects, allocated and not yet freed.", {P(heap_objects)}) \
	X("go_memstats_heap_released_bytes", G, "bytes", "Heap memory returned to the system.", {P(heap_released_bytes)}) \
	X("go_memstats_heap_sys_bytes", G, "bytes", "Heap memory had from the system.", {P(heap_inuse_bytes), P(heap_free_bytes), P(heap_released_bytes)}) \
	X("go_memstats_last_gc_time_seconds", G, "seconds", "When the last garbage collection ended, seconds since 1970.", {P(gc_last_unix_ns)}, .seconds = true) \
	X("go_memstats_mallocs_total", C, NULL, "Heap objects ever allocated.", {P(allocs), P(tiny_allocs)}) \
	X("go_memstats_mcache_inuse_bytes", G, "bytes", "Memory of mcache structures in use.", {P(mcache_inuse_bytes)}) \
	X("go_memstats_mcache_sys_bytes", G, "bytes", "Memory had from the system for mcache structures.", {P(mcache_sys_bytes)}) \
	X("go_memstats_mspan_inuse_bytes", G, "bytes", "Memory of mspan structures in use.", {P(mspan_inuse_bytes)}) \
	X("go_memstats_mspan_sys_bytes", G, "bytes", "Memory had from the system for mspan structures.", {P(mspan_sys_bytes)}) \
	X("go_memstats_next_gc_bytes", G, "bytes", "Size of the heap at which the next garbage collection is to be done.", {P(heap_goal_bytes)}) \
	X("go_memstats_other_sys_bytes", G, "bytes", "Memory of the runtime for other purposes.", {P(other_sys_bytes)}) \
	X("go_memstats_stack_inuse_bytes", G, "bytes", "Memory of stacks of goroutines in use.", {P(stack_inuse_bytes)}) \
	X("go_memstats_stack_sys_bytes", G, "bytes", "Memory had from the system for stacks.", {P(stack_inuse_bytes), P(os_stack_bytes)}) \
	X("go_memstats_sys_bytes", G, "bytes", "Memory had from the system.", {P(sys_bytes)}) \
	X("go_cgo_go_to_c_calls_calls_total", C, NULL, "Calls from Go to C.", {P(cgo_calls)}) \
	X("go_cpu_classes_gc_mark_assist_cpu_seconds_total", C, "seconds", "CPU time of goroutines that helped to mark. CPU classes are as of the last garbage collection.", {P(cpu_gc_assist_ns)}, .seconds = true) \
	X("go_cpu_classes_gc_mark_dedicated_cpu_seconds_total", C, "seconds", "CPU time of marking on processors set aside for it.", {P(cpu_gc_dedicated_ns)}, .seconds = true) \
	X("go_cpu_classes_gc_mark_idle_cpu_seconds_total", C, "seconds", "CPU time of marking on processors that had nothing to do.", {P(cpu_gc_idle_ns)}, .seconds = true) \
	X("go_cpu_classes_gc_pause_cpu_seconds_total", C, "seconds", "CPU time that pauses of the garbage collector took from the program.", {P(cpu_gc_pause_ns)}, .seconds = true) \
	X("go_cpu_classes_gc_total_cpu_seconds_total", C, "seconds", "CPU time of garbage collection.", {P(cpu_gc_total_ns)}, .seconds = true) \
	X("go_cpu_classes_idle_cpu_seconds_total", C, "seconds", "CPU time not used for Go code or the runtime.", {P(cpu_idle_ns)}, .seconds = true) \
	X("go_cpu_classes_scavenge_assist_cpu_seconds_total", C, "seconds", "CPU time of returning memory while it is allocated.", {P(cpu_scavenge_assist_ns)}, .seconds = true) \
	X("go_cpu_classes_scavenge_background_cpu_seconds_total", C, "seconds", "CPU time of returning memory in the background.", {P(cpu_scavenge_background_ns)}, .seconds = true) \
	X("go_cpu_classes_scavenge_total_cpu_seconds_total", C, "seconds", "CPU time of returning memory to the system.", {P(cpu_scavenge_total_ns)}, .seconds = true) \
	X("go_cpu_classes_total_cpu_seconds_total", C, "seconds", "CPU time that was there for Go: GOMAXPROCS over time.", {P(cpu_total_ns)}, .seconds = true) \
	X("go_cpu_classes_user_cpu_seconds_total", C, "seconds", "CPU time of Go code of the program, an upper bound.", {P(cpu_user_ns)}, .seconds = true) \
	X("go_gc_cleanups_executed_cleanups_total", C, NULL, "Cleanups that have run.", {P(cleanups_executed)}, .since = 26) \
	X("go_gc_cleanups_queued_cleanups_total", C, NULL, "Cleanups ever queued to run.", {P(cleanups_queued)}, .since = 26) \
	X("go_gc_cycles_automatic_gc_cycles_total", C, NULL, "Garbage collections that the runtime began by itself.", {P(gc_cycles)}, {P(gc_forced)}) \
	X("go_gc_cycles_forced_gc_cycles_total", C, NULL, "Garbage collections that the program asked for.", {P(gc_forced)}) \
	X("go_gc_cycles_total_gc_cycles_total", C, NULL, "Garbage collections completed.", {P(gc_cycles)}) \
	X("go_gc_finalizers_executed_finalizers_total", C, NULL, "Finalizers that have run.", {P(finalizers_executed)}, .since = 26) \
	X("go_gc_finalizers_queued_finalizers_total", C, NULL, "Finalizers ever queued to run.", {P(finalizers_queued)}, .since = 26) \
	X("go_gc_gogc_percent", G, NULL, "GOGC: how far the heap may grow between two collections.", {P(gc_percent)}, .since = 21) \
	X("go_gc_gomemlimit_bytes", G, "bytes", "GOMEMLIMIT; 2^63-1: none.", {P(memory_limit_bytes)}, .since = 21) \
	X("go_gc_heap_allocs_bytes_total", C, "bytes", "Bytes ever allocated for heap objects.", {P(alloc_bytes)}) \
	X("go_gc_heap_allocs_objects_total", C, NULL, "Heap objects ever allocated, without tiny ones.", {P(allocs)}) \
	X("go_gc_heap_frees_bytes_total", C, "bytes", "Bytes of heap objects ever freed.", {P(freed_bytes)}) \
	X("go_gc_heap_frees_objects_total", C, NULL, "Heap objects ever freed, without tiny ones.", {P(frees)}) \
	X("go_gc_heap_goal_bytes", G, "bytes", "Size of the heap to be reached at the end of the next garbage collection.", {P(heap_goal_bytes)}) \
	X("go_gc_heap_live_bytes", G, "bytes", "Heap that the last garbage collection found alive.", {P(heap_marked_bytes)}, .since = 21) \
	X("go_gc_heap_objects_objects", G, NULL, "Heap objects, alive or not yet swept.", {P(heap_objects)}) \
	X("go_gc_heap_tiny_allocs_objects_total", C, NULL, "Objects of less than 16 bytes that share a block.", {P(tiny_allocs)}) \
	X("go_gc_limiter_last_enabled_gc_cycle", G, NULL, "The last garbage collection whose CPU time was limited; 0: none.", {P(limiter_last_cycle)}) \
	X("go_gc_scan_globals_bytes", G, "bytes", "Global variables that the collector has to scan.", {P(scan_globals_bytes)}) \
	X("go_gc_scan_heap_bytes", G, "bytes", "Heap that the collector has to scan.", {P(scan_heap_bytes)}) \
	X("go_gc_scan_stack_bytes", G, "bytes", "Stacks that the last collection scanned.", {P(scan_stack_bytes)}) \
	X("go_gc_scan_total_bytes", G, "bytes", "All that the collector has to scan.", {P(scan_globals_bytes), P(scan_heap_bytes), P(scan_stack_bytes)}) \
	X("go_gc_stack_starting_size_bytes", G, "bytes", "Size of the stack of a new goroutine.", {P(starting_stack_bytes)}) \
	X("go_memory_classes_heap_free_bytes", G, "bytes", "Heap memory without objects that is kept.", {P(heap_free_bytes)}) \
	X("go_memory_classes_heap_objects_bytes", G, "bytes", "Heap memory of objects, alive or not yet swept.", {P(heap_objects_bytes)}) \
	X("go_memory_classes_heap_released_bytes", G, "bytes", "Heap memory returned to the system.", {P(heap_released_bytes)}) \
	X("go_memory_classes_heap_stacks_bytes", G, "bytes", "Heap memory of stacks of goroutines.", {P(stack_inuse_bytes)}) \
	X("go_memory_classes_heap_unused_bytes", G, "bytes", "Heap memory in spans of objects that no object uses.", {P(heap_inuse_bytes)}, {P(heap_objects_bytes)}) \
	X("go_memory_classes_metadata_mcache_free_bytes", G, "bytes", "Memory of mcache structures not in use.", {P(mcache_sys_bytes)}, {P(mcache_inuse_bytes)}) \
	X("go_memory_classes_metadata_mcache_inuse_bytes", G, "bytes", "Memory of mcache structures in use.", {P(mcache_inuse_bytes)}) \
	X("go_memory_classes_metadata_mspan_free_bytes", G, "bytes", "Memory of mspan structures not in use.", {P(mspan_sys_bytes)}, {P(mspan_inuse_bytes)}) \
	X("go_memory_classes_metadata_mspan_inuse_bytes", G, "bytes", "Memory of mspan structures in use.", {P(mspan_inuse_bytes)}) \
	X("go_memory_classes_metadata_other_bytes", G, "bytes", "Memory of the garbage collector's own data.", {P(gc_sys_bytes)}) \
	X("go_memory_classes_os_stacks_bytes", G, "bytes", "Memory of stacks of threads, as far as Go allocates it.", {P(os_stack_bytes)}) \
	X("go_memory_classes_other_bytes", G, "bytes", "Memory of the runtime for other purposes.", {P(other_sys_bytes)}) \
	X("go_memory_classes_profiling_buckets_bytes", G, "bytes", "Memory of the runtime's tables of profiles.", {P(profile_buckets_bytes)}) \
	X("go_memory_classes_total_bytes", G, "bytes", "Memory that Go has from the system, without that of C code.", {P(sys_bytes)}) \
	X("go_sched_gomaxprocs_threads", G, NULL, "GOMAXPROCS.", {P(gomaxprocs)}) \
	X("go_sched_goroutines_created_goroutines_total", C, NULL, "Goroutines ever started, those of the runtime too, by the runtime's own numbering.", {P(spawn_total)}) \
	X("go_sched_threads_total_threads", G, NULL, "Threads of the Go runtime, without those of C code that call Go.", {P(threads)}, {P(threads_extra)}, .since = 26) \
	X("go_sync_mutex_wait_total_seconds_total", C, "seconds", "Time goroutines waited for a sync.Mutex, sync.RWMutex or a lock of the runtime, approximately.", {P(mutex_wait_ns)}, .seconds = true) \
	X("parkwatch_goroutines_spawned_by_goid_total", C, NULL, "Goroutines started since the process began, by the runtime's own numbering: exact without a probe.", {P(spawn_total)}) \
	X("parkwatch_heap_live_bytes", G, "bytes", "Heap in use now: marked by the last collection or allocated since.", {P(heap_live_bytes)}) \
	X("parkwatch_finalizers_waiting", G, NULL, "Finalizers that are queued and have not begun to run.", {P(finalizers_waiting)}) \
	X("parkwatch_sched_procs_idle", G, NULL, "Processors (of GOMAXPROCS) without work.", {P(procs_idle)}) \
	X("parkwatch_sched_runnable", G, NULL, "Goroutines in the queues of the scheduler.", {P(runnable)})
/* clang-format on */

static const struct formula formulas[] = {
#define X(name, type, unit, help, ...) {.plus = __VA_ARGS__},
	FAMILIES(X)
#undef X
};

static double number_of(const struct pw_runtime_numbers *numbers, unsigned int term, bool *known)
{
	uint64_t value = pw_number_get(numbers, &pw_number_fields[term - 1]);

	*known = *known && value != PW_UNKNOWN;
	if (value == PW_GC_PERCENT_OFF && term == P(gc_percent))
		value = UINT64_MAX; /* what the client makes of -1 */
	return (double)value;
}

static void runtime_number(struct pw_writer *w, const struct pw_metric_target *t)
{
	const struct formula *formula = &formulas[pw_writer_family(w) - pw_metrics_runtime];
	const struct pw_runtime_numbers *numbers = &t->record->runtime.numbers;
	double value = 0;
	bool known = t->record->runtime.section.present;

	if (formula->since && go_minor(t->record) < formula->since)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(formula->plus) && formula->plus[i]; i++)
		value += number_of(numbers, formula->plus[i], &known);
	for (size_t i = 0; i < ARRAY_SIZE(formula->minus) && formula->minus[i]; i++)
		value -= number_of(numbers, formula->minus[i], &known);
	if (known)
		pw_write_double(w, "", t->labels, NULL, formula->seconds ? value / 1e9 : PW_MAX(value, 0.0));
}

/* ---- goroutines by state: in 1.26 the runtime counts them itself; the census does, in any version ---- */

static void write_by_status(struct pw_writer *w, const struct pw_metric_target *t, unsigned int statuses)
{
	uint64_t count = 0;

	if (!t->record->census.section.present)
		return;
	for (size_t i = 0; i < t->record->census.group_count; i++)
		if (statuses & 1U << t->record->census.groups[i].status)
			count += t->record->census.groups[i].count;
	pw_write_u64(w, "", t->labels, NULL, count);
}

static void goroutines_running(struct pw_writer *w, const struct pw_metric_target *t)
{
	write_by_status(w, t, 1U << PW_GOROUTINE_RUNNING);
}

static void goroutines_runnable(struct pw_writer *w, const struct pw_metric_target *t)
{
	write_by_status(w, t, 1U << PW_GOROUTINE_RUNNABLE);
}

static void goroutines_not_in_go(struct pw_writer *w, const struct pw_metric_target *t)
{
	write_by_status(w, t, 1U << PW_GOROUTINE_SYSCALL);
}

static void goroutines_waiting(struct pw_writer *w, const struct pw_metric_target *t)
{
	write_by_status(w, t, 1U << PW_GOROUTINE_WAITING | 1U << PW_GOROUTINE_PREEMPTED | 1U << PW_GOROUTINE_LEAKED);
}

/* /sched/goroutines counts the runtime's own from 1.26 on. */
static void goroutines_total(struct pw_writer *w, const struct pw_metric_target *t)
{
	const struct pw_runtime_numbers *numbers = &t->record->runtime.numbers;
	bool all = go_minor(t->record) >= 26;

	if (t->record->runtime.section.present && numbers->goroutines != PW_UNKNOWN &&
	    (!all || numbers->goroutines_system != PW_UNKNOWN))
		pw_write_u64(w, "", t->labels, NULL, numbers->goroutines + (all ? numbers->goroutines_system : 0));
}

/* ---- histograms ---- */

static void write_histogram(struct pw_writer *w, const struct pw_metric_target *t, enum pw_histogram which,
			    uint64_t exact_sum)
{
	_cleanup_free_ uint64_t *counts = malloc(PW_HISTOGRAM_BUCKETS_MAX * sizeof(*counts));
	struct pw_client_histogram client;

	if (!counts || !pw_record_histogram(t->record, which, counts))
		return;
	pw_client_histogram_make(&client, counts, t->record->runtime.scale[which]);
	for (size_t i = 0; i < client.count; i++) {
		_cleanup_buf_ struct pw_buf more = PW_BUF_INIT(64);

		pw_buf_puts(&more, "le=\"");
		pw_buf_decimal(&more, client.bucket[i].bound);
		pw_buf_putc(&more, '"');
		pw_write_u64(w, "_bucket", t->labels, pw_buf_text(&more), client.bucket[i].cumulative);
	}
	pw_write_u64(w, "_bucket", t->labels, "le=\"+Inf\"", client.total);
	pw_write_double(w, "_sum", t->labels, NULL, exact_sum == PW_UNKNOWN ? client.sum : (double)exact_sum);
	pw_write_u64(w, "_count", t->labels, NULL, client.total);
}

#define HISTOGRAM(function, which, sum)                                             \
	static void function(struct pw_writer *w, const struct pw_metric_target *t) \
	{                                                                           \
		write_histogram(w, t, which, sum);                                  \
	}
HISTOGRAM(sched_latencies, PW_HISTOGRAM_SCHED_LATENCIES, PW_UNKNOWN)
HISTOGRAM(gc_pauses, PW_HISTOGRAM_GC_PAUSES, PW_UNKNOWN)
HISTOGRAM(stopping_gc, PW_HISTOGRAM_STW_STOPPING_GC, PW_UNKNOWN)
HISTOGRAM(stopping_other, PW_HISTOGRAM_STW_STOPPING_OTHER, PW_UNKNOWN)
HISTOGRAM(total_gc, PW_HISTOGRAM_STW_TOTAL_GC, PW_UNKNOWN)
HISTOGRAM(total_other, PW_HISTOGRAM_STW_TOTAL_OTHER, PW_UNKNOWN)
HISTOGRAM(allocs_by_size, PW_HISTOGRAM_ALLOCS_BY_SIZE, t->record->runtime.numbers.alloc_bytes)
HISTOGRAM(frees_by_size, PW_HISTOGRAM_FREES_BY_SIZE, t->record->runtime.numbers.freed_bytes)

#define H PW_METRIC_HISTOGRAM
const struct pw_metric_family pw_metrics_runtime[] = {
#define X(name, type, unit, help, ...) {name, type, unit, help, runtime_number, NULL},
	FAMILIES(X) /* first, in the order of formulas */
#undef X
	{"go_info", G, NULL, "Go version of the program.", info, NULL},
	{"go_gc_duration_seconds", PW_METRIC_SUMMARY, "seconds",
	 "Pauses of garbage collections: quantiles of the last 256, sum and count of all.", gc_duration, NULL},
	{"go_sched_goroutines_goroutines", G, NULL,
	 "Goroutines that exist; from Go 1.26 on with those of the runtime, as /sched/goroutines counts.",
	 goroutines_total, NULL},
	{"go_sched_goroutines_not_in_go_goroutines", G, NULL, "Goroutines in a system call or in C code, by census.",
	 goroutines_not_in_go, NULL},
	{"go_sched_goroutines_runnable_goroutines", G, NULL, "Goroutines ready to run, by census.", goroutines_runnable,
	 NULL},
	{"go_sched_goroutines_running_goroutines", G, NULL, "Goroutines that run, by census.", goroutines_running,
	 NULL},
	{"go_sched_goroutines_waiting_goroutines", G, NULL, "Goroutines that wait for something, by census.",
	 goroutines_waiting, NULL},
	{"go_gc_heap_allocs_by_size_bytes", H, "bytes", "Heap objects ever allocated, by size, without tiny ones.",
	 allocs_by_size, NULL},
	{"go_gc_heap_frees_by_size_bytes", H, "bytes", "Heap objects ever freed, by size, without tiny ones.",
	 frees_by_size, NULL},
	{"go_gc_pauses_seconds", H, "seconds", "Stops of the world by the garbage collector. The sum is a lower bound.",
	 gc_pauses, NULL},
	{"go_sched_latencies_seconds", H, "seconds",
	 "How long goroutines were ready before they ran; one of 8 is timed. The sum is a lower bound.",
	 sched_latencies, NULL},
	{"go_sched_pauses_stopping_gc_seconds", H, "seconds",
	 "From the decision of the garbage collector to stop the world until all have stopped.", stopping_gc, NULL},
	{"go_sched_pauses_stopping_other_seconds", H, "seconds",
	 "The same of stops that are not the garbage collector's.", stopping_other, NULL},
	{"go_sched_pauses_total_gc_seconds", H, "seconds",
	 "From the decision of the garbage collector to stop the world until it goes on.", total_gc, NULL},
	{"go_sched_pauses_total_other_seconds", H, "seconds", "The same of stops that are not the garbage collector's.",
	 total_other, NULL},
};
const size_t pw_metrics_runtime_count = ARRAY_SIZE(pw_metrics_runtime);
