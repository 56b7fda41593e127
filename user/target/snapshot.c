/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * One look after the other at all goroutines of a process:
 *
 *	census -> what is known from the last look -> stacks -> [frame sizes -> stacks that needed them]
 *	       -> verify -> retry -> show -> what they wait on -> labels
 *
 * A goroutine that has not moved since the last look (goid, sched.sp, trackingSeq) keeps its stack and its age; a busy
 * server with 100,000 parked goroutines has some thousand that did move.
 */
#include "target/snapshot.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/macros.h"
#include "base/time.h"
#include "model/record.h"
#include "reader/reader.h"
#include "target/births.h"
#include "target/snapshot_state.h"
#include "target/sort.h"
#include "target/symbolize.h"
#include "target/target.h"

#define ROUNDS_MAX 16u /* of asking for frame sizes, in one look */

int pw_snapshot_new(struct pw_snapshot **ret_snapshot, struct pw_target *target,
		    const struct pw_snapshot_options *options)
{
	struct pw_snapshot *snapshot = calloc(1, sizeof(*snapshot));
	int r;

	if (!snapshot)
		return -ENOMEM;
	snapshot->target = target;
	snapshot->options = *options;
	snapshot->swapped.fd = -1;
	snapshot->shown.max = snapshot->look.max = snapshot->seen.max = snapshot->seen_next.max = PW_GOROUTINES_MAX;
	snapshot->todo.max = snapshot->missed.max = PW_GOROUTINES_MAX;
	snapshot->most = PW_GOROUTINES_MAX;
	if (options->memory_budget_bytes)
		snapshot->most = PW_MAX(options->memory_budget_bytes / PW_SNAPSHOT_BYTES_PER_ONE, (uint64_t)1);
	snapshot->census = options->census;
	r = snapshot->census ? 0 : pw_census_new(&snapshot->census);
	if (!r && !options->census)
		pw_census_set_max(snapshot->census, (size_t)PW_MIN(snapshot->most, (uint64_t)PW_GOROUTINES_MAX));
	if (!r)
		r = pw_waits_new(&snapshot->waits, target);
	if (!r)
		r = pw_label_set_new(&snapshot->labels, target);
	if (r) {
		pw_snapshot_free(snapshot);
		return r;
	}
	*ret_snapshot = snapshot;
	return 0;
}

static void put_buffers(struct pw_snapshot *snapshot)
{
	free(TAKE_PTR(snapshot->buffer));
	free(TAKE_PTR(snapshot->ranges));
	free(TAKE_PTR(snapshot->scratch));
	snapshot->scratch_capacity = 0;
	pw_swapped_close(&snapshot->swapped);
	pw_snapshot_end_owners(snapshot);
}

void pw_snapshot_free(struct pw_snapshot *snapshot)
{
	if (!snapshot)
		return;
	put_buffers(snapshot);
	if (!snapshot->options.census)
		pw_census_free(snapshot->census);
	pw_waits_free(snapshot->waits);
	pw_label_set_free(snapshot->labels);
	pw_stack_set_done(&snapshot->stacks);
	pw_vec_done(&snapshot->shown);
	pw_vec_done(&snapshot->look);
	pw_vec_done(&snapshot->seen);
	pw_vec_done(&snapshot->seen_next);
	pw_vec_done(&snapshot->todo);
	pw_vec_done(&snapshot->missed);
	free(snapshot);
}

void pw_snapshot_release(struct pw_snapshot *snapshot)
{
	put_buffers(snapshot);
	pw_vec_done(&snapshot->shown);
	pw_vec_done(&snapshot->look);
	pw_vec_done(&snapshot->seen_next);
	pw_vec_done(&snapshot->todo);
	pw_vec_done(&snapshot->missed);
	pw_waits_release(snapshot->waits);
	snapshot->result.goroutines = NULL;
	snapshot->result.count = 0;
}

/* The working memory of a look, given back when it is over. */
static int get_buffers(struct pw_snapshot *snapshot)
{
	put_buffers(snapshot);
	snapshot->buffer = malloc(PW_SNAPSHOT_BUFFER + PW_STACK_READ_MAX);
	snapshot->ranges = malloc(PW_SNAPSHOT_RANGES * sizeof(*snapshot->ranges));
	return snapshot->buffer && snapshot->ranges ? 0 : -ENOMEM;
}

/* Pages that are swapped out are left there, unless the caller sees to that already. */
static bool guard(struct pw_snapshot *snapshot)
{
	if (snapshot->target->mem.swapped)
		return false;
	snapshot->target->mem.swapped = &snapshot->swapped;
	return true;
}

int pw_snapshot_begin(struct pw_snapshot *snapshot)
{
	struct pw_target *target = snapshot->target;
	uint64_t bytes = target->mem.bytes;
	bool guarded;
	int r;

	snapshot->phase = PW_SNAPSHOT_DONE;
	snapshot->result = (struct pw_snapshot_result){.taken_ns = pw_boot_ns(), .previous_ns = snapshot->last_ns};
	if (!target->build || !target->bias_known || !target->symbolizer)
		return -ENOTSUP;
	r = pw_gread_init(&snapshot->plan, &target->build->facts, target->bias);
	if (!r)
		r = get_buffers(snapshot);
	if (r)
		return r;
	if (!target->frozen)
		pw_swapped_open(&snapshot->swapped, target->pid);
	guarded = guard(snapshot);
	snapshot->ran_ns = pw_mem_ran_ns(&target->mem);
	r = pw_census_begin(snapshot->census, target);
	if (guarded)
		target->mem.swapped = NULL;
	if (r)
		return r;
	pw_waits_begin(snapshot->waits);
	pw_label_set_begin(snapshot->labels);
	snapshot->position = snapshot->rounds = 0;
	snapshot->batch = snapshot->cut = 0;
	snapshot->result.bytes_read = target->mem.bytes - bytes;
	snapshot->phase = PW_SNAPSHOT_CENSUS;
	return 0;
}

static void go_to(struct pw_snapshot *snapshot, enum pw_snapshot_phase phase)
{
	snapshot->phase = phase;
	snapshot->position = 0;
}

static bool over_time(const struct pw_snapshot *snapshot)
{
	return snapshot->options.time_budget_ns && snapshot->result.duration_ns > snapshot->options.time_budget_ns;
}

/* What is left of the lists is not read in this look. */
static void give_up_stacks(struct pw_snapshot *snapshot)
{
	pw_snapshot_skip(snapshot, over_time(snapshot) ? PW_SKIP_TIME : PW_SKIP_UNREADABLE,
			 snapshot->todo.count - PW_MIN(snapshot->position, snapshot->todo.count) +
				 snapshot->missed.count);
	pw_vec_reset(&snapshot->missed);
	go_to(snapshot, PW_SNAPSHOT_VERIFY);
}

/* Waits for the reader's frame sizes, and goes on where it was. */
static void ask(struct pw_snapshot *snapshot, enum pw_snapshot_phase resume)
{
	snapshot->resume = resume;
	snapshot->phase = PW_SNAPSHOT_ASK; /* position stays */
}

static int step_stacks(struct pw_snapshot *snapshot)
{
	int r = over_time(snapshot) ? 0 : pw_snapshot_step_stacks(snapshot);

	if (r)
		return r;
	if (over_time(snapshot))
		give_up_stacks(snapshot);
	else if (snapshot->missed.count)
		ask(snapshot, PW_SNAPSHOT_STACKS);
	else
		go_to(snapshot, PW_SNAPSHOT_VERIFY);
	return 0;
}

/* Puts those that missed a frame size in front of what is left of the list. */
static int list_missed(struct pw_snapshot *snapshot)
{
	size_t left = snapshot->todo.count - snapshot->position, missed = snapshot->missed.count;

	/* Both are ascending, and the missed ones come from before position: there is room for them. */
	memmove(snapshot->todo.items + missed, snapshot->todo.items + snapshot->position, left * sizeof(uint64_t));
	memcpy(snapshot->todo.items, snapshot->missed.items, missed * sizeof(uint64_t));
	snapshot->todo.count = missed + left;
	pw_vec_reset(&snapshot->missed);
	go_to(snapshot, PW_SNAPSHOT_STACKS);
	return pw_snapshot_sort(snapshot, snapshot->todo.items, missed);
}

/* 0, -EAGAIN: the reader has not answered yet. */
static int step_ask(struct pw_snapshot *snapshot)
{
	int r = pw_symbolizer_flush(snapshot->target->symbolizer);

	bool enough = over_time(snapshot);

	if (r && r != -EAGAIN)
		return r;
	if (!enough && pw_symbolizer_busy(snapshot->target->symbolizer))
		return -EAGAIN;
	enough |= ++snapshot->rounds > ROUNDS_MAX;
	if (snapshot->resume == PW_SNAPSHOT_RETRY) {
		snapshot->last_retry = enough;
		go_to(snapshot, PW_SNAPSHOT_RETRY);
		return 0;
	}
	if (!enough)
		return list_missed(snapshot);
	give_up_stacks(snapshot);
	return 0;
}

static int step_census(struct pw_snapshot *snapshot)
{
	int r = pw_census_step(snapshot->census, 0);

	if (r == -EAGAIN && over_time(snapshot)) {
		snapshot->cut = pw_census_cut(snapshot->census);
		pw_snapshot_skip(snapshot, PW_SKIP_TIME, snapshot->cut);
		r = 0;
	}
	if (!r)
		r = pw_snapshot_list(snapshot);
	if (!r)
		go_to(snapshot, PW_SNAPSHOT_STACKS);
	return r;
}

static int step_verify(struct pw_snapshot *snapshot)
{
	int r = 0;

	if (over_time(snapshot))
		pw_snapshot_cut_verify(snapshot);
	else
		r = pw_snapshot_step_verify(snapshot);
	if (!r)
		go_to(snapshot, PW_SNAPSHOT_RETRY);
	return r;
}

static int step_retry(struct pw_snapshot *snapshot)
{
	int r = 0;

	if (over_time(snapshot))
		pw_snapshot_cut_retry(snapshot);
	else
		r = pw_snapshot_step_retry(snapshot);
	if (!r && snapshot->any_asked) {
		snapshot->any_asked = false;
		ask(snapshot, PW_SNAPSHOT_RETRY);
	} else if (!r) {
		go_to(snapshot, PW_SNAPSHOT_SHOW);
	}
	return r;
}

static int step_waits(struct pw_snapshot *snapshot)
{
	int r;

	if (over_time(snapshot) && !snapshot->result.waits_cut) {
		snapshot->result.waits_cut = true;
		pw_waits_cut(snapshot->waits);
	}
	r = pw_waits_step(snapshot->waits, snapshot->shown.items);
	snapshot->result.locks_unseen = !pw_waits_sees_locks(snapshot->waits);
	if (!r)
		go_to(snapshot, snapshot->result.waits_cut ? PW_SNAPSHOT_LABELS : PW_SNAPSHOT_OWNERS);
	return r;
}

static int step_labels(struct pw_snapshot *snapshot)
{
	size_t end = PW_MIN(snapshot->position + 1024, snapshot->look.count);

	if (over_time(snapshot)) {
		snapshot->result.labels_cut = true;
		return 0;
	}
	for (; snapshot->position < end; snapshot->position++) {
		const struct pw_look *look = &snapshot->look.items[snapshot->position];
		struct pw_snapshot_goroutine *shown;
		int r;

		if (look->left_out)
			continue;
		shown = &snapshot->shown.items[look->shown];
		r = pw_label_set_read(snapshot->labels, snapshot->goroutines[snapshot->position].labels,
				      &shown->first_label, &shown->label_count);
		if (r)
			return r;
	}
	return end < snapshot->look.count ? -EAGAIN : 0;
}

/* 0: on to the next phase, which is set; -EAGAIN more of this one. */
static int step(struct pw_snapshot *snapshot)
{
	int r;

	switch (snapshot->phase) {
	case PW_SNAPSHOT_CENSUS:
		return step_census(snapshot);
	case PW_SNAPSHOT_STACKS:
		return step_stacks(snapshot);
	case PW_SNAPSHOT_ASK:
		return step_ask(snapshot);
	case PW_SNAPSHOT_VERIFY:
		return step_verify(snapshot);
	case PW_SNAPSHOT_RETRY:
		return step_retry(snapshot);
	case PW_SNAPSHOT_SHOW:
		r = pw_snapshot_step_show(snapshot);
		if (!r)
			go_to(snapshot, snapshot->options.waits ? PW_SNAPSHOT_WAITS : PW_SNAPSHOT_LABELS);
		return r;
	case PW_SNAPSHOT_WAITS:
		return step_waits(snapshot);
	case PW_SNAPSHOT_OWNERS:
		r = over_time(snapshot) ? 0 : pw_snapshot_step_owners(snapshot);
		if (!r)
			go_to(snapshot, PW_SNAPSHOT_LABELS);
		return r;
	case PW_SNAPSHOT_LABELS:
		r = snapshot->options.labels ? step_labels(snapshot) : 0;
		if (r)
			return r;
		pw_snapshot_publish(snapshot);
		go_to(snapshot, PW_SNAPSHOT_DONE);
		return 0;
	case PW_SNAPSHOT_DONE:
		break;
	}
	return 0;
}

int pw_snapshot_step(struct pw_snapshot *snapshot, uint64_t budget_ns)
{
	uint64_t start = pw_now_ns(), last = start, now, bytes = snapshot->target->mem.bytes;
	bool guarded = guard(snapshot);
	int r = 0;

	while (snapshot->phase != PW_SNAPSHOT_DONE) {
		r = step(snapshot);
		now = pw_now_ns();
		snapshot->result.duration_ns += now - last;
		last = now;
		if ((r && r != -EAGAIN) || now - start >= budget_ns)
			break;
		if (r == -EAGAIN && snapshot->phase == PW_SNAPSHOT_ASK)
			break; /* it is the reader's turn */
	}
	if (guarded)
		snapshot->target->mem.swapped = NULL;
	snapshot->result.bytes_read += snapshot->target->mem.bytes - bytes;
	if ((!r || r == -EAGAIN) && snapshot->phase != PW_SNAPSHOT_DONE)
		return -EAGAIN;
	put_buffers(snapshot);
	if (r)
		snapshot->phase = PW_SNAPSHOT_DONE;
	return r;
}

int pw_snapshot_look(struct pw_snapshot *snapshot)
{
	uint64_t start;
	int r = pw_snapshot_begin(snapshot);

	if (r)
		return r;
	while ((r = pw_snapshot_step(snapshot, UINT64_MAX)) == -EAGAIN) {
		start = pw_now_ns();
		r = pw_symbolizer_settle(snapshot->target->symbolizer);
		if (r)
			return r;
		snapshot->result.duration_ns += pw_now_ns() - start;
	}
	return r;
}

bool pw_snapshot_asking(const struct pw_snapshot *snapshot)
{
	return snapshot->phase == PW_SNAPSHOT_ASK && pw_symbolizer_busy(snapshot->target->symbolizer);
}

const struct pw_snapshot_result *pw_snapshot_result(const struct pw_snapshot *snapshot)
{
	return &snapshot->result;
}
