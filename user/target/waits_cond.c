/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * Who waits on which sync.Cond before Go 1.26, where no g leads there. sync.(*Cond).Wait keeps the Cond on its stack,
 * and runtime.notifyListWait its list:
 *
 *	a word of the stack -> Cond {L, notify} at +16, notifyList, or its lock at +8
 *	notifyList {wait, notify uint32; lock; head, tail *sudog} -> head -> next -> ... one of them is this goroutine's
 *
 * (src/sync/cond.go, src/runtime/sema.go:notifyList; the same from 1.17 to 1.27.) A list is believed only if a sudog in
 * it is that goroutine's, so words may be tried; which word it is, is the same for all goroutines of a build and
 *learnt.
 */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/macros.h"
#include "target/target.h"
#include "target/waits_state.h"

#define LEARN_WORDS 512u /* so many and no place is known yet: look at them before there are more */
#define SUDOG_MAX   512

/* notifyList */
#define LIST_NOTIFY 4
#define LIST_HEAD   16
#define LIST_TAIL   24
#define LIST_SIZE   32u

static const int64_t leads[] = {0, 16, -8}; /* from the word to the list */
_Static_assert(ARRAY_SIZE(leads) * PW_WAIT_WORDS_MAX == PW_WAITS_COND_PLACES, "a place for each word and lead");

struct list {
	uint64_t addr, head;
};

struct lists {
	struct pw_waits *waits;
	PW_VEC(struct list) found;
	PW_VEC(uint64_t) addrs;
	struct pw_addr_map seen; /* address -> addrs */
	int error;
};

static void take_list(void *context, uint32_t item, uint64_t addr, const uint8_t *bytes)
{
	struct lists *lists = context;
	uint64_t head = pw_waits_word(bytes, LIST_HEAD), tail = pw_waits_word(bytes, LIST_TAIL);
	uint32_t wait, notify;

	(void)item;
	memcpy(&wait, bytes, sizeof(wait));
	memcpy(&notify, bytes + LIST_NOTIFY, sizeof(notify));
	if (!head || !tail || head % 8 || tail % 8 || wait == notify || wait - notify > PW_GOROUTINES_MAX)
		return; /* tickets wrap around; none out, none waits */
	if (pw_vec_push(&lists->found, ((struct list){addr, head})))
		lists->error = -E2BIG;
}

/* Notes who waits in a list. 0, -ESRCH, -EPERM, -ENOMEM. */
static int walk(struct pw_waits *waits, const struct list *list)
{
	const struct pw_waits_fields *field = &waits->field;
	uint32_t number = (uint32_t)waits->cond_lists.count;
	uint64_t next;
	int r = pw_vec_push(&waits->cond_lists, list->addr);

	for (uint64_t at = list->head; !r && at && at % 8 == 0 && waits->cond_steps < PW_WAIT_COND_STEPS_MAX;
	     at = next) {
		uint32_t mark = (uint32_t)waits->cond_seen.count;
		uint8_t bytes[SUDOG_MAX];
		uint64_t g;

		waits->cond_steps++;
		if (pw_addr_map_find(&waits->cond_seen, at) != UINT32_MAX)
			break; /* a cycle, or two lists that share an end */
		r = pw_mem_read(&waits->target->mem, at, bytes, (size_t)field->sudog_size);
		if (r == -EFAULT)
			return 0;
		if (r)
			break;
		g = pw_waits_word(bytes, field->sudog_g);
		next = pw_waits_word(bytes, field->sudog_next);
		if (!g || pw_waits_word(bytes, field->sudog_c) || pw_waits_word(bytes, field->sudog_elem))
			break; /* of a channel, or no sudog at all */
		if (pw_addr_map_add(&waits->cond_seen, at, mark) == UINT32_MAX ||
		    pw_addr_map_add(&waits->cond_of, g, number) == UINT32_MAX)
			return -ENOMEM;
	}
	return r;
}

static bool knows_fields(const struct pw_waits *waits)
{
	const struct pw_waits_fields *field = &waits->field;

	return field->sudog_g >= 0 && field->sudog_next >= 0 && field->sudog_c >= 0 && field->sudog_elem >= 0 &&
	       field->sudog_size > 0 && field->sudog_size <= SUDOG_MAX;
}

/* The lists that the words lead to, each once. */
static int find_lists(struct pw_waits *waits, struct lists *lists)
{
	pw_vec_foreach (&waits->cond_words, word) {
		uint32_t count = (uint32_t)lists->addrs.count;

		if (pw_addr_map_add(&lists->seen, word->addr, count) != count)
			continue;
		if (pw_vec_push(&lists->addrs, word->addr))
			return -ENOMEM;
	}
	return pw_gather(&waits->target->mem, lists->addrs.items, PW_MIN(lists->addrs.count, (size_t)PW_GOROUTINES_MAX),
			 LIST_SIZE, take_list, lists);
}

static bool waits_in(const struct pw_waits *waits, const struct pw_cond_word *word)
{
	uint32_t list = pw_addr_map_find(&waits->cond_of, word->g);

	return list < waits->cond_lists.count && waits->cond_lists.items[list] == word->addr;
}

static int look_at_words(struct pw_waits *waits)
{
	struct lists lists = {.waits = waits};
	int r = knows_fields(waits) ? find_lists(waits, &lists) : 0;

	if (!r)
		r = lists.error;
	for (size_t i = 0; i < lists.found.count && !r; i++)
		r = walk(waits, &lists.found.items[i]);
	pw_vec_done(&lists.found);
	pw_vec_done(&lists.addrs);
	pw_addr_map_done(&lists.seen);
	pw_vec_foreach (&waits->cond_words, word)
		if (word->place < PW_WAITS_COND_PLACES && waits_in(waits, word))
			waits->cond_place_known[word->place] = waits->any_cond_place = true;
	pw_vec_reset(&waits->cond_words);
	return r == -E2BIG ? 0 : r;
}

void pw_waits_stack_cond(struct pw_waits *waits, const struct pw_goroutine *g, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < PW_WAIT_WORDS_MAX && (i + 1) * 8 <= size; i++) {
		uint64_t word = pw_waits_word(bytes, (int32_t)(i * 8));

		if (!pw_waits_plausible(g, word))
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(leads); k++) {
			uint8_t place = (uint8_t)(i * ARRAY_SIZE(leads) + k);

			if (waits->any_cond_place && !waits->cond_place_known[place])
				continue;
			if (pw_vec_push(&waits->cond_words,
					((struct pw_cond_word){word + (uint64_t)leads[k], g->addr, place})))
				return;
		}
	}
	if (!waits->any_cond_place && waits->cond_words.count >= LEARN_WORDS)
		waits->error = look_at_words(waits);
}

int pw_waits_recall_cond(struct pw_waits *waits, const struct pw_goroutine *g, uint64_t list)
{
	return pw_vec_push(&waits->cond_words, ((struct pw_cond_word){list, g->addr, PW_WAITS_COND_PLACES}));
}

int pw_waits_read_conds(struct pw_waits *waits)
{
	int r = waits->cond_words.count ? look_at_words(waits) : 0;

	if (r)
		return r;
	pw_vec_foreach (&waits->waiters, waiter) {
		uint32_t list = waits->cond[waiter->reason] ? pw_addr_map_find(&waits->cond_of, waiter->g) : UINT32_MAX;

		if (list < waits->cond_lists.count)
			waiter->object = waits->cond_lists.items[list];
	}
	return 0;
}
