/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/heap_profile.h"

#include <string.h>

#include "base/limits.h"
#include "base/macros.h"
#include "base/time.h"
#include "base/vec.h"
#include "target/mem_cache.h"
#include "target/gather.h"
#include "target/gread.h"
#include "target/target.h"

/*
 * A bucket is a header, nstk return addresses, and a memRecord: what is published (active), and three cycles that are
 * not yet (future). Only two numbers of each are read, allocations and frees: bytes are these times the size of the
 * bucket, in every version. A GC cycle moves numbers from a future one into active, bucket by bucket, so the numbers
 * are read again until they stand still.
 *
 * Nothing is believed for its place alone: a bucket's hash is computed over its size and addresses
 * (src/runtime/mprof.go:stkbucket), and must be the one that is stored in it.
 */
#define MEM_PROFILE	1 /* src/runtime/mprof.go: memProfile */
#define FUTURES		3
#define SETTLE_TRIES	4
#define SOUND_AT_LEAST	8 /* buckets of ten that must have the right hash */
#define HEADER_SIZE_MAX 128
#define CYCLE_SIZE_MAX	64
#define RECORD_SIZE_MAX (CYCLE_SIZE_MAX * (FUTURES + 1))

struct plan { /* offsets in this Go version */
	int32_t allnext, typ, hash, object_size, nstk, header;
	int32_t active, future, cycle, allocs, frees;
	int32_t record; /* bytes of a memRecord that are needed */
};

struct pw_heap_profiler {
	struct pw_mem_cache cache;
	PW_VEC(struct pw_heap_bucket) buckets;
	PW_VEC(uint64_t) pcs;
	struct pw_heap_look look;
	uint64_t steps, wrong;				       /* buckets met; of them with a wrong hash */
	uint8_t room[PW_HEAP_STACK_MAX * 8 + RECORD_SIZE_MAX]; /* of a bucket that lies in two blocks */
};

int pw_heap_profiler_new(struct pw_heap_profiler **ret_profiler)
{
	struct pw_heap_profiler *profiler = calloc(1, sizeof(*profiler));

	if (!profiler)
		return -ENOMEM;
	profiler->buckets.max = PW_HEAP_BUCKETS_MAX;
	profiler->pcs.max = PW_HEAP_PCS_MAX;
	*ret_profiler = profiler;
	return 0;
}

void pw_heap_profiler_limit(struct pw_heap_profiler *profiler, uint32_t buckets)
{
	profiler->buckets.max = PW_MIN(buckets, PW_HEAP_BUCKETS_MAX);
}

void pw_heap_profiler_free(struct pw_heap_profiler *profiler)
{
	if (!profiler)
		return;
	pw_mem_cache_done(&profiler->cache);
	pw_vec_done(&profiler->buckets);
	pw_vec_done(&profiler->pcs);
	free(profiler);
}

/* --- is there one? ----------------------------------------------------------------------------------------------- */

static uint64_t global(const struct pw_target *target, enum pw_global which)
{
	uint64_t addr = target->build->facts.globals.addr[which];

	return addr ? addr + target->bias : 0;
}

static int make_plan(struct plan *ret_plan, const struct pw_layout *layout)
{
#define OFFSET(field, max) pw_field_offset(layout, PW_FIELD_##field, max)
	struct plan plan = {
		.allnext = OFFSET(BUCKET_ALLNEXT, HEADER_SIZE_MAX - 8),
		.typ = OFFSET(BUCKET_TYP, HEADER_SIZE_MAX - 8),
		.hash = OFFSET(BUCKET_HASH, HEADER_SIZE_MAX - 8),
		.object_size = OFFSET(BUCKET_OBJECT_SIZE, HEADER_SIZE_MAX - 8),
		.nstk = OFFSET(BUCKET_NSTK, HEADER_SIZE_MAX - 8),
		.header = OFFSET(BUCKET_SIZE, HEADER_SIZE_MAX),
		.active = OFFSET(MEMRECORD_ACTIVE, CYCLE_SIZE_MAX * FUTURES),
		.future = OFFSET(MEMRECORD_FUTURE, CYCLE_SIZE_MAX),
		.cycle = OFFSET(MEMRECORDCYCLE_SIZE, CYCLE_SIZE_MAX),
		.allocs = OFFSET(MEMRECORDCYCLE_ALLOCS, CYCLE_SIZE_MAX - 8),
		.frees = OFFSET(MEMRECORDCYCLE_FREES, CYCLE_SIZE_MAX - 8),
	};
#undef OFFSET
	const int32_t needed[] = {plan.allnext, plan.typ,    plan.hash,	  plan.object_size, plan.nstk, plan.header,
				  plan.active,	plan.future, plan.allocs, plan.frees,	    plan.cycle};

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (needed[i] < 0)
			return -ENOTSUP;
	plan.record = PW_MAX(plan.active + plan.cycle, plan.future + FUTURES * plan.cycle);
	if (plan.cycle < PW_MAX(plan.allocs, plan.frees) + 8 || plan.record > RECORD_SIZE_MAX)
		return -ENOTSUP;
	*ret_plan = plan;
	return 0;
}

const char *pw_heap_absence_text(enum pw_heap_absence absence)
{
	switch (absence) {
	case PW_HEAP_PRESENT:
		return "";
	case PW_HEAP_LINKED_OUT:
		return "it keeps no heap profile, as nothing in it refers to runtime.MemProfile (so the linker "
		       "switched "
		       "the profile off)";
	case PW_HEAP_RATE_ZERO:
		return "it keeps no heap profile: its runtime.MemProfileRate is 0";
	case PW_HEAP_NOT_KNOWN:
		return "where its heap profile is kept is not known for this build";
	case PW_HEAP_NOT_READABLE:
		break;
	}
	return "its memory cannot be read";
}

enum pw_heap_absence pw_heap_absence(struct pw_target *target)
{
	uint64_t rate_at = global(target, PW_GLOBAL_MEMPROFILERATE), head_at = global(target, PW_GLOBAL_MBUCKETS);
	struct plan plan;
	uint64_t rate;

	if (!target->memory_ok)
		return PW_HEAP_NOT_READABLE;
	/* Linked out, its functions may be gone too, and with them what tells where it would be. */
	if (!target->build->facts.has_mem_profile)
		return PW_HEAP_LINKED_OUT;
	if (!rate_at || !head_at || make_plan(&plan, &target->build->facts.layout) < 0)
		return PW_HEAP_NOT_KNOWN;
	if (pw_mem_read_u64(&target->mem, rate_at, &rate) < 0)
		return PW_HEAP_NOT_READABLE;
	return rate ? PW_HEAP_PRESENT : PW_HEAP_RATE_ZERO; /* what was sampled before somebody set it is no profile */
}

/* --- one bucket -------------------------------------------------------------------------------------------------- */

static uint64_t word(const uint8_t *bytes, int32_t offset)
{
	uint64_t value;

	memcpy(&value, bytes + offset, sizeof(value));
	return value;
}

/* src/runtime/mprof.go:stkbucket, go1.17 to go1.27 */
static uint64_t hash_of(const uint64_t *pcs, uint64_t count, uint64_t object_bytes)
{
	uint64_t hash = 0;

	for (uint64_t i = 0; i < count; i++) {
		hash += pcs[i];
		hash += hash << 10;
		hash ^= hash >> 6;
	}
	hash += object_bytes;
	hash += hash << 10;
	hash ^= hash >> 6;
	hash += hash << 3;
	hash ^= hash >> 11;
	return hash;
}

/* What is published, and what the cycle `pending` still has to publish. */
static void take_record(struct pw_heap_bucket *bucket, const struct plan *plan, const uint8_t *record, int pending)
{
	bucket->allocs = word(record, plan->active + plan->allocs);
	bucket->frees = word(record, plan->active + plan->frees);
	for (int i = 0; i < FUTURES; i++) {
		if (pending != FUTURES && i != pending)
			continue;
		bucket->allocs += word(record, plan->future + i * plan->cycle + plan->allocs);
		bucket->frees += word(record, plan->future + i * plan->cycle + plan->frees);
	}
}

static int read_record(struct pw_heap_profiler *profiler, const struct plan *plan, struct pw_heap_bucket *bucket,
		       int pending)
{
	uint64_t at = bucket->addr + (uint64_t)plan->header + (uint64_t)bucket->pc_count * 8;
	const uint8_t *record;
	int r = pw_mem_cache_view(&profiler->cache, at, (size_t)plan->record, profiler->room, &record);

	if (!r)
		take_record(bucket, plan, record, pending);
	return r;
}

/* Adds the bucket at addr. Returns 1 if it was one, 0 if not (it was counted), or -errno of the memory. */
static int add_bucket(struct pw_heap_profiler *profiler, const struct pw_target *target, const struct plan *plan,
		      uint64_t addr, const uint8_t *header, int pending)
{
	struct pw_heap_bucket bucket = {.addr = addr, .object_bytes = word(header, plan->object_size)};
	uint64_t count = word(header, plan->nstk), *pcs;
	const uint8_t *bytes;
	int r;

	if (word(header, plan->typ) != MEM_PROFILE || !count || count > PW_HEAP_STACK_MAX || !bucket.object_bytes ||
	    bucket.object_bytes > PW_USER_ADDRESS_MAX) {
		profiler->wrong++;
		return 0;
	}
	if (pw_vec_reserve(&profiler->pcs, count) < 0 || pw_vec_reserve(&profiler->buckets, 1) < 0)
		return 0; /* over the caps */
	r = pw_mem_cache_view(&profiler->cache, addr + (uint64_t)plan->header,
			      count * sizeof(*pcs) + (size_t)plan->record, profiler->room, &bytes);
	if (r < 0)
		return r;
	pcs = profiler->pcs.items + profiler->pcs.count;
	memcpy(pcs, bytes, count * sizeof(*pcs));
	if (hash_of(pcs, count, bucket.object_bytes) != word(header, plan->hash)) {
		profiler->wrong++;
		return 0;
	}
	for (uint64_t i = 0; i < count && target->bias; i++)
		pcs[i] -= target->bias;
	take_record(&bucket, plan, bytes + count * sizeof(*pcs), pending);
	bucket.first_pc = (uint32_t)profiler->pcs.count;
	bucket.pc_count = (uint32_t)count;
	profiler->pcs.count += count;
	profiler->buckets.items[profiler->buckets.count++] = bucket;
	return 1;
}

/* --- the list ---------------------------------------------------------------------------------------------------- */

/*
 * A list that leads back into itself is noticed late (Brent: the address met at the last power of two comes again), so
 * that one that does not costs nothing: what stands in it twice is dropped then.
 */
static int drop_repeats(struct pw_heap_profiler *profiler)
{
	_cleanup_(pw_addr_map_done) struct pw_addr_map seen = {0};

	for (size_t i = 0; i < profiler->buckets.count; i++) {
		const struct pw_heap_bucket *bucket = &profiler->buckets.items[i];
		uint32_t known = pw_addr_map_add(&seen, bucket->addr, (uint32_t)i);

		if (known == UINT32_MAX)
			return -ENOMEM;
		if (known == i)
			continue;
		profiler->look.broken = "it is a circle";
		profiler->pcs.count = bucket->first_pc;
		profiler->buckets.count = i;
	}
	return 0;
}

/* Why the list cannot be followed to this address; NULL: it can. */
static const char *cannot_follow(const struct pw_heap_profiler *profiler, uint64_t addr, uint64_t mark)
{
	if (profiler->steps > profiler->buckets.max)
		return "it is longer than is read at a time";
	if (addr % 8 || addr >= PW_USER_ADDRESS_MAX)
		return "a link in it leads nowhere";
	return addr == mark ? "it is a circle" : NULL;
}

static int walk(struct pw_heap_profiler *profiler, struct pw_target *target, const struct plan *plan, uint64_t head,
		int pending)
{
	uint8_t header[HEADER_SIZE_MAX];
	uint64_t mark = 0;

	profiler->steps = profiler->wrong = 0;
	for (uint64_t addr = head; addr; addr = word(header, plan->allnext)) {
		int r;

		profiler->steps++;
		profiler->look.broken = cannot_follow(profiler, addr, mark);
		if (profiler->look.broken)
			break;
		if (!(profiler->steps & (profiler->steps - 1)))
			mark = addr;
		r = pw_mem_cache_read(&profiler->cache, addr, header, (size_t)plan->header);
		if (!r)
			r = add_bucket(profiler, target, plan, addr, header, pending);
		if (r == -EFAULT) {
			profiler->look.broken = "a link in it leads to memory that is not there";
			break;
		}
		if (r < 0)
			return r;
		profiler->look.skipped += r == 0;
	}
	return profiler->look.broken ? drop_repeats(profiler) : 0;
}

/* The cycle whose numbers wait to be published by mProf_Flush: none (-1) where that is not known. */
static int read_pending(struct pw_target *target)
{
	uint64_t cycle_at = global(target, PW_GLOBAL_MPROFCYCLE);
	uint32_t value;

	if (!cycle_at || pw_mem_read_u32(&target->mem, cycle_at, &value) < 0)
		return -1;
	return (int)((value >> 1) % FUTURES); /* mProfCycleHolder: the lowest bit says whether it is flushed */
}

/* All numbers once more. Returns how many buckets have changed, or -errno. */
static int read_records(struct pw_heap_profiler *profiler, struct pw_target *target, const struct plan *plan,
			bool before_gc)
{
	int pending = before_gc ? FUTURES : read_pending(target), changed = 0;

	pw_mem_cache_forget(&profiler->cache);
	pw_vec_foreach (&profiler->buckets, bucket) {
		uint64_t allocs = bucket->allocs, frees = bucket->frees;
		int r = read_record(profiler, plan, bucket, pending);

		if (r < 0)
			return r;
		changed += allocs != bucket->allocs || frees != bucket->frees;
	}
	return changed;
}

static bool is_clear(struct pw_heap_profiler *profiler)
{
	pw_vec_foreach (&profiler->buckets, bucket)
		if (bucket->allocs || bucket->frees)
			return false;
	return true;
}

/* What the walk has read is read a second time, and again while it changes. */
static int settle(struct pw_heap_profiler *profiler, struct pw_target *target, const struct plan *plan)
{
	struct pw_heap_look *look = &profiler->look;
	int changed = read_records(profiler, target, plan, false);

	/* Absolutely no data: no collection has published any, so all cycles count (memProfileInternal). */
	if (changed >= 0 && is_clear(profiler)) {
		look->before_gc = true;
		changed = read_records(profiler, target, plan, true);
	}
	for (int i = 0; i < SETTLE_TRIES && changed > 0; i++)
		changed = read_records(profiler, target, plan, look->before_gc);
	look->unsettled = changed > 0;
	return changed < 0 ? changed : 0;
}

/* A number of frees above that of allocations is that of a moment between the two: nothing is in use. */
static void clamp(struct pw_heap_profiler *profiler)
{
	pw_vec_foreach (&profiler->buckets, bucket)
		bucket->frees = PW_MIN(bucket->frees, bucket->allocs);
}

static int read_heads(struct pw_target *target, struct pw_heap_look *look, uint64_t *ret_head)
{
	int32_t numgc_at = pw_field_offset(&target->build->facts.layout, PW_FIELD_MSTATS_NUMGC, PW_MSTATS_SIZE_MAX);
	uint64_t memstats = global(target, PW_GLOBAL_MEMSTATS);
	uint32_t cycle = 0;
	int r = pw_mem_read_u64(&target->mem, global(target, PW_GLOBAL_MEMPROFILERATE), &look->rate);

	if (!r)
		r = pw_mem_read_u64(&target->mem, global(target, PW_GLOBAL_MBUCKETS), ret_head);
	if (!r && memstats && numgc_at >= 0)
		r = pw_mem_read_u32(&target->mem, memstats + (uint64_t)numgc_at, &cycle);
	look->cycle = cycle;
	return r;
}

int pw_heap_profiler_look(struct pw_heap_profiler *profiler, struct pw_target *target,
			  const struct pw_heap_look **ret_look)
{
	struct pw_heap_look *look = &profiler->look;
	uint64_t start = pw_now_ns(), bytes = target->mem.bytes, reads = target->mem.calls, head;
	struct plan plan;
	int r;

	if (pw_heap_absence(target) != PW_HEAP_PRESENT)
		return target->memory_ok ? -ENODATA : -EPERM;
	r = make_plan(&plan, &target->build->facts.layout);
	if (r < 0)
		return r;
	*look = (struct pw_heap_look){0};
	pw_vec_reset(&profiler->buckets);
	pw_vec_reset(&profiler->pcs);
	pw_mem_cache_begin(&profiler->cache, &target->mem);
	r = read_heads(target, look, &head);
	if (!r)
		r = walk(profiler, target, &plan, head, read_pending(target));
	if (r < 0)
		return r;
	if (profiler->wrong * 10 > profiler->steps * (10 - SOUND_AT_LEAST) ||
	    (profiler->look.broken && !profiler->buckets.count))
		return -EBADMSG;
	r = settle(profiler, target, &plan);
	if (r < 0)
		return r;
	clamp(profiler);
	look->buckets = profiler->buckets.items;
	look->count = profiler->buckets.count;
	look->pcs = profiler->pcs.items;
	look->pc_count = profiler->pcs.count;
	look->bytes_read = target->mem.bytes - bytes;
	look->reads = target->mem.calls - reads;
	look->duration_ns = pw_now_ns() - start;
	*ret_look = look;
	return 0;
}
