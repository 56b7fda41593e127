/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/heap_types.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/macros.h"
#include "base/vec.h"
#include "target/gather.h"
#include "target/gread.h"
#include "target/swapped.h"
#include "target/target.h"

/*
 * Three gathers: the spans of the sample, the allocBits of those whose objects carry a header, the headers. Types are
 * read one by one, each once, and only if they lie where the module keeps its types.
 *
 * abi.Type (src/internal/abi/type.go, go1.22 to go1.27): Size_ 0x0, TFlag 0x14, Str (a nameOff from moduledata.types)
 * 0x28. A name is a byte of flags, its length as a varint, and its bytes (abi.Name).
 */
#define SINCE	       22 /* minor version */
#define PAGE	       8192U
#define IN_USE	       1 /* mSpanInUse, src/runtime/mheap.go */
#define NOSCAN	       1
#define HEADER_ABOVE   512U /* heapBitsInSpan */
#define HEADER_SIZE    8U
#define TYPE_SIZE      0x30
#define TYPE_TFLAG     0x14
#define TYPE_STR       0x28
#define TFLAG_STAR     2 /* tflagExtraStar: the name has a "*" in front that is not its own */
#define BITS_BYTES     32U
#define SLOTS_PER_SPAN (BITS_BYTES * 8)
#define SPAN_BYTES_MAX 512
#define NAME_READ      160
#define NO_TYPE	       (UINT32_MAX - 1)

struct plan {
	int32_t start, npages, nelems, freeindex, alloc_bits, alloc_count, spanclass, state, elemsize, large_type, size;
	uint64_t spans_at, types, etypes;
};

struct span {
	uint64_t start, bits_at;
	uint32_t slots, free_index, slot_size;
};

struct known { /* a type that was met */
	uint64_t addr, size;
	char name[PW_HEAP_TYPE_NAME_SIZE];
	uint64_t objects[2], bytes[2]; /* single ones, and backing arrays */
};

struct pw_heap_types {
	struct plan plan;
	struct pw_target *target;    /* of the look under way */
	PW_VEC(uint64_t) addrs;	     /* of what is gathered next */
	PW_VEC(struct span) spans;   /* whose objects have headers */
	PW_VEC(uint32_t) slot_sizes; /* parallel to addrs: of each header */
	PW_VEC(uint64_t) bits;	     /* parallel to spans, BITS_BYTES each */
	PW_VEC(struct known) known;
	struct pw_addr_map seen; /* type -> index in known, NO_TYPE: is none */
	PW_VEC(struct pw_heap_type_count) counts;
	struct pw_heap_types_look look;
	int error;
};

int pw_heap_types_new(struct pw_heap_types **ret_types)
{
	struct pw_heap_types *types = calloc(1, sizeof(*types));

	if (!types)
		return -ENOMEM;
	types->known.max = PW_HEAP_TYPES_MAX;
	types->addrs.max = types->slot_sizes.max = PW_HEAP_SLOTS_MAX;
	*ret_types = types;
	return 0;
}

void pw_heap_types_free(struct pw_heap_types *types)
{
	if (!types)
		return;
	pw_vec_done(&types->addrs);
	pw_vec_done(&types->spans);
	pw_vec_done(&types->slot_sizes);
	pw_vec_done(&types->bits);
	pw_vec_done(&types->known);
	pw_vec_done(&types->counts);
	pw_addr_map_done(&types->seen);
	free(types);
}

static int make_plan(struct plan *ret_plan, struct pw_target *target)
{
	const struct pw_build_facts *facts = &target->build->facts;
	const struct pw_layout *layout = &facts->layout;
#define OFFSET(field) pw_field_offset(layout, PW_FIELD_MSPAN_##field, SPAN_BYTES_MAX - 8)
	struct plan plan = {
		.start = OFFSET(STARTADDR),
		.npages = OFFSET(NPAGES),
		.nelems = OFFSET(NELEMS),
		.freeindex = OFFSET(FREEINDEX),
		.alloc_bits = OFFSET(ALLOCBITS),
		.alloc_count = OFFSET(ALLOCCOUNT),
		.spanclass = OFFSET(SPANCLASS),
		.state = OFFSET(STATE),
		.elemsize = OFFSET(ELEMSIZE),
		.large_type = OFFSET(LARGETYPE),
		.size = pw_field_offset(layout, PW_FIELD_MSPAN_SIZE, SPAN_BYTES_MAX),
	};
#undef OFFSET
	const int32_t needed[] = {plan.start,	    plan.npages,    plan.nelems, plan.freeindex, plan.alloc_bits,
				  plan.alloc_count, plan.spanclass, plan.state,	 plan.elemsize,	 plan.large_type};
	int32_t spans_at = pw_field_offset(layout, PW_FIELD_MHEAP_ALLSPANS, INT32_MAX);
	int32_t types_at = pw_field_offset(layout, PW_FIELD_MODULEDATA_TYPES, PW_G_SIZE_MAX);
	int32_t etypes_at = pw_field_offset(layout, PW_FIELD_MODULEDATA_ETYPES, PW_G_SIZE_MAX);
	uint64_t mheap = facts->globals.addr[PW_GLOBAL_MHEAP];
	int r;

	if (facts->info.go_minor < SINCE || !mheap || !facts->moduledata || spans_at < 0 || types_at < 0 ||
	    etypes_at < 0 || plan.size <= 0)
		return -ENOTSUP;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (needed[i] < 0 || needed[i] + 8 > plan.size)
			return -ENOTSUP;
	plan.spans_at = mheap + target->bias + (uint64_t)spans_at;
	r = pw_mem_read_u64(&target->mem, facts->moduledata + target->bias + (uint64_t)types_at, &plan.types);
	if (!r)
		r = pw_mem_read_u64(&target->mem, facts->moduledata + target->bias + (uint64_t)etypes_at, &plan.etypes);
	if (!r && (plan.types >= plan.etypes || plan.etypes >= PW_USER_ADDRESS_MAX))
		r = -EBADMSG;
	if (!r)
		*ret_plan = plan;
	return r;
}

/* --- types ------------------------------------------------------------------------------------------------------- */

/* The name at an address inside the module's types; false: there is none. */
static bool read_name(struct pw_heap_types *types, uint64_t addr, bool star, char name[PW_HEAP_TYPE_NAME_SIZE])
{
	uint8_t bytes[NAME_READ];
	uint64_t room = types->plan.etypes - addr;
	size_t size = (size_t)PW_MIN(room, (uint64_t)NAME_READ), at = 1, length = 0;

	if (addr < types->plan.types || addr >= types->plan.etypes ||
	    pw_mem_read(&types->target->mem, addr, bytes, size) < 0)
		return false;
	for (unsigned int shift = 0; at < size && shift <= 14; shift += 7) {
		length |= (size_t)(bytes[at] & 0x7f) << shift;
		if (bytes[at++] < 0x80)
			break;
	}
	if (star && length) {
		at++;
		length--;
	}
	if (at >= size || !length)
		return false;
	length = PW_MIN(PW_MIN(length, size - at), (size_t)PW_HEAP_TYPE_NAME_SIZE - 1);
	memcpy(name, bytes + at, length);
	name[length] = '\0';
	return strlen(name) == length;
}

/* Size and name of the type at an address. */
static bool read_type(struct pw_heap_types *types, uint64_t addr, uint64_t *ret_size, char name[PW_HEAP_TYPE_NAME_SIZE])
{
	uint8_t bytes[TYPE_SIZE];
	int32_t offset;

	if (addr % 8 || addr < types->plan.types || addr >= types->plan.etypes ||
	    pw_mem_read(&types->target->mem, addr, bytes, sizeof(bytes)) < 0)
		return false;
	memcpy(ret_size, bytes, sizeof(*ret_size));
	memcpy(&offset, bytes + TYPE_STR, sizeof(offset));
	return *ret_size && offset > 0 &&
	       read_name(types, types->plan.types + (uint64_t)offset, bytes[TYPE_TFLAG] & TFLAG_STAR, name);
}

/* The index of a type in known; NO_TYPE. */
static uint32_t find_type(struct pw_heap_types *types, uint64_t addr)
{
	struct known known = {.addr = addr};
	uint32_t index = pw_addr_map_find(&types->seen, addr);

	if (index != UINT32_MAX)
		return index;
	index = NO_TYPE;
	if (read_type(types, addr, &known.size, known.name) && pw_vec_push(&types->known, known) >= 0)
		index = (uint32_t)types->known.count - 1;
	if (addr && pw_addr_map_add(&types->seen, addr, index) == UINT32_MAX)
		types->error = -ENOMEM;
	return index;
}

/* A slot is at most a seventh larger than what was asked for (src/runtime/sizeclasses.go), a large one by less than a
 * page: one with room for two holds an array of that type, which is what a slice points to. */
static void count_object(struct pw_heap_types *types, uint64_t type, uint64_t slot_size, uint64_t overhead)
{
	uint32_t index = find_type(types, type);
	struct known *known = index == NO_TYPE ? NULL : &types->known.items[index];
	bool array;

	if (!known || known->size > slot_size - overhead) {
		types->look.untyped_bytes += slot_size;
		return;
	}
	array = known->size <= (slot_size - overhead) / 2;
	known->objects[array]++;
	known->bytes[array] += slot_size;
}

/* --- spans ------------------------------------------------------------------------------------------------------- */

static uint64_t field(const uint8_t *bytes, int32_t offset, size_t width)
{
	uint64_t value = 0;

	memcpy(&value, bytes + offset, width);
	return value;
}

/* A span of one object: its type is in the span itself. */
static void take_large(struct pw_heap_types *types, const uint8_t *bytes, uint64_t size)
{
	if (field(bytes, types->plan.alloc_count, 2))
		count_object(types, field(bytes, types->plan.large_type, 8), size, 0);
}

static void take_span(void *context, uint32_t item, uint64_t addr, const uint8_t *bytes)
{
	struct pw_heap_types *types = context;
	const struct plan *plan = &types->plan;
	uint64_t npages = field(bytes, plan->npages, 8), elemsize = field(bytes, plan->elemsize, 8), room;
	uint8_t spanclass = bytes[plan->spanclass];
	struct span span = {
		.start = field(bytes, plan->start, 8),
		.bits_at = field(bytes, plan->alloc_bits, 8),
		.slots = (uint32_t)field(bytes, plan->nelems, 2),
		.free_index = (uint32_t)field(bytes, plan->freeindex, 2),
		.slot_size = (uint32_t)elemsize,
	};

	(void)item;
	(void)addr;
	types->look.spans_looked_at++;
	if (bytes[plan->state] != IN_USE || !npages || !elemsize || pw_mul_overflows(npages, PAGE, &room))
		return;
	if (elemsize > room || !span.slots || span.slots > room / elemsize || span.start % PAGE)
		return; /* is being changed */
	if (spanclass & NOSCAN || (spanclass > 1 && elemsize <= HEADER_ABOVE)) {
		types->look.untyped_bytes +=
			elemsize * PW_MIN(field(bytes, plan->alloc_count, 2), (uint64_t)span.slots);
		return;
	}
	if (spanclass <= 1)
		take_large(types, bytes, room);
	else if (span.slots <= SLOTS_PER_SPAN && pw_vec_push(&types->spans, span) < 0)
		types->error = -ENOMEM;
}

static void take_pointer(void *context, uint32_t item, uint64_t addr, const uint8_t *bytes)
{
	struct pw_heap_types *types = context;

	(void)addr;
	memcpy(&types->addrs.items[item], bytes, sizeof(uint64_t));
}

/* Addresses of the sampled entries of mheap_.allspans, evenly spread, then of the spans themselves. */
static int gather_spans(struct pw_heap_types *types)
{
	struct pw_mem *mem = &types->target->mem;
	uint64_t list[2]; /* pointer, length */
	size_t count;
	int r = pw_mem_read(mem, types->plan.spans_at, list, sizeof(list));

	if (r < 0)
		return r;
	if (list[0] % 8 || list[0] >= PW_USER_ADDRESS_MAX || list[1] > PW_SPANS_MAX)
		return -EBADMSG;
	types->look.spans = list[1];
	count = (size_t)PW_MIN(list[1], (uint64_t)PW_HEAP_SPANS_SAMPLED);
	r = pw_vec_reserve(&types->addrs, count);
	if (r < 0)
		return r;
	types->addrs.count = count;
	for (size_t i = 0; i < count; i++)
		types->addrs.items[i] = list[0] + (uint64_t)((double)list[1] / (double)count * (double)i) * 8;
	_cleanup_free_ uint64_t *places = malloc((count + 1) * sizeof(*places));
	if (!places)
		return -ENOMEM;
	memcpy(places, types->addrs.items, count * sizeof(*places));
	memset(types->addrs.items, 0, count * sizeof(*places)); /* 0: could not be read, and is left out */
	r = pw_gather(mem, places, count, sizeof(uint64_t), take_pointer, types);
	if (r >= 0)
		r = pw_gather(mem, types->addrs.items, count, (uint32_t)types->plan.size, take_span, types);
	return r;
}

/* --- objects ----------------------------------------------------------------------------------------------------- */

static void take_bits(void *context, uint32_t item, uint64_t addr, const uint8_t *bytes)
{
	struct pw_heap_types *types = context;

	(void)addr;
	memcpy(&types->bits.items[(size_t)item * (BITS_BYTES / 8)], bytes, BITS_BYTES);
}

/* Bits are packed without gaps, so what is read of one span reaches into the next one's; gather wants whole words. */
static int gather_bits(struct pw_heap_types *types)
{
	size_t count = types->spans.count;
	int r = pw_vec_reserve(&types->bits, count * (BITS_BYTES / 8));

	if (r < 0)
		return r;
	types->bits.count = count * (BITS_BYTES / 8);
	memset(types->bits.items, 0, types->bits.count * sizeof(uint64_t));
	pw_vec_reset(&types->addrs);
	pw_vec_foreach (&types->spans, span)
		if ((r = pw_vec_push(&types->addrs, span->bits_at)) < 0)
			return r;
	return pw_gather(&types->target->mem, types->addrs.items, count, BITS_BYTES, take_bits, types);
}

/* src/runtime/mheap.go:mspan: below freeindex all slots are allocated, from there on those whose bit is set. */
static bool is_allocated(const struct span *span, const uint64_t *bits, uint32_t slot)
{
	return slot < span->free_index || (bits[slot / 64] >> slot % 64 & 1);
}

static void list_objects(struct pw_heap_types *types, struct pw_swapped *swapped, size_t index)
{
	const struct span *span = &types->spans.items[index];
	const uint64_t *bits = &types->bits.items[index * (BITS_BYTES / 8)];

	for (uint32_t slot = 0; slot < span->slots; slot++) {
		uint64_t addr = span->start + (uint64_t)slot * span->slot_size;

		if (!is_allocated(span, bits, slot))
			continue;
		if (pw_swapped_out(swapped, addr, HEADER_SIZE) || pw_vec_push(&types->addrs, addr) < 0)
			types->look.slots_skipped++;
		else if (pw_vec_push(&types->slot_sizes, span->slot_size) < 0)
			types->error = -ENOMEM;
	}
}

static void take_header(void *context, uint32_t item, uint64_t addr, const uint8_t *bytes)
{
	struct pw_heap_types *types = context;

	(void)addr;
	count_object(types, field(bytes, 0, 8), types->slot_sizes.items[item], HEADER_SIZE);
}

static int gather_headers(struct pw_heap_types *types)
{
	struct pw_swapped swapped;
	int r;

	pw_vec_reset(&types->addrs);
	pw_vec_reset(&types->slot_sizes);
	pw_swapped_open(&swapped, types->target->pid);
	for (size_t i = 0; i < types->spans.count; i++)
		list_objects(types, &swapped, i);
	pw_swapped_close(&swapped);
	if (types->error)
		return types->error;
	r = pw_gather(&types->target->mem, types->addrs.items, types->addrs.count, HEADER_SIZE, take_header, types);
	return r;
}

/* --- answer ------------------------------------------------------------------------------------------------------ */

static int by_bytes(const void *a, const void *b)
{
	const struct pw_heap_type_count *left = a, *right = b;

	if (left->bytes != right->bytes)
		return left->bytes < right->bytes ? 1 : -1;
	return strcmp(left->name, right->name);
}

static int finish(struct pw_heap_types *types)
{
	pw_vec_reset(&types->counts);
	pw_vec_foreach (&types->known, known) {
		for (int array = 0; array < 2; array++) {
			struct pw_heap_type_count count = {
				.type = known->addr,
				.array = array,
				.objects = known->objects[array],
				.bytes = known->bytes[array],
			};
			int r;

			if (!count.objects)
				continue;
			snprintf(count.name, sizeof(count.name), "%s%.*s", array ? "[]" : "",
				 PW_HEAP_TYPE_NAME_SIZE - 3, known->name);
			r = pw_vec_push(&types->counts, count);
			if (r < 0)
				return r;
		}
	}
	pw_vec_sort(&types->counts, by_bytes);
	types->look.types = types->counts.items;
	types->look.count = types->counts.count;
	return 0;
}

int pw_heap_types_look(struct pw_heap_types *types, struct pw_target *target,
		       const struct pw_heap_types_look **ret_look)
{
	int r;

	types->target = target;
	types->error = 0;
	types->look = (struct pw_heap_types_look){0};
	pw_vec_reset(&types->spans);
	pw_vec_reset(&types->addrs);
	pw_vec_reset(&types->known);
	pw_addr_map_reset(&types->seen);
	if (!target->memory_ok)
		return -EPERM;
	r = make_plan(&types->plan, target);
	if (r >= 0)
		r = gather_spans(types);
	if (r >= 0)
		r = gather_bits(types);
	if (r >= 0)
		r = gather_headers(types);
	if (r >= 0)
		r = types->error;
	if (r >= 0)
		r = finish(types);
	types->target = NULL;
	if (r < 0)
		return r;
	*ret_look = &types->look;
	return 0;
}
