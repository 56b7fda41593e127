/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "observe/heap_naming.h"

#include <errno.h>
#include <string.h>

#include "base/huge.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/vec.h"
#include "model/heap.h"
#include "model/profile.h"
#include "observe/profile_names.h"
#include "target/gather.h"
#include "target/symbolize.h"

#define NONE   UINT32_MAX
#define RECENT 1024U /* addresses that were met last: most stacks share their frames with the one before */

struct named { /* an address */
	uint64_t pc;
	const struct pw_located_frame *frames;
	int count;	/* of frames; 0: it has no name */
	uint32_t frame; /* the first of its frames in the profile, as they are without a caller inlined into it; NONE */
	bool inlined;	/* what stands there is inlined into the next address */
	bool hidden;	/* by runtime/pprof, at the inner end of a stack */
	bool is_outmost; /* runtime.goexit, which every stack ends with and runtime/pprof leaves out */
};

struct recent {
	uint64_t pc;
	uint32_t id;
};

struct pw_heap_naming {
	struct pw_heap_profile *heap; /* borrowed */
	struct pw_addr_map ids;	      /* pc -> index in named */
	struct pw_addr_map inside;    /* (address, address that it is called from inline) -> its first frame */
	PW_VEC(struct named) named;
	uint32_t *numbers; /* parallel to the addresses: of named */
	bool physical;
	struct recent recent[RECENT];
};

void pw_heap_naming_free(struct pw_heap_naming *naming)
{
	if (!naming)
		return;
	pw_addr_map_done(&naming->ids);
	pw_addr_map_done(&naming->inside);
	pw_vec_done(&naming->named);
	free(naming->numbers);
	free(naming);
}

/* The number of an address that is not among the recent ones; NONE: no memory. The map is made for addresses of
 * objects, which are 16 bytes apart; 0 is not in it. */
static uint32_t number_of(struct pw_heap_naming *naming, uint64_t pc)
{
	uint32_t next = (uint32_t)naming->named.count;
	uint32_t id = pw_addr_map_add(&naming->ids, pc << 4 | 1, next);

	if (id == NONE)
		return NONE;
	if (id != next && naming->named.items[id].pc == pc)
		return id;
	/* A new one; or an address that no program has, which shares its place with another. */
	if (pw_vec_push(&naming->named, ((struct named){.pc = pc, .frame = NONE})) < 0)
		return NONE;
	return next;
}

static int number_all(struct pw_heap_naming *naming, const uint64_t *pcs, size_t count)
{
	for (size_t i = 0; i < RECENT; i++)
		naming->recent[i].id = NONE;
	for (size_t i = 0; i < count; i++) {
		struct recent *recent = &naming->recent[pcs[i] % RECENT];

		if (recent->pc != pcs[i] || recent->id == NONE) {
			recent->id = number_of(naming, pcs[i]);
			if (recent->id == NONE)
				return -ENOMEM;
			recent->pc = pcs[i];
		}
		naming->numbers[i] = recent->id;
	}
	return 0;
}

static bool is_runtime(const char *function)
{
	return !strncmp(function, "runtime.", 8) || !strncmp(function, "internal/runtime/", 17);
}

/*
 * All names, or -EAGAIN. What is hidden goes by runtime.FuncForPC(pc) without the subtraction of 1 that a return
 * address needs (src/runtime/pprof/protomem.go, go1.19 to go1.27); so here, that stacks begin where those of pprof
 * begin.
 */
static int name_all(struct pw_heap_naming *naming, struct pw_symbolizer *symbolizer)
{
	bool missing = false;

	pw_vec_foreach (&naming->named, named) {
		const struct pw_located_frame *exact;
		int r = pw_name_frames(symbolizer, named->pc, false, &exact);

		named->count = pw_name_frames(symbolizer, named->pc, true, &named->frames);
		if ((r < 0 && r != -EAGAIN) || (named->count < 0 && named->count != -EAGAIN))
			return r < 0 ? r : named->count;
		missing |= r < 0 || named->count < 0;
		named->hidden = r <= 0 || is_runtime(exact[0].function);
		named->inlined = named->count > 0 && named->frames[0].inlined && !naming->physical;
		named->is_outmost = named->count > 0 && !strcmp(named->frames[0].function, "runtime.goexit");
	}
	return missing ? -EAGAIN : 0;
}

int pw_heap_naming_new(struct pw_heap_naming **ret_naming, struct pw_heap_profile *heap,
		       struct pw_symbolizer *symbolizer, const uint64_t *pcs, size_t count, bool physical)
{
	struct pw_heap_naming *naming = calloc(1, sizeof(*naming));
	int r;

	if (!naming)
		return -ENOMEM;
	naming->heap = heap;
	naming->physical = physical;
	naming->numbers = pw_huge_alloc((count + 1) * sizeof(*naming->numbers));
	r = naming->numbers ? number_all(naming, pcs, count) : -ENOMEM;
	if (!r)
		r = name_all(naming, symbolizer);
	if (!r)
		r = pw_heap_reserve_stacks(heap, count);
	if (r) {
		pw_heap_naming_free(naming);
		return r;
	}
	*ret_naming = naming;
	return 0;
}

/* --- frames ------------------------------------------------------------------------------------------------------ */

/* All frames that stand at an address, one behind the other; returns the number of the first, NONE: no memory. Frames
 * of one physical function share the address of the innermost. */
static uint32_t add_frames(struct pw_heap_naming *naming, const struct named *named, uint64_t addr)
{
	struct pw_profile *base = naming->heap->base;
	uint32_t first = (uint32_t)base->frame_count;

	if (!named->count && pw_name_add_nameless(base, addr) < 0)
		return NONE;
	for (int k = 0; k < named->count; k++) {
		struct pw_profile_frame *frame = pw_profile_add_frame(base);

		if (!frame)
			return NONE;
		*frame = pw_name_frame(base, &named->frames[k], addr);
	}
	return first;
}

/* The first frame of an address; start: the address that the row of inlined calls before it began with. */
static uint32_t frame_of(struct pw_heap_naming *naming, uint32_t id, uint32_t start)
{
	struct named *named = &naming->named.items[id];
	uint64_t key = (uint64_t)id << 32 | (uint64_t)start << 4 | 1; /* there are at most PW_HEAP_PCS_MAX of them */
	uint32_t known;

	if (start == id) {
		if (named->frame == NONE)
			named->frame = add_frames(naming, named, named->pc - 1);
		return named->frame;
	}
	known = pw_addr_map_find(&naming->inside, key);
	if (known != NONE)
		return known;
	known = add_frames(naming, named, naming->named.items[start].pc - 1);
	if (known != NONE && pw_addr_map_add(&naming->inside, key, known) == NONE)
		return NONE;
	return known;
}

_Static_assert(PW_HEAP_PCS_MAX <= 1U << 28, "two numbers of addresses make a key");

/*
 * Each address is one frame, the innermost that stands there: where a call was inlined, the runtime has put an address
 * of its own for what it is inlined into. Only behind the last one, where the stack was cut, there may be more
 * (src/runtime/symtab.go:expandFinalInlineFrame).
 */
static int put_frames(struct pw_heap_naming *naming, const uint32_t *numbers, uint32_t count, bool cut)
{
	uint32_t start = NONE;

	for (uint32_t i = 0; i < count; i++) {
		const struct named *named = &naming->named.items[numbers[i]];
		int frames = (cut && i + 1 == count) || naming->physical ? PW_MAX(named->count, 1) : 1;
		uint32_t first = frame_of(naming, numbers[i], start == NONE ? numbers[i] : start);

		if (first == NONE)
			return -ENOMEM;
		for (int k = 0; k < frames; k++) {
			int r = pw_heap_put_frame(naming->heap, first + (uint32_t)k);

			if (r < 0)
				return r;
		}
		if (!named->inlined)
			start = NONE;
		else if (start == NONE)
			start = numbers[i];
	}
	return 0;
}

int pw_heap_naming_put(struct pw_heap_naming *naming, struct pw_heap_site *site, size_t first, uint32_t count)
{
	const uint32_t *numbers = naming->numbers + first;
	const struct named *named = naming->named.items;
	uint32_t hidden = 0;
	bool whole;
	int r;

	while (hidden < count && named[numbers[hidden]].hidden)
		hidden++;
	if (hidden == count) /* all of it is the runtime's: then all is shown */
		hidden = 0;
	whole = count - hidden > 1 && named[numbers[count - 1]].is_outmost;
	site->first_frame = (uint32_t)naming->heap->stack_count;
	r = put_frames(naming, numbers + hidden, count - hidden - whole, !whole);
	site->frame_count = (uint32_t)naming->heap->stack_count - site->first_frame;
	return r;
}
