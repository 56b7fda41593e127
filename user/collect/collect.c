/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Events of all targets: who is attached, and what was counted.
 *
 * Each target has a slot (its index in the BPF arrays) and an attachment, and a wanted set of probe groups that follows
 * from its state and its governor. Whenever that differs from what is attached, and no job of it is under way, a job
 * goes to the worker; when the result comes back the comparison is made again. So removing, exec, windows and a failing
 * attach are all the same thing: a different wanted set.
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
#include "collect/child.h"
#include "collect/collect_internal.h"
#include "target/target.h"

int pw_collect_new(struct pw_collect **ret_collect, const struct pw_collect_options *options, struct pw_why *reterr_why)
{
	struct pw_collect *collect = calloc(1, sizeof(*collect));
	int r;

	if (!collect)
		return pw_why_set(reterr_why, -ENOMEM, "out of memory");
	collect->options = *options;
	collect->epoll_fd = collect->timer_fd = -1;
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

void pw_collect_set_budget(struct pw_collect *collect, double percent, double host_percent)
{
	collect->options.budget_percent = percent;
	collect->options.host_budget_percent = host_percent;
}

int pw_collect_fd(const struct pw_collect *collect)
{
	return collect->epoll_fd;
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
	return pw_govern_groups(entry) & entry->groups;
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

void pw_collect_pump(struct pw_collect *collect, struct pw_collect_entry *entry)
{
	unsigned int wanted = wanted_groups(entry);

	if (entry->in_flight || entry->attachment->attached == wanted)
		return;
	entry->in_flight = true;
	pw_attach_worker_submit(collect->worker, entry->attachment, wanted);
}

/* A budget of 0: no event is counted, memory has to do. */
static bool no_probes_wanted(const struct pw_collect_entry *entry)
{
	return !entry->removing && !entry->failed && !entry->replaced && entry->govern.budget == 0;
}

static void say_off(struct pw_collect *collect, struct pw_collect_entry *entry)
{
	if (entry->counts.armed)
		set_armed(collect, entry, false);
	tell(entry, false, "the budget is 0: no probes, all that is known comes from memory");
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
	collect->prices_due |= !entry->counts.armed || entry->removing;
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
	else if (no_probes_wanted(entry))
		say_off(collect, entry);
	else if (!entry->counts.armed && wanted_groups(entry)) {
		entry->retry = (struct pw_retry){0};
		set_armed(collect, entry, true);
		tell(entry, true, entry->remark);
		pw_log_debug(0, "setup: attached %.1f ms",
			     (double)(pw_now_ns() - entry->added_ns) / (double)PW_NS_PER_MS);
	}
	pw_govern_result(collect, entry);
	pw_collect_pump(collect, entry);
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
	if (!r && no_probes_wanted(entry))
		say_off(collect, entry);
	if (!r)
		pw_collect_pump(collect, entry);
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
void pw_collect_try_waiting(struct pw_collect *collect, uint64_t now_ns)
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

void pw_collect_try_failed(struct pw_collect *collect, uint64_t now_ns)
{
	pw_vec_foreach (&collect->entries, each) {
		struct pw_collect_entry *entry = *each;

		if (entry->failed && !entry->removing && !entry->replaced && is_idle(entry) &&
		    pw_retry_due(&entry->retry, now_ns))
			entry->failed = false; /* wanted again: pump sees to it */
	}
}

/* The probes that measured the price of a hit are off; later: the rest has been measured. */
static void take_calibration(struct pw_collect *collect, const struct pw_attach_job *job)
{
	struct pw_calibration *calibration = &collect->calibration;

	if (!calibration->detached) {
		calibration->detached = true;
		return;
	}
	calibration->done = true;
	pw_child_stop(calibration->child);
	calibration->child = NULL;
	if (job->result < 0) {
		pw_log_debug(job->result, "what stacks and further processes cost is not known: %s",
			     pw_why_text(&job->why, job->result));
		return;
	}
	collect->cost = calibration->cost;
	pw_govern_prices(collect);
}

static int measure_more(void *context, struct pw_why *reterr_why)
{
	struct pw_calibration *calibration = context;

	return pw_cost_measure_more(&calibration->cost, &calibration->setup, reterr_why);
}

void pw_collect_calibrate_more(struct pw_collect *collect)
{
	struct pw_calibration *calibration = &collect->calibration;

	if (calibration->asked || !calibration->detached || collect->stats.polls < PW_COLLECT_CALIBRATE_POLLS)
		return;
	calibration->asked = true;
	calibration->cost = collect->cost;
	pw_attach_worker_submit_work(collect->worker, calibration->attachment, measure_more, calibration);
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
		else if (job.attachment == collect->calibration.attachment)
			take_calibration(collect, &job);
	}
	if (collect->ending)
		return;
	if (ring_buffer__consume(collect->ring) < 0)
		pw_log_debug(0, "the ring buffer could not be read");
	pw_collect_refresh(collect);
	pw_govern_dispatch(collect);
	pw_collect_try_waiting(collect, pw_boot_ns());
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
		pw_collect_pump(collect, entry);
}

static bool is_calibrating(const struct pw_collect *collect)
{
	return collect->calibration.asked && !collect->calibration.done;
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
	while (collect->worker && (collect->entries.count || is_calibrating(collect))) {
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

/* ---- what BPF reports ---- */

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
	if (pw_vec_push(&entry->gc_cycles_incoming, words) < 0)
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
	if (record.event == PW_BPF_OVER_BUDGET)
		entry->govern.over_budget = true;
	if (record.event >= _PW_EVENT_MAX)
		return 0;
	struct pw_gc_event event = {
		.event = (enum pw_event)record.event, .boot_ns = record.boot_ns, .argument = record.argument};
	if (pw_vec_push(&entry->gc_incoming, event) < 0)
		entry->gc_events_lost++;
	return 0;
}
