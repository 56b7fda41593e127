/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/heap_profile.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "support/fake_heap.h"
#include "target/mem_cache.h"

struct fixture {
	struct fake_go *go;
	struct fake_heap heap;
	struct pw_heap_profiler *profiler;
	uint64_t a, b, c;
};

static const uint64_t pcs_a[] = {0x411000, 0x412000, 0x413000}, pcs_b[] = {0x421000}, pcs_c[] = {0x431000, 0x432000};

static struct fixture *make(int minor)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fixture->go = fake_go_new(minor, 1, 1);
	fake_heap_init(&fixture->heap, fixture->go);
	assert_int_equal(pw_heap_profiler_new(&fixture->profiler), 0);
	fixture->a = fake_heap_add(
		&fixture->heap,
		&(struct fake_bucket){.object_bytes = 48, .pc_count = 3, .pcs = pcs_a, .allocs = 10, .frees = 4});
	fixture->b = fake_heap_add(&fixture->heap, &(struct fake_bucket){.object_bytes = 4096,
									 .pc_count = 1,
									 .pcs = pcs_b,
									 .allocs = 3,
									 .frees = 3,
									 .future_allocs = {100, 1, 1000},
									 .future_frees = {50, 0, 7}});
	fixture->c = fake_heap_add(&fixture->heap,
				   &(struct fake_bucket){.object_bytes = 16, .pc_count = 2, .pcs = pcs_c, .allocs = 1});
	return fixture;
}

static void drop(struct fixture *fixture)
{
	pw_heap_profiler_free(fixture->profiler);
	fake_go_free(fixture->go);
	free(fixture);
}

static const struct pw_heap_look *look(struct fixture *fixture)
{
	const struct pw_heap_look *ret = NULL;

	assert_int_equal(pw_heap_profiler_look(fixture->profiler, &fixture->go->target, &ret), 0);
	return ret;
}

static int look_fails(struct fixture *fixture)
{
	const struct pw_heap_look *ret;

	return pw_heap_profiler_look(fixture->profiler, &fixture->go->target, &ret);
}

static void every_version_is_read_with_what_waits_to_be_published(void **state)
{
	(void)state;
	for (int minor = 19; minor <= 27; minor++) {
		struct fixture *fixture = make(minor);
		const struct pw_heap_look *heap;

		fake_mem_put(&fixture->go->mem, FAKE_HEAP_CYCLE_AT, 4 << 1, 4); /* cycle 4: future[1] is pending */
		heap = look(fixture);
		assert_int_equal(heap->count, 3);
		assert_null(heap->broken);
		assert_false(heap->before_gc);
		assert_false(heap->unsettled);
		assert_int_equal(heap->rate, 512 << 10);
		assert_int_equal(heap->buckets[0].object_bytes, 16); /* the newest is first */
		assert_int_equal(heap->buckets[1].allocs, 3 + 1);
		assert_int_equal(heap->buckets[1].frees, 3);
		assert_int_equal(heap->buckets[2].allocs, 10);
		assert_int_equal(heap->buckets[2].frees, 4);
		assert_int_equal(heap->buckets[2].pc_count, 3);
		assert_memory_equal(heap->pcs + heap->buckets[2].first_pc, pcs_a, sizeof(pcs_a));
		drop(fixture);
	}
}

static void before_the_first_cycle_all_of_it_counts(void **state)
{
	struct fixture *fixture = make(24);
	const struct pw_heap_look *heap;

	(void)state;
	fake_mem_put(&fixture->go->mem, FAKE_HEAP_MBUCKETS_AT, 0, 8);
	fixture->heap.head = 0;
	fake_heap_add(&fixture->heap, &(struct fake_bucket){.object_bytes = 8,
							    .pc_count = 1,
							    .pcs = pcs_b,
							    .future_allocs = {0, 3, 4},
							    .future_frees = {0, 0, 2}});
	heap = look(fixture);
	assert_true(heap->before_gc);
	assert_int_equal(heap->buckets[0].allocs, 7);
	assert_int_equal(heap->buckets[0].frees, 2);
	drop(fixture);
}

/* Numbers move from a future cycle into the published ones while they are read. */
static void publish(struct fake_mem *mem, const struct pw_mem_range *range, void *context)
{
	struct fixture *fixture = context;
	const struct pw_layout *layout = &fixture->go->build.facts.layout;
	uint64_t record = fixture->b + (uint64_t)layout->offset[PW_FIELD_BUCKET_SIZE] + 8;

	if (range->size != 64 << 10 || mem->ranges_read > 8)
		return;
	fake_mem_put(mem, record, mem->ranges_read, 8); /* active.allocs */
}

static void what_moves_is_read_until_it_stands_still(void **state)
{
	struct fixture *fixture = make(26);
	const struct pw_heap_look *heap;

	(void)state;
	fixture->go->mem.after_range = publish;
	fixture->go->mem.context = fixture;
	heap = look(fixture);
	assert_false(heap->unsettled);
	assert_true(heap->buckets[1].allocs >= heap->buckets[1].frees);
	drop(fixture);
}

static void a_list_that_is_a_circle_ends(void **state)
{
	struct fixture *fixture = make(25);
	const struct pw_heap_look *heap;

	(void)state;
	fake_heap_set(&fixture->heap, fixture->a, PW_FIELD_BUCKET_ALLNEXT, fixture->c);
	heap = look(fixture);
	assert_string_equal(heap->broken, "it is a circle");
	assert_int_equal(heap->count, 3);
	drop(fixture);
}

/* Noticed only when it has gone round: nothing may be in it twice. */
static void a_circle_far_from_the_head_counts_nothing_twice(void **state)
{
	(void)state;
	for (int more = 1; more < 40; more++) {
		struct fixture *fixture = make(24);
		const struct pw_heap_look *heap;

		for (int k = 0; k < more; k++) {
			uint64_t pc = 0x500000 + (uint64_t)k * 16;

			fake_heap_add(&fixture->heap,
				      &(struct fake_bucket){.object_bytes = 8, .pc_count = 1, .pcs = &pc, .allocs = 1});
		}
		fake_heap_set(&fixture->heap, fixture->a, PW_FIELD_BUCKET_ALLNEXT, fixture->b);
		heap = look(fixture);
		assert_string_equal(heap->broken, "it is a circle");
		assert_int_equal(heap->count, 3 + more);
		assert_int_equal(heap->pc_count, 6 + more);
		drop(fixture);
	}
}

static void wild_links_end_the_list_and_say_so(void **state)
{
	static const uint64_t links[] = {0xdead0000, 1, UINT64_MAX, 1ULL << 60, 0xc200000001};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		struct fixture *fixture = make(23);
		const struct pw_heap_look *heap;

		fake_heap_set(&fixture->heap, fixture->b, PW_FIELD_BUCKET_ALLNEXT, links[i]);
		heap = look(fixture);
		assert_non_null(heap->broken);
		assert_int_equal(heap->count, 2);
		drop(fixture);
	}
}

static void lengths_and_sizes_that_lie_cost_only_their_bucket(void **state)
{
	static const struct {
		enum pw_field field;
		uint64_t value;
	} lies[] = {
		{PW_FIELD_BUCKET_NSTK, 1ULL << 60}, {PW_FIELD_BUCKET_NSTK, 0},	      {PW_FIELD_BUCKET_NSTK, 2},
		{PW_FIELD_BUCKET_OBJECT_SIZE, 0},   {PW_FIELD_BUCKET_OBJECT_SIZE, 5}, {PW_FIELD_BUCKET_TYP, 3},
		{PW_FIELD_BUCKET_HASH, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct fixture *fixture = make(24);
		const struct pw_heap_look *heap;

		for (int k = 0; k < 9; k++) /* one in twelve is not the layout's fault */
			fake_heap_add(
				&fixture->heap,
				&(struct fake_bucket){.object_bytes = 8, .pc_count = 1, .pcs = pcs_b, .allocs = 1});
		fake_heap_set(&fixture->heap, fixture->b, lies[i].field, lies[i].value);
		heap = look(fixture);
		assert_int_equal(heap->skipped, 1);
		assert_int_equal(heap->count, 11);
		assert_null(heap->broken);
		drop(fixture);
	}
}

static void a_layout_that_does_not_fit_is_refused(void **state)
{
	struct fixture *fixture = make(27);

	(void)state;
	fixture->go->build.facts.layout.offset[PW_FIELD_BUCKET_OBJECT_SIZE] = 8;
	assert_int_equal(look_fails(fixture), -EBADMSG);
	drop(fixture);
	fixture = make(27);
	fixture->go->build.facts.layout.trust[PW_FIELD_MEMRECORD_FUTURE] = PW_TRUST_CONFLICT;
	assert_int_equal(look_fails(fixture), -ENODATA);
	assert_int_equal(pw_heap_absence(&fixture->go->target), PW_HEAP_NOT_KNOWN);
	drop(fixture);
}

static void why_there_is_none_is_told_apart(void **state)
{
	struct fixture *fixture = make(24);

	(void)state;
	assert_int_equal(pw_heap_absence(&fixture->go->target), PW_HEAP_PRESENT);
	fake_mem_put(&fixture->go->mem, FAKE_HEAP_RATE_AT, 0, 8);
	assert_int_equal(pw_heap_absence(&fixture->go->target), PW_HEAP_RATE_ZERO);
	fixture->go->build.facts.has_mem_profile = false;
	assert_int_equal(pw_heap_absence(&fixture->go->target), PW_HEAP_LINKED_OUT);
	fixture->go->target.memory_ok = false;
	assert_int_equal(pw_heap_absence(&fixture->go->target), PW_HEAP_NOT_READABLE);
	assert_int_equal(look_fails(fixture), -EPERM);
	drop(fixture);
}

static void frees_above_allocations_are_a_moment_in_between(void **state)
{
	struct fixture *fixture = make(24);

	(void)state;
	fake_heap_add(&fixture->heap,
		      &(struct fake_bucket){
			      .object_bytes = 8, .pc_count = 1, .pcs = pcs_b, .allocs = 1, .frees = UINT64_MAX});
	assert_int_equal(look(fixture)->buckets[0].frees, 1);
	drop(fixture);
}

static void a_cache_reads_neighbours_once_and_pages_that_are_not_whole_singly(void **state)
{
	struct fixture *fixture = make(24);
	struct pw_mem_cache cache = {0};
	uint64_t word;

	(void)state;
	pw_mem_cache_begin(&cache, &fixture->go->target.mem);
	for (uint64_t i = 0; i < 100; i++)
		assert_int_equal(pw_mem_cache_read(&cache, FAKE_HEAP_BUCKETS + i * 8, &word, sizeof(word)), 0);
	assert_int_equal(fixture->go->target.mem.calls, 1);
	assert_int_equal(pw_mem_cache_read(&cache, FAKE_GO_LIST, &word, sizeof(word)), 0); /* a region of 8 bytes */
	assert_int_equal(word, fake_go_g(fixture->go, 0));
	assert_int_equal(pw_mem_cache_read(&cache, FAKE_GO_LIST + 8, &word, sizeof(word)), -EFAULT);
	assert_int_equal(pw_mem_cache_read(&cache, UINT64_MAX - 3, &word, sizeof(word)), -EFAULT);
	assert_int_equal(pw_mem_cache_read(&cache, 0, &word, sizeof(word)), -EFAULT);
	pw_mem_cache_done(&cache);
	drop(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_version_is_read_with_what_waits_to_be_published),
		cmocka_unit_test(before_the_first_cycle_all_of_it_counts),
		cmocka_unit_test(what_moves_is_read_until_it_stands_still),
		cmocka_unit_test(a_list_that_is_a_circle_ends),
		cmocka_unit_test(a_circle_far_from_the_head_counts_nothing_twice),
		cmocka_unit_test(wild_links_end_the_list_and_say_so),
		cmocka_unit_test(lengths_and_sizes_that_lie_cost_only_their_bucket),
		cmocka_unit_test(a_layout_that_does_not_fit_is_refused),
		cmocka_unit_test(why_there_is_none_is_told_apart),
		cmocka_unit_test(frees_above_allocations_are_a_moment_in_between),
		cmocka_unit_test(a_cache_reads_neighbours_once_and_pages_that_are_not_whole_singly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
