/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 *	g.waiting -> sudog {g, next, c or elem, waitlink} -> hchan {qcount, dataqsiz, closed, recvq, sendq}
 *	                 next: the queue of that channel      waitlink: the other cases of a select
 *
 * Every goroutine in a queue of a channel is parked, so its length is that of those who are: no queue is walked.
 *Whether a case of a select receives or sends no sudog tells, but only one of the two queues has anybody in it: whoever
 *comes to the other one is served at once. (But for a select that does both on one channel: then both are unknown.)
 *
 * What a goroutine waits on stays the same as long as it waits, so it is read once only: object is that of the last
 *look.
 */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/macros.h"
#include "model/record.h"
#include "target/gread.h"
#include "target/target.h"
#include "target/waits_state.h"

#define STRUCT_SIZE_MAX 512

const char *pw_wait_kind_name(enum pw_wait_kind kind)
{
	static const char *const names[] = {
		[PW_WAIT_NONE] = "",	       [PW_WAIT_CHANNEL] = "channel",
		[PW_WAIT_SELECT] = "select",   [PW_WAIT_SEMAPHORE] = "semaphore",
		[PW_WAIT_NETWORK] = "network", [PW_WAIT_TIMER] = "timer",
	};

	_Static_assert(ARRAY_SIZE(names) == _PW_WAIT_KIND_MAX, "a name for each kind");
	return (unsigned int)kind < _PW_WAIT_KIND_MAX ? names[kind] : "";
}

/* Reasons by their beginning: "chan receive (synctest)", "(durable)" wait on the same things. */
static const struct {
	const char *prefix;
	uint8_t kind;
} reasons[] = {
	{"chan receive", PW_WAIT_CHANNEL},
	{"chan send", PW_WAIT_CHANNEL},
	{"select", PW_WAIT_SELECT},
	{"semacquire", PW_WAIT_SEMAPHORE},
	{"sync.Mutex.Lock", PW_WAIT_SEMAPHORE},
	{"sync.RWMutex.", PW_WAIT_SEMAPHORE},
	{"sync.WaitGroup.Wait", PW_WAIT_SEMAPHORE},
	{"sync.Cond.Wait", PW_WAIT_SEMAPHORE},
	{"IO wait", PW_WAIT_NETWORK},
	{"sleep", PW_WAIT_TIMER},
};

/* Those with an owner. The first that fits. */
static const struct {
	const char *prefix;
	uint8_t at;
} locks[] = {
	{"sync.Mutex.", 4},
	{"sync.RWMutex.R", 12},
	{"sync.RWMutex.", 8},
	{"semacquire", 0},
};

static void set_kinds(struct pw_waits *waits)
{
	const struct pw_wait_reasons *names = &waits->target->build->facts.wait_reasons;

	for (size_t i = 0; i < names->count && i < PW_WAIT_REASONS_MAX; i++) {
		for (size_t k = 0; k < ARRAY_SIZE(reasons); k++)
			if (strncmp(names->name[i], reasons[k].prefix, strlen(reasons[k].prefix)) == 0)
				waits->kinds[i] = reasons[k].kind;
		waits->nil[i] = strstr(names->name[i], "(nil chan)") || strstr(names->name[i], "(no cases)");
		for (size_t k = 0; k < ARRAY_SIZE(locks); k++) {
			if (waits->lock[i] || strncmp(names->name[i], locks[k].prefix, strlen(locks[k].prefix)) != 0)
				continue;
			waits->lock[i] = true;
			waits->lock_at[i] = locks[k].at;
		}
		waits->sends[i] = strncmp(names->name[i], "chan send", 9) == 0;
		waits->cond[i] = strncmp(names->name[i], "sync.Cond.Wait", 14) == 0;
	}
}

static void set_fields(struct pw_waits *waits)
{
	const struct pw_layout *layout = &waits->target->build->facts.layout;

#define FIELD(name) pw_field_offset(layout, PW_FIELD_##name, STRUCT_SIZE_MAX - 8)
	waits->field = (struct pw_waits_fields){
		.sudog_g = FIELD(SUDOG_G),
		.sudog_next = FIELD(SUDOG_NEXT),
		.sudog_prev = FIELD(SUDOG_PREV),
		.sudog_elem = FIELD(SUDOG_ELEM),
		.sudog_waitlink = FIELD(SUDOG_WAITLINK),
		.sudog_c = FIELD(SUDOG_C),
		.sudog_size = FIELD(SUDOG_SIZE),
		.qcount = FIELD(HCHAN_QCOUNT),
		.dataqsiz = FIELD(HCHAN_DATAQSIZ),
		.closed = FIELD(HCHAN_CLOSED),
		.recvq = FIELD(HCHAN_RECVQ_FIRST),
		.sendq = FIELD(HCHAN_SENDQ_FIRST),
		.hchan_size = FIELD(HCHAN_SIZE),
		.treap = FIELD(SEMAROOT_TREAP),
		.fd = FIELD(POLLDESC_FD),
		.rg = FIELD(POLLDESC_RG),
		.wg = FIELD(POLLDESC_WG),
		.rd = FIELD(POLLDESC_RD),
		.wd = FIELD(POLLDESC_WD),
		.self = FIELD(POLLDESC_SELF),
		.poll_size = FIELD(POLLDESC_SIZE),
		.p_timers = pw_field_offset(layout, PW_FIELD_P_TIMERS, PW_P_SIZE_MAX),
		.timers_heap = FIELD(TIMERS_HEAP),
		.when = FIELD(TIMER_WHEN),
		.period = FIELD(TIMER_PERIOD),
		.arg = FIELD(TIMER_ARG),
		.nextwhen = FIELD(TIMER_NEXTWHEN),
		.timer_state = FIELD(TIMER_STATE),
		.timer_size = FIELD(TIMER_SIZE),
	};
#undef FIELD
	waits->semaphores_by_sudog = layout->go_minor >= 26; /* src/runtime/sema.go:semacquire1, go1.26 */
}

int pw_waits_new(struct pw_waits **ret_waits, struct pw_target *target)
{
	struct pw_waits *waits = calloc(1, sizeof(*waits));

	if (!waits)
		return -ENOMEM;
	waits->target = target;
	waits->cases.max = waits->frontier.max = waits->frontier_of.max = PW_WAIT_SUDOGS_MAX;
	waits->next_frontier.max = waits->next_frontier_of.max = PW_WAIT_SUDOGS_MAX;
	waits->cond_words.max = PW_WAIT_SUDOGS_MAX;
	waits->around.max = (1 + 2 * PW_WAIT_AROUND) * PW_GOROUTINES_MAX;
	set_kinds(waits);
	set_fields(waits);
	*ret_waits = waits;
	return 0;
}

void pw_waits_release(struct pw_waits *waits)
{
	pw_vec_done(&waits->waiters);
	pw_vec_done(&waits->frontier);
	pw_vec_done(&waits->frontier_of);
	pw_vec_done(&waits->next_frontier);
	pw_vec_done(&waits->next_frontier_of);
	pw_vec_done(&waits->cases);
	pw_vec_done(&waits->channel_addrs);
	pw_vec_done(&waits->channels);
	pw_addr_map_done(&waits->channel_at);
	pw_addr_map_done(&waits->semaphore_of);
	pw_vec_done(&waits->semaphores);
	pw_addr_map_done(&waits->semaphore_at);
	pw_vec_done(&waits->semaphore_addrs);
	pw_vec_done(&waits->counts);
	pw_vec_done(&waits->around);
	pw_vec_done(&waits->words);
	pw_vec_done(&waits->polls);
	pw_addr_map_done(&waits->poll_of);
	pw_vec_done(&waits->cond_words);
	pw_addr_map_done(&waits->cond_of);
	pw_vec_done(&waits->cond_lists);
	pw_addr_map_done(&waits->cond_seen);
	pw_vec_done(&waits->timers);
	pw_addr_map_done(&waits->timer_of);
}

void pw_waits_free(struct pw_waits *waits)
{
	if (!waits)
		return;
	pw_waits_release(waits);
	free(waits);
}

void pw_waits_begin(struct pw_waits *waits)
{
	waits->phase = PW_WAITS_SUDOGS;
	waits->error = 0;
	waits->any_lock = false;
	pw_vec_reset(&waits->waiters);
	pw_vec_reset(&waits->frontier);
	pw_vec_reset(&waits->frontier_of);
	pw_vec_reset(&waits->cases);
	pw_vec_reset(&waits->channels);
	pw_vec_reset(&waits->channel_addrs);
	pw_vec_reset(&waits->channels);
	pw_addr_map_reset(&waits->channel_at);
	pw_addr_map_reset(&waits->semaphore_of);
	pw_vec_reset(&waits->semaphores);
	pw_addr_map_reset(&waits->semaphore_at);
	pw_vec_reset(&waits->semaphore_addrs);
	pw_vec_reset(&waits->counts);
	pw_vec_reset(&waits->around);
	pw_vec_reset(&waits->words);
	pw_vec_reset(&waits->polls);
	pw_addr_map_reset(&waits->poll_of);
	pw_vec_reset(&waits->cond_words);
	pw_addr_map_reset(&waits->cond_of);
	pw_vec_reset(&waits->cond_lists);
	pw_addr_map_reset(&waits->cond_seen);
	waits->cond_steps = 0;
	pw_vec_reset(&waits->timers);
	pw_addr_map_reset(&waits->timer_of);
}

int pw_waits_reserve(struct pw_waits *waits, size_t count)
{
	int r = pw_vec_reserve(&waits->waiters, count);

	if (!r)
		r = pw_vec_reserve(&waits->frontier, count);
	return r ? r : pw_vec_reserve(&waits->frontier_of, count);
}

uint64_t pw_waits_word(const uint8_t *bytes, int32_t at)
{
	uint64_t word;

	memcpy(&word, bytes + at, sizeof(word));
	return word;
}

bool pw_waits_plausible(const struct pw_goroutine *g, uint64_t word)
{
	return word >= 4096 && word % 8 == 0 && word < PW_USER_ADDRESS_MAX &&
	       (word < g->stack_lo || word >= g->stack_hi);
}

void pw_waits_stack(struct pw_waits *waits, const struct pw_goroutine *g, const uint8_t *bytes, size_t size)
{
	if (g->status != PW_GOROUTINE_WAITING)
		return;
	if (waits->kinds[g->wait_reason] == PW_WAIT_NETWORK)
		pw_waits_stack_poll(waits, g, bytes, size);
	else if (waits->cond[g->wait_reason] && !waits->semaphores_by_sudog)
		pw_waits_stack_cond(waits, g, bytes, size);
}

bool pw_waits_for_any_lock(const struct pw_waits *waits)
{
	return waits->any_lock;
}

bool pw_waits_sees_locks(const struct pw_waits *waits)
{
	const struct pw_waits_fields *field = &waits->field;
	const struct pw_globals *globals = &waits->target->build->facts.globals;

	if (field->sudog_g < 0 || field->sudog_elem < 0 || field->sudog_waitlink < 0 || field->sudog_size <= 0)
		return false;
	return waits->semaphores_by_sudog ? field->sudog_c >= 0
					  : field->treap >= 0 && field->sudog_prev >= 0 && field->sudog_next >= 0 &&
						    globals->addr[PW_GLOBAL_SEMTABLE] != 0;
}

bool pw_waits_for_lock(const struct pw_waits *waits, uint8_t reason)
{
	return waits->lock[reason];
}

bool pw_waits_lock_begins(const struct pw_waits *waits, uint8_t reason, uint8_t before)
{
	return waits->lock[reason] && (!waits->lock_at[reason] || waits->lock_at[reason] == before);
}

bool pw_waits_in_cond(const struct pw_waits *waits, const struct pw_goroutine *g)
{
	return g->status == PW_GOROUTINE_WAITING && waits->cond[g->wait_reason];
}

static bool needs_sudog(const struct pw_waits *waits, uint8_t kind)
{
	return kind == PW_WAIT_CHANNEL || kind == PW_WAIT_SELECT ||
	       (kind == PW_WAIT_SEMAPHORE && waits->semaphores_by_sudog);
}

int pw_waits_add(struct pw_waits *waits, size_t index, const struct pw_goroutine *g, uint64_t object,
		 struct pw_wait *ret_wait)
{
	struct pw_waiter waiter = {.g = g->addr,
				   .index = (uint32_t)index,
				   .channel = UINT32_MAX,
				   .timer = UINT32_MAX,
				   .reason = g->wait_reason};
	uint32_t at = (uint32_t)waits->waiters.count;
	int r;

	*ret_wait = (struct pw_wait){
		.length = PW_UNKNOWN, .capacity = PW_UNKNOWN, .receivers = PW_UNKNOWN, .senders = PW_UNKNOWN, .fd = -1};
	if (g->status != PW_GOROUTINE_WAITING && g->status != PW_GOROUTINE_LEAKED)
		return 0;
	waiter.kind = ret_wait->kind = waits->kinds[g->wait_reason];
	ret_wait->nil = waits->nil[g->wait_reason];
	ret_wait->lock = waits->lock[g->wait_reason];
	ret_wait->lock_sure = waits->lock_at[g->wait_reason] != 0;
	if (ret_wait->nil)
		ret_wait->known = true;
	ret_wait->deadline_ns = -1;
	if (ret_wait->nil || ret_wait->kind == PW_WAIT_NONE)
		return 0;
	if (waiter.kind == PW_WAIT_CHANNEL || (waiter.kind == PW_WAIT_SEMAPHORE && !waits->cond[g->wait_reason]))
		waiter.object = object;
	waits->any_lock |= waits->lock[g->wait_reason];
	r = pw_vec_push(&waits->waiters, waiter);
	if (!r && waiter.kind == PW_WAIT_NETWORK && object)
		r = pw_vec_push(&waits->words, ((struct pw_poll_word){object, g->addr, PW_WAIT_WORDS_MAX}));
	if (!r && waits->cond[g->wait_reason] && !waits->semaphores_by_sudog && object)
		r = pw_waits_recall_cond(waits, g, object);
	if (!r && needs_sudog(waits, waiter.kind) && g->waiting && !waiter.object) {
		r = pw_vec_push(&waits->frontier, g->waiting);
		if (!r)
			r = pw_vec_push(&waits->frontier_of, (struct pw_link){.waiter = at});
	}
	return r;
}

/* ---- sudogs ---- */

/* The next sudog of a select, unless its chain is a cycle (Brent's: it meets a mark that is set further and further).
 */
static int follow(struct pw_waits *waits, struct pw_link link, uint64_t addr, uint64_t next)
{
	int r;

	if (!next || next == link.mark)
		return 0;
	if ((link.steps & (link.steps + 1)) == 0)
		link.mark = addr;
	link.steps++;
	r = pw_vec_push(&waits->next_frontier, next);
	return r ? r : pw_vec_push(&waits->next_frontier_of, link);
}

static void take_sudog(void *context, uint32_t item, uint64_t addr, const uint8_t *bytes)
{
	struct pw_waits *waits = context;
	const struct pw_waits_fields *field = &waits->field;
	struct pw_link link = waits->frontier_of.items[item];
	struct pw_waiter *waiter = &waits->waiters.items[link.waiter];
	uint64_t object;

	if (pw_waits_word(bytes, field->sudog_g) != waiter->g || addr == link.mark)
		return; /* not its own, or not any more; a cycle */
	object = pw_waits_word(bytes, waiter->kind == PW_WAIT_SEMAPHORE ? field->sudog_elem : field->sudog_c);
	if (!waiter->object)
		waiter->object = object;
	if (waiter->kind != PW_WAIT_SELECT || !object)
		return;
	waiter->cases = (uint16_t)PW_MIN(waiter->cases + 1, UINT16_MAX);
	if (pw_vec_push(&waits->cases, ((struct pw_case){object, link.waiter})) ||
	    follow(waits, link, addr, pw_waits_word(bytes, field->sudog_waitlink)))
		waits->error = -E2BIG;
}

/* One link of all chains. 0 all are read, -EAGAIN more. */
static int step_sudogs(struct pw_waits *waits)
{
	const struct pw_waits_fields *field = &waits->field;
	size_t count = PW_MIN(waits->frontier.count, (size_t)PW_GOROUTINES_MAX);
	int r;

	if (field->sudog_g < 0 || field->sudog_elem < 0 || field->sudog_waitlink < 0 || field->sudog_c < 0 ||
	    field->sudog_size <= 0)
		return 0;
	pw_vec_reset(&waits->next_frontier);
	pw_vec_reset(&waits->next_frontier_of);
	r = pw_gather(&waits->target->mem, waits->frontier.items, count, (uint32_t)field->sudog_size, take_sudog,
		      waits);
	if (r)
		return r;
	waits->frontier.count = waits->frontier_of.count = 0;
	for (size_t i = 0; i < waits->next_frontier.count; i++)
		if (pw_vec_push(&waits->frontier, waits->next_frontier.items[i]) ||
		    pw_vec_push(&waits->frontier_of, waits->next_frontier_of.items[i]))
			return 0;
	return waits->frontier.count && !waits->error ? -EAGAIN : 0;
}

/* ---- channels ---- */

static void take_channel(void *context, uint32_t item, uint64_t addr, const uint8_t *bytes)
{
	struct pw_waits *waits = context;
	const struct pw_waits_fields *field = &waits->field;
	struct pw_channel *channel = &waits->channels.items[item];
	uint32_t closed;

	(void)addr;
	memcpy(&closed, bytes + field->closed, sizeof(closed));
	channel->length = pw_waits_word(bytes, field->qcount);
	channel->capacity = pw_waits_word(bytes, field->dataqsiz);
	channel->closed = closed != 0;
	channel->any_receiver = pw_waits_word(bytes, field->recvq) != 0;
	channel->any_sender = pw_waits_word(bytes, field->sendq) != 0;
	channel->known = channel->length <= channel->capacity && closed <= 1;
}

/* Each once. */
static int list_channel(struct pw_waits *waits, uint64_t addr, uint32_t *ret_index)
{
	uint32_t next = (uint32_t)waits->channels.count;
	int r;

	*ret_index = pw_addr_map_add(&waits->channel_at, addr, next);
	if (*ret_index != next)
		return *ret_index == UINT32_MAX ? -ENOMEM : 0;
	r = pw_vec_push(&waits->channel_addrs, addr);
	return r ? r : pw_vec_push(&waits->channels, (struct pw_channel){});
}

/* All channels that somebody waits on, and how many do. */
static int count_waiters(struct pw_waits *waits)
{
	const struct pw_waiter *last = NULL; /* neighbours often wait on one channel */
	int r;

	pw_vec_foreach (&waits->waiters, waiter) {
		struct pw_channel *channel;

		if ((waiter->kind != PW_WAIT_CHANNEL && waiter->kind != PW_WAIT_SELECT) || !waiter->object)
			continue;
		if (last && last->object == waiter->object) {
			waiter->channel = last->channel;
		} else {
			r = list_channel(waits, waiter->object, &waiter->channel);
			if (r)
				return r;
		}
		last = waiter;
		channel = &waits->channels.items[waiter->channel];
		if (waiter->kind == PW_WAIT_CHANNEL && waits->sends[waiter->reason])
			channel->senders++;
		else if (waiter->kind == PW_WAIT_CHANNEL)
			channel->receivers++;
	}
	pw_vec_foreach (&waits->cases, one) {
		uint32_t i;

		r = list_channel(waits, one->channel, &i);
		if (r)
			return r;
		waits->channels.items[i].cases++;
	}
	return 0;
}

static int read_channels(struct pw_waits *waits)
{
	const struct pw_waits_fields *field = &waits->field;
	int r;

	if (field->qcount < 0 || field->dataqsiz < 0 || field->closed < 0 || field->recvq < 0 || field->sendq < 0 ||
	    field->hchan_size <= 0)
		return 0;
	r = count_waiters(waits);
	if (r && r != -E2BIG)
		return r;
	return pw_gather(&waits->target->mem, waits->channel_addrs.items,
			 PW_MIN(waits->channels.count, (size_t)PW_GOROUTINES_MAX), (uint32_t)field->hchan_size,
			 take_channel, waits);
}

static void fill_channel(const struct pw_waits *waits, const struct pw_waiter *waiter, struct pw_wait *wait)
{
	const struct pw_channel *channel;

	if (waiter->channel >= waits->channels.count || !waits->channels.items[waiter->channel].known)
		return;
	channel = &waits->channels.items[waiter->channel];
	wait->known = true;
	wait->object = waiter->object;
	wait->closed = channel->closed;
	wait->cases = waiter->kind == PW_WAIT_SELECT ? waiter->cases : 0;
	wait->length = channel->length;
	wait->capacity = channel->capacity;
	if (channel->cases && channel->any_receiver && channel->any_sender)
		return;
	wait->receivers = channel->receivers + (channel->any_receiver ? channel->cases : 0);
	wait->senders = channel->senders + (channel->any_sender ? channel->cases : 0);
}

size_t pw_waits_cases(const struct pw_waits *waits, size_t index, struct pw_wait *ret_cases, size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < waits->cases.count; i++) {
		const struct pw_case *one = &waits->cases.items[i];
		struct pw_waiter waiter = waits->waiters.items[one->waiter];

		if (waiter.index != index || count == max)
			continue;
		waiter.kind = PW_WAIT_CHANNEL;
		waiter.object = one->channel;
		waiter.channel = pw_addr_map_find(&waits->channel_at, one->channel);
		ret_cases[count] = (struct pw_wait){.kind = PW_WAIT_CHANNEL,
						    .length = PW_UNKNOWN,
						    .capacity = PW_UNKNOWN,
						    .receivers = PW_UNKNOWN,
						    .senders = PW_UNKNOWN,
						    .fd = -1,
						    .deadline_ns = -1};
		fill_channel(waits, &waiter, &ret_cases[count]);
		pw_waits_fill_timer(waits, &waiter, &ret_cases[count++]);
	}
	return count;
}

static void fill(struct pw_waits *waits, struct pw_snapshot_goroutine *shown)
{
	pw_vec_foreach (&waits->waiters, waiter) {
		struct pw_wait *wait = &shown[waiter->index].wait;

		if (waiter->kind == PW_WAIT_NETWORK)
			pw_waits_fill_poll(waits, waiter, wait);
		else if (waiter->kind == PW_WAIT_SEMAPHORE)
			pw_waits_fill_semaphore(waits, waiter, wait);
		else if (waiter->kind != PW_WAIT_TIMER)
			fill_channel(waits, waiter, wait);
		pw_waits_fill_timer(waits, waiter, wait);
	}
}

void pw_waits_cut(struct pw_waits *waits)
{
	waits->phase = PW_WAITS_DONE;
}

int pw_waits_step(struct pw_waits *waits, struct pw_snapshot_goroutine *shown)
{
	int r = 0;

	switch (waits->phase) {
	case PW_WAITS_SUDOGS:
		r = step_sudogs(waits);
		break;
	case PW_WAITS_CHANNELS:
		r = read_channels(waits);
		break;
	case PW_WAITS_SEMAPHORES:
		r = waits->semaphores_by_sudog ? 0 : pw_waits_read_semtable(waits);
		if (!r && !waits->semaphores_by_sudog)
			r = pw_waits_read_conds(waits);
		if (!r)
			r = pw_waits_count_semaphores(waits);
		break;
	case PW_WAITS_POLL:
		r = pw_waits_read_polls(waits);
		break;
	case PW_WAITS_TIMERS:
		r = pw_waits_read_timers(waits);
		break;
	case PW_WAITS_DONE:
		fill(waits, shown);
		return 0;
	}
	if (r)
		return r;
	waits->phase++;
	return -EAGAIN;
}
