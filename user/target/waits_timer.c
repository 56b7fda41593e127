/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * When sleepers wake, and when a timer sends to a channel that somebody waits on:
 *
 *	allp[i].timers -> timer {when, period, arg, state}, arg: the g (time.Sleep) or the channel (Timer, Ticker)
 *
 * A slice of pointers up to Go 1.22; from 1.23 on one of {*timer, when}, where the timer of a channel is only while
 * somebody is blocked on it, and those of synctest's fake time never are (src/runtime/time.go). What arg points to is a
 * waiting goroutine or the channel that it waits on, or the timer is of no interest.
 */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/macros.h"
#include "target/runtime.h"
#include "target/target.h"
#include "target/waits_state.h"

/* timer.status up to 1.22 */
#define STATUS_WAITING 1u
#define STATUS_EARLIER 7u
#define STATUS_LATER   8u
/* timer.state from 1.23 on: flags */
#define STATE_HEAPED 1u
#define STATE_ZOMBIE 4u

struct heap {
	uint64_t addr, length;
};

static bool is_flags(const struct pw_waits *waits)
{
	return waits->field.nextwhen < 0;
}

/* When it fires; 0: it will not, or is being changed just now. */
static int64_t when_of(const struct pw_waits *waits, const uint8_t *bytes)
{
	const struct pw_waits_fields *field = &waits->field;
	uint32_t status;

	if (is_flags(waits)) {
		uint8_t state = bytes[field->timer_state];

		return (state & STATE_HEAPED) && !(state & STATE_ZOMBIE) ? (int64_t)pw_waits_word(bytes, field->when)
									 : 0;
	}
	memcpy(&status, bytes + field->timer_state, sizeof(status));
	if (status == STATUS_WAITING)
		return (int64_t)pw_waits_word(bytes, field->when);
	return status == STATUS_EARLIER || status == STATUS_LATER ? (int64_t)pw_waits_word(bytes, field->nextwhen) : 0;
}

static void take_timer(void *context, uint32_t item, uint64_t addr, const uint8_t *bytes)
{
	struct pw_waits *waits = context;
	uint64_t wakes = pw_waits_word(bytes, waits->field.arg + 8); /* an interface: type, pointer */
	struct pw_timer timer = {when_of(waits, bytes), (int64_t)pw_waits_word(bytes, waits->field.period)};

	(void)item;
	(void)addr;
	if (timer.when_ns <= 0 || timer.period_ns < 0 || wakes < 4096 || wakes % 8)
		return;
	if (pw_addr_map_add(&waits->timer_of, wakes, (uint32_t)waits->timers.count) != waits->timers.count)
		return;
	if (pw_vec_push(&waits->timers, timer))
		waits->error = -E2BIG;
}

/* The timers of one P, behind those in addrs. Unreadable ones are left out. 0, -ESRCH, -EPERM, -ENOMEM. */
static int list_heap(struct pw_waits *waits, const struct heap *heap, uint64_t *addrs, size_t *count)
{
	size_t words = is_flags(waits) ? 2 : 1;
	size_t length = (size_t)PW_MIN(heap->length, (uint64_t)(PW_WAIT_TIMERS_MAX - *count));
	_cleanup_free_ uint64_t *entries = malloc((length + !length) * words * sizeof(*entries));
	int r = entries ? 0 : -ENOMEM;

	if (r || !length || heap->addr % 8)
		return r;
	r = pw_mem_read(&waits->target->mem, heap->addr, entries, length * words * sizeof(*entries));
	if (r)
		return r == -EFAULT ? 0 : r;
	for (size_t i = 0; i < length; i++)
		addrs[(*count)++] = entries[i * words];
	return 0;
}

static int list_timers(struct pw_waits *waits, uint64_t *addrs, size_t *ret_count)
{
	_cleanup_free_ struct pw_runtime_ps *ps = malloc(sizeof(*ps));
	_cleanup_free_ struct pw_mem_range *ranges = calloc(PW_PS_MAX, sizeof(*ranges));
	_cleanup_free_ struct heap *heaps = calloc(PW_PS_MAX, sizeof(*heaps));
	uint64_t heap_at = (uint64_t)waits->field.p_timers + (uint64_t)PW_MAX(waits->field.timers_heap, 0);
	int r = ps && ranges && heaps ? pw_runtime_read_ps(waits->target, ps) : -ENOMEM;

	if (r)
		return r;
	for (size_t i = 0; i < ps->length; i++)
		ranges[i] = (struct pw_mem_range){
			.addr = ps->addr[i] + heap_at, .buffer = &heaps[i], .size = sizeof(heaps[i])};
	r = pw_mem_read_many(&waits->target->mem, ranges, ps->length);
	*ret_count = 0;
	for (size_t i = 0; i < ps->length && r >= 0; i++)
		if (ranges[i].ok)
			r = list_heap(waits, &heaps[i], addrs, ret_count);
	return PW_MIN(r, 0);
}

/* Of the cases of a select the timer that fires first. */
static void time_selects(struct pw_waits *waits)
{
	if (!waits->timers.count)
		return;
	pw_vec_foreach (&waits->cases, one) {
		struct pw_waiter *waiter = &waits->waiters.items[one->waiter];
		uint32_t timer = pw_addr_map_find(&waits->timer_of, one->channel);

		if (timer < waits->timers.count &&
		    (waiter->timer == UINT32_MAX ||
		     waits->timers.items[timer].when_ns < waits->timers.items[waiter->timer].when_ns))
			waiter->timer = timer;
	}
}

static bool wanted(const struct pw_waits *waits)
{
	const struct pw_waits_fields *field = &waits->field;

	if (field->p_timers < 0 || (is_flags(waits) && field->timers_heap < 0) || field->when < 0 ||
	    field->period < 0 || field->arg < 0 || field->timer_state < 0 || field->timer_size <= field->arg + 8 ||
	    field->timer_size <= field->timer_state + 4)
		return false;
	for (size_t i = 0; i < waits->waiters.count; i++) {
		uint8_t kind = waits->waiters.items[i].kind;

		if (kind == PW_WAIT_TIMER || kind == PW_WAIT_CHANNEL || kind == PW_WAIT_SELECT)
			return true;
	}
	return false;
}

int pw_waits_read_timers(struct pw_waits *waits)
{
	_cleanup_free_ uint64_t *addrs = NULL;
	size_t count = 0;
	int r;

	if (!wanted(waits))
		return 0;
	addrs = malloc(PW_WAIT_TIMERS_MAX * sizeof(*addrs));
	r = addrs ? list_timers(waits, addrs, &count) : -ENOMEM;
	if (!r)
		r = pw_gather(&waits->target->mem, addrs, count, (uint32_t)waits->field.timer_size, take_timer, waits);
	if (!r)
		time_selects(waits);
	return r == -ESRCH || r == -EPERM || r == -ENOMEM ? r : 0; /* else no deadline is known */
}

void pw_waits_fill_timer(const struct pw_waits *waits, const struct pw_waiter *waiter, struct pw_wait *wait)
{
	uint32_t i = waiter->timer;

	if (!waits->timers.count)
		return;
	if (waiter->kind == PW_WAIT_TIMER)
		i = pw_addr_map_find(&waits->timer_of, waiter->g);
	else if (waiter->kind == PW_WAIT_CHANNEL && waiter->object)
		i = pw_addr_map_find(&waits->timer_of, waiter->object);
	if (i >= waits->timers.count)
		return;
	wait->deadline_ns = waits->timers.items[i].when_ns;
	wait->period_ns = waits->timers.items[i].period_ns;
	wait->known |= waiter->kind == PW_WAIT_TIMER;
}
