/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * A goroutine that waits for the network is parked in runtime.netpollblock, called with the pollDesc of its file, which
 * runtime.poll_runtime_pollWait keeps on the stack because it looks at it afterwards. So one of the first words of the
 * stack is its address, and it is the right one if its rg or wg (who waits to read, to write) is this very goroutine
 * and its self is itself (src/runtime/netpoll.go): other structures have a g at that place, too. Where the word stands
 * is the same for all goroutines of a build: it is learnt.
 */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/macros.h"
#include "model/record.h"
#include "target/target.h"
#include "target/waits_state.h"

#define LEARN_WORDS 1024u /* so many and no place is known yet: read them before there are more */

static void take_poll(void *context, uint32_t item, uint64_t addr, const uint8_t *bytes)
{
	struct pw_waits *waits = context;
	const struct pw_waits_fields *field = &waits->field;
	struct pw_poll_word word = waits->words.items[item];
	uint64_t fd = pw_waits_word(bytes, field->fd);
	bool reads = pw_waits_word(bytes, field->rg) == word.g, writes = pw_waits_word(bytes, field->wg) == word.g;
	struct pw_poll poll = {.object = addr, .fd = (int32_t)fd};

	if ((!reads && !writes) || fd > INT32_MAX || pw_waits_word(bytes, field->self) != addr)
		return;
	poll.deadline_ns = (int64_t)pw_waits_word(bytes, reads ? field->rd : field->wd);
	if (pw_addr_map_add(&waits->poll_of, word.g, (uint32_t)waits->polls.count) != waits->polls.count)
		return;
	if (pw_vec_push(&waits->polls, poll))
		waits->error = -E2BIG;
	if (word.place < PW_WAIT_WORDS_MAX)
		waits->place_known[word.place] = waits->any_place = true;
}

int pw_waits_read_polls(struct pw_waits *waits)
{
	const struct pw_waits_fields *field = &waits->field;
	size_t count = PW_MIN(waits->words.count, (size_t)PW_GOROUTINES_MAX);
	_cleanup_free_ uint64_t *addrs = malloc((count + !count) * sizeof(*addrs));
	int r = 0;

	if (!addrs)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		addrs[i] = waits->words.items[i].addr;
	if (field->fd >= 0 && field->rg >= 0 && field->wg >= 0 && field->rd >= 0 && field->wd >= 0 &&
	    field->self >= 0 && field->poll_size > 0)
		r = pw_gather(&waits->target->mem, addrs, count, (uint32_t)field->poll_size, take_poll, waits);
	pw_vec_reset(&waits->words);
	return r;
}

void pw_waits_stack_poll(struct pw_waits *waits, const struct pw_goroutine *g, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < PW_WAIT_WORDS_MAX && (i + 1) * 8 <= size; i++) {
		uint64_t word = pw_waits_word(bytes, (int32_t)(i * 8));

		if ((waits->any_place && !waits->place_known[i]) || !pw_waits_plausible(g, word))
			continue;
		if (pw_vec_push(&waits->words, ((struct pw_poll_word){word, g->addr, (uint8_t)i})))
			return;
	}
	if (!waits->any_place && waits->words.count >= LEARN_WORDS)
		waits->error = pw_waits_read_polls(waits);
}

void pw_waits_fill_poll(struct pw_waits *waits, const struct pw_waiter *waiter, struct pw_wait *wait)
{
	uint32_t i = pw_addr_map_find(&waits->poll_of, waiter->g);

	if (i == UINT32_MAX || i >= waits->polls.count)
		return;
	wait->known = true;
	wait->object = waits->polls.items[i].object;
	wait->fd = waits->polls.items[i].fd;
	wait->deadline_ns = waits->polls.items[i].deadline_ns;
}
