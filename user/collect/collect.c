/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Events of all targets: who is attached, and what was counted.
 *
 * Each target has a slot (its index in the BPF arrays) and an attachment, and a wanted set of probe groups that follows
 * from its state and its guard. Whenever that differs from what is attached, and no job of it is under way, a job goes
 *to the worker; when the result comes back the comparison is made again. So removing, exec, the guard and a failing
 *attach are all the same thing: a different wanted set.
 *
 *	add -> attaching -> armed (counting) -> removing -> slot free, entries purged by the next poll
 *	            |-> failed (reason in target), tried again after a while
 */
#include "collect/collect.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/log.h"
#include "base/time.h"
#include "base/vec.h"
#include "base/why.h"
#include "collect/collect_internal.h"
#include "target/target.h"

int pw_collect_new(struct pw_collect **ret_collect, const struct pw_collect_options *options, struct pw_why *reterr_why)
{
	struct pw_collect *collect = calloc(1, sizeof(*collect));
	int r;

	if (!collect)
		return pw_why_set(reterr_why, -ENOMEM, "out of memory");
	collect->options = *options;
	collect->waiting.max = PW_COLLECT_WAITING_MAX;
	r = pw_collect_setup(collect, reterr_why);
	if (r < 0) {
		pw_collect_free(collect);
		return r;
	}
	*ret_collect = collect;
	return 0;
}

const struct pw_features *pw_collect_features(const struct pw_collect *collect)
{
	return &collect->features;
}

enum pw_attach_method pw_collect_method(const struct pw_collect *collect)
{
	return collect->method;
}

void pw_collect_set_budget(struct pw_collect *collect, double percent)
{
	collect->options.budget_percent = percent;
}

int pw_collect_fd(const struct pw_collect *collect)
{
	return pw_attach_worker_fd(collect->worker);
}

static struct pw_collect_entry *find(const struct pw_collect *collect, uint64_t id)
{
	for (size_t i = 0; i < collect->entries.count; i++)
		if (collect->entries.items[i]->id == id)
			return collect->entries.items[i];
	return NULL;
}

static struct pw_collect_entry *find_kept(const struct pw_collect *collect, uint64_t id)
{
	struct pw_collect_entry *entry = find(collect, id);

	return entry && !entry->removing ? entry : NULL;
}

static unsigned int wanted_groups(const struct pw_collect_entry *entry)
{
	if (entry->removing || entry->failed || entry->replaced)
		return 0;
	return pw_guard_groups(entry->guard.level) & entry->groups;
}

static void set_armed(struct pw_collect *collect, struct pw_collect_entry *entry, bool armed)
{
	entry->config.armed = armed;
	(void)bpf_map_update_elem(pw_skeleton_map(collect->skeleton, PW_MAP_TARGETS), &entry->slot, &entry->config,
				  BPF_ANY);
	entry->counts.armed = armed;
	if (armed)
		entry->counts.armed_ns = pw_boot_ns();
}

static void tell(struct pw_collect_entry *entry, bool ok, const char *reason)
{
	entry->settled = true;
	if (!entry->target)
		return;
	entry->target->events_ok = ok;
	snprintf(entry->target->events_reason, sizeof(entry->target->events_reason), "%s", reason);
}

static void fail(struct pw_collect *collect, struct pw_collect_entry *entry, const char *reason)
{
	char text[sizeof(entry->target->events_reason)];
	unsigned int seconds = pw_retry_failed(&entry->retry, pw_boot_ns());

	entry->failed = true;
	collect->stats.attach_failures++;
	set_armed(collect, entry, false);
	snprintf(text, sizeof(text), "%.200s; trying again in %u s", reason, seconds);
	tell(entry, false, text);
}

/* Sends the worker to make the wanted groups the attached ones; does nothing while it is at it, or when they are. */
static void pump(struct pw_collect *collect, struct pw_collect_entry *entry)
{
	unsigned int wanted = wanted_groups(entry);

	if (entry->in_flight || entry->attachment->attached == wanted)
		return;
	entry->in_flight = true;
	pw_attach_worker_submit(collect->worker, entry->attachment, wanted);
}

static bool is_idle(const struct pw_collect_entry *entry)
{
	return !entry->in_flight && !entry->attachment->attached;
}

static void release(struct pw_collect *collect, struct pw_collect_entry *entry)
{
	for (size_t i = 0; i < collect->entries.count; i++)
		if (collect->entries.items[i] == entry) {
			collect->entries.items[i] = collect->entries.items[--collect->entries.count];
			break;
		}
	pw_collect_forget(collect, entry);
	pw_collect_entry_free(entry);
}

static void take_result(struct pw_collect *collect, struct pw_collect_entry *entry, const struct pw_attach_job *job)
{
	entry->in_flight = false;
	for (int event = 0; event < _PW_EVENT_MAX; event++)
		entry->counts.site_attached[event] =
			entry->has_site[event] &&
			entry->attachment->attached & PW_GROUP_BIT(pw_attach_group_of((enum pw_event)event));
	if (entry->removing && is_idle(entry)) {
		release(collect, entry);
		return;
	}
	if (job->result < 0 && !entry->removing && !entry->failed && !entry->replaced)
		fail(collect, entry, pw_why_text(&job->why, job->result));
	else if (!entry->counts.armed && wanted_groups(entry)) {
		entry->retry = (struct pw_retry){0};
		set_armed(collect, entry, true);
		tell(entry, true, entry->remark);
		pw_log_debug(0, "setup: attached %.1f ms",
			     (double)(pw_now_ns() - entry->added_ns) / (double)PW_NS_PER_MS);
	}
	pump(collect, entry);
}

/* ---- coming and going ---- */

/* 0: there is an entry, and it is being attached. */
static int try_add(struct pw_collect *collect, struct pw_target *target)
{
	struct pw_collect_entry *entry = NULL;
	struct pw_why why = {0};
	int r = pw_collect_entry_new(&entry, collect, target, &why);

	if (!r) {
		r = pw_vec_push(&collect->entries, entry);
		if (r < 0) {
			pw_collect_forget(collect, entry);
			pw_collect_entry_free(entry);
		}
	}
	target->events_ok = false;
	snprintf(target->events_reason, sizeof(target->events_reason), "%s",
		 r < 0 ? pw_why_text(&why, r) : "probes are being attached");
	if (!r)
		pump(collect, entry);
	return r;
}

static struct pw_collect_waiting *find_waiting(const struct pw_collect *collect, uint64_t id)
{
	for (size_t i = 0; i < collect->waiting.count; i++)
		if (collect->waiting.items[i].target->id == id)
			return &collect->waiting.items[i];
	return NULL;
}

/* Room enough that the young may be attached too. */
static bool is_busy(const struct pw_collect *collect)
{
	size_t in_flight = 0;

	for (size_t i = 0; i < collect->entries.count; i++)
		in_flight += collect->entries.items[i]->in_flight;
	return in_flight >= PW_COLLECT_BUSY;
}

static void let_wait(struct pw_collect *collect, const struct pw_collect_waiting *waiting)
{
	if (pw_vec_push(&collect->waiting, *waiting) < 0)
		collect->stats.not_tried_again++;
}

static bool is_young(const struct pw_target *target, uint64_t now_ns)
{
	return target->start_time_ns && now_ns < target->start_time_ns + PW_COLLECT_YOUNG_NS;
}

/* A failure of the kind that passes: once more later. */
static void say_later(struct pw_collect_waiting *waiting, uint64_t now_ns)
{
	struct pw_target *target = waiting->target;
	size_t used = strnlen(target->events_reason, sizeof(target->events_reason) - 1);

	waiting->young = false;
	snprintf(target->events_reason + used, sizeof(target->events_reason) - used, "; trying again in %u s",
		 pw_retry_failed(&waiting->retry, now_ns));
}

int pw_collect_add(struct pw_collect *collect, struct pw_target *target)
{
	struct pw_collect_waiting waiting = {.target = target};
	uint64_t now_ns = pw_boot_ns();

	if (find(collect, target->id) || find_waiting(collect, target->id))
		return -EEXIST;
	if (is_young(target, now_ns) && is_busy(collect)) {
		waiting.young = true;
		waiting.retry.at_ns = target->start_time_ns + PW_COLLECT_YOUNG_NS;
		target->events_ok = false;
		snprintf(target->events_reason, sizeof(target->events_reason),
			 "many processes start or end just now: its probes are attached when it is 2 s old");
		let_wait(collect, &waiting);
		return 0;
	}
	int r = try_add(collect, target);
	if (pw_retry_worth(r)) {
		say_later(&waiting, now_ns);
		let_wait(collect, &waiting);
	}
	return !r || r == -ESRCH ? r : -EOPNOTSUPP;
}

/* Those whose time has come, as long as there is room: one that fails again goes to the end. */
static void try_waiting(struct pw_collect *collect, uint64_t now_ns)
{
	size_t left = collect->waiting.count;

	for (size_t i = 0; left-- > 0 && !is_busy(collect);) {
		struct pw_collect_waiting waiting = collect->waiting.items[i];

		if (!pw_retry_due(&waiting.retry, now_ns)) {
			i++;
			continue;
		}
		memmove(&collect->waiting.items[i], &collect->waiting.items[i + 1],
			(--collect->waiting.count - i) * sizeof(waiting));
		if (pw_retry_worth(try_add(collect, waiting.target))) {
			say_later(&waiting, now_ns);
			let_wait(collect, &waiting);
		}
	}
}

static void try_failed(struct pw_collect *collect, uint64_t now_ns)
{
	pw_vec_foreach (&collect->entries, each) {
		struct pw_collect_entry *entry = *each;

		if (entry->failed && !entry->removing && !entry->replaced && is_idle(entry) &&
		    pw_retry_due(&entry->retry, now_ns))
			entry->failed = false; /* wanted again: pump sees to it */
	}
}

void pw_collect_dispatch(struct pw_collect *collect)
{
	struct pw_attach_job job;

	while (pw_attach_worker_take(collect->worker, &job)) {
		struct pw_collect_entry *entry = NULL;

		pw_vec_foreach (&collect->entries, each)
			if ((*each)->attachment == job.attachment)
				entry = *each;
		if (entry)
			take_result(collect, entry, &job);
	}
	if (!collect->ending)
		try_waiting(collect, pw_boot_ns());
}

void pw_collect_remove(struct pw_collect *collect, uint64_t target_id)
{
	struct pw_collect_entry *entry = find_kept(collect, target_id);
	struct pw_collect_waiting *waiting = find_waiting(collect, target_id);

	if (waiting)
		*waiting = collect->waiting.items[--collect->waiting.count];
	if (!entry)
		return;
	set_armed(collect, entry, false);
	entry->removing = true;
	entry->target = NULL;
	if (is_idle(entry))
		release(collect, entry);
	else
		pump(collect, entry);
}

void pw_collect_free(struct pw_collect *collect)
{
	if (!collect)
		return;
	collect->ending = true;
	for (size_t i = collect->entries.count; i-- > 0;)
		if (!collect->entries.items[i]->removing)
			pw_collect_remove(collect, collect->entries.items[i]->id);
	if (collect->worker)
		pw_attach_worker_cancel_attaches(collect->worker);
	while (collect->worker && collect->entries.count) {
		struct pollfd ready = {.fd = pw_attach_worker_fd(collect->worker), .events = POLLIN};

		if (poll(&ready, 1, 1000) < 0 && errno != EINTR)
			break;
		pw_collect_dispatch(collect);
	}
	pw_collect_teardown(collect);
	free(collect);
}

bool pw_collect_settled(const struct pw_collect *collect, uint64_t target_id)
{
	const struct pw_collect_entry *entry = find_kept(collect, target_id);

	const struct pw_collect_waiting *waiting = find_waiting(collect, target_id);

	return entry ? entry->settled : !waiting || !waiting->young;
}

/* ---- polling ---- */

static void take_cycle(struct pw_collect_entry *entry, const void *data, size_t size)
{
	struct pw_bpf_gc_record record;
	struct pw_gc_words words = {0};

	_Static_assert(sizeof(words.word) == sizeof(record.word), "words of a GC cycle");
	if (size < sizeof(record))
		return;
	memcpy(&record, data, sizeof(record));
	words.read_ns = record.head.boot_ns;
	words.missing = record.head.argument;
	memcpy(words.word, record.word, sizeof(words.word));
	if (pw_vec_push(&entry->gc_cycles, words) < 0)
		entry->gc_events_lost++;
}

int pw_collect_take_record(void *context, void *data, size_t size)
{
	struct pw_collect *collect = context;
	struct pw_bpf_record record;

	if (size < sizeof(record))
		return 0;
	memcpy(&record, data, sizeof(record));
	struct pw_collect_entry *entry = find_kept(collect, record.target);
	if (!entry)
		return 0;
	if (record.event == PW_BPF_EXEC) {
		entry->replaced = true;
		entry->counts.armed = false;
		entry->config.armed = false;
		tell(entry, false, "the process has replaced its program (exec); it is attached anew when recognised");
		return 0;
	}
	if (record.event == PW_BPF_GC_CYCLE)
		take_cycle(entry, data, size);
	if (record.event >= _PW_EVENT_MAX)
		return 0;
	struct pw_gc_event event = {
		.event = (enum pw_event)record.event, .boot_ns = record.boot_ns, .argument = record.argument};
	if (pw_vec_push(&entry->gc_events, event) < 0)
		entry->gc_events_lost++;
	return 0;
}

/* Totals of one target: the per-CPU array, and the statements that the maps have. */
static int sum_up(struct pw_collect *collect, struct pw_collect_entry *entry)
{
	uint64_t sums[_PW_BPF_EVENT_MAX + _PW_DROP_MAX];
	struct pw_target_counts *counts = &entry->counts;
	int r = pw_map_read_one(&collect->reader, &collect->stats_shape, &entry->slot, sums);

	if (r < 0)
		return r;
	counts->statements = pw_counts_of(&collect->counts, (uint32_t)entry->id, &counts->statement_count);
	counts->spawned = sums[PW_EVENT_SPAWN];
	counts->exited = sums[PW_EVENT_EXIT];
	counts->parked = sums[PW_EVENT_PARK];
	counts->ran = sums[PW_EVENT_RUN];
	for (size_t i = 0; i < counts->statement_count; i++) {
		counts->spawned += counts->statements[i].spawned;
		counts->exited += counts->statements[i].exited;
		counts->parked += counts->statements[i].parked;
		counts->ran += counts->statements[i].ran;
	}
	memcpy(counts->site_hits, sums, sizeof(counts->site_hits));
	counts->site_hits[PW_EVENT_SPAWN] = counts->spawned;
	counts->site_hits[PW_EVENT_EXIT] = counts->exited;
	counts->site_hits[PW_EVENT_PARK] = counts->parked;
	counts->site_hits[PW_EVENT_RUN] = counts->ran;
	counts->hits = 0;
	memset(counts->gc_counts, 0, sizeof(counts->gc_counts));
	for (int event = 0; event < _PW_EVENT_MAX; event++) {
		counts->hits += counts->site_hits[event];
		if (pw_attach_group_of((enum pw_event)event) == PW_GROUP_GC)
			counts->gc_counts[event] = counts->site_hits[event];
	}
	memcpy(entry->drops, sums + _PW_BPF_EVENT_MAX, sizeof(entry->drops));
	entry->drops[PW_DROP_RING_FULL] += entry->gc_events_lost;
	counts->drops = entry->drops;
	counts->drop_count = _PW_DROP_MAX;
	counts->gc_events = entry->gc_events.items;
	counts->gc_event_count = entry->gc_events.count;
	counts->gc_cycles = entry->gc_cycles.items;
	counts->gc_cycle_count = entry->gc_cycles.count;
	counts->gc_cycles_told = entry->gc.target && counts->site_attached[PW_EVENT_GC_MARK_TERMINATION] &&
				 counts->site_attached[PW_EVENT_STW_END];
	return 0;
}

static void guard(struct pw_collect *collect, struct pw_collect_entry *entry, uint64_t now_ns)
{
	struct pw_target_counts *counts = &entry->counts;

	if (!counts->armed)
		return;
	enum pw_guard_level level = pw_guard_update(&entry->guard, now_ns, counts->site_hits, entry->cost_ns,
						    collect->options.budget_percent);

	counts->cpu_percent = entry->guard.cpu_percent;
	counts->guard_state = pw_guard_level_name(level);
	counts->guard_since_ns = entry->guard.level_since_ns;
	counts->guard_retry_ns = entry->guard.retry_at_ns;
	counts->guard_percent = entry->guard.detached_percent;
}

static int compare_ids(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return a < b ? -1 : a > b;
}

static int read_maps(struct pw_collect *collect)
{
	pw_vec_reset(&collect->known);
	pw_vec_foreach (&collect->entries, entry) {
		int r = (*entry)->removing ? 0 : pw_vec_push(&collect->known, (uint32_t)(*entry)->id);

		if (r < 0)
			return r;
	}
	pw_vec_sort(&collect->known, compare_ids);
	return pw_counts_poll(&collect->counts, &collect->reader, collect->known.items, collect->known.count);
}

int pw_collect_poll(struct pw_collect *collect, uint64_t now_ns)
{
	uint64_t start_ns = pw_now_ns();

	pw_collect_dispatch(collect);
	try_waiting(collect, now_ns);
	try_failed(collect, now_ns);
	pw_vec_foreach (&collect->entries, entry) {
		pw_vec_reset(&(*entry)->gc_events);
		pw_vec_reset(&(*entry)->gc_cycles);
	}
	int r = ring_buffer__consume(collect->ring);
	if (r >= 0)
		r = read_maps(collect);
	for (size_t i = 0; i < collect->entries.count; i++) {
		struct pw_collect_entry *entry = collect->entries.items[i];

		if (r >= 0 && !entry->removing) {
			r = sum_up(collect, entry);
			entry->counts.polled_ns = now_ns;
			guard(collect, entry, now_ns);
		}
		pump(collect, entry);
	}
	collect->stats.polls++;
	collect->stats.poll_ns_last = pw_now_ns() - start_ns;
	if (r < 0)
		pw_vec_foreach (&collect->entries, entry)
			(*entry)->counts.statement_count = 0;
	return PW_MIN(r, 0);
}

const struct pw_target_counts *pw_collect_counts(const struct pw_collect *collect, uint64_t target_id)
{
	const struct pw_collect_entry *entry = find_kept(collect, target_id);

	return entry ? &entry->counts : NULL;
}

const char *pw_drop_name(size_t drop)
{
	static const char *const names[] = {
		[PW_DROP_SITE_MAP_FULL] = "site_map_full",	   [PW_DROP_REASON_MAP_FULL] = "reason_map_full",
		[PW_DROP_CREATION_MAP_FULL] = "creation_map_full", [PW_DROP_STACK_UNREADABLE] = "stack_unreadable",
		[PW_DROP_G_UNREADABLE] = "goroutine_unreadable",   [PW_DROP_REASON_UNREADABLE] = "reason_unreadable",
		[PW_DROP_RING_FULL] = "ring_buffer_full",	   [PW_DROP_UNKNOWN_TARGET] = "unknown_target",
		[PW_DROP_TARGET_SHARE] = "target_share",	   [PW_DROP_GC_UNREADABLE] = "gc_unreadable",
	};
	_Static_assert(ARRAY_SIZE(names) == _PW_DROP_MAX, "a name for each drop");

	return drop < ARRAY_SIZE(names) ? names[drop] : "?";
}

void pw_collect_stats(const struct pw_collect *collect, struct pw_collect_stats *ret_stats)
{
	uint64_t sums[_PW_BPF_EVENT_MAX + _PW_DROP_MAX];
	struct pw_map_reader *reader = (struct pw_map_reader *)&collect->reader; /* only its buffer changes */
	uint32_t nobody = 0;

	*ret_stats = collect->stats;
	ret_stats->attached_targets = 0;
	ret_stats->waiting_targets = collect->waiting.count;
	for (size_t i = 0; i < collect->entries.count; i++)
		ret_stats->attached_targets += collect->entries.items[i]->counts.armed;
	ret_stats->map_memory_bytes = pw_skeleton_memory(collect->skeleton);
	ret_stats->emulated_hit_ns = collect->cost.emulated_ns;
	ret_stats->stepped_hit_ns = collect->cost.stepped_ns;
	if (!pw_map_read_one(reader, &collect->stats_shape, &nobody, sums))
		ret_stats->unknown_target_hits = sums[_PW_BPF_EVENT_MAX + PW_DROP_UNKNOWN_TARGET];
}
