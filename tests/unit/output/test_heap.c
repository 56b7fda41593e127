/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/heap.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/macros.h"
#include "model/heap.h"
#include "model/profile.h"

static void add_site(struct pw_heap_profile *heap, const char *const *functions, uint64_t object_bytes, uint64_t inuse,
		     uint64_t alloc)
{
	struct pw_heap_site *site = pw_heap_add_site(heap);

	assert_non_null(site);
	site->first_frame = (uint32_t)heap->stack_count;
	site->object_bytes = object_bytes;
	site->values = (struct pw_heap_values){.inuse_objects = inuse / object_bytes,
					       .inuse_bytes = inuse,
					       .alloc_objects = alloc / object_bytes,
					       .alloc_bytes = alloc};
	for (; *functions; functions++, site->frame_count++) {
		struct pw_profile_frame *frame = pw_profile_add_frame(heap->base);

		assert_non_null(frame);
		frame->function = pw_profile_intern(heap->base, *functions);
		frame->file = pw_profile_intern(heap->base, "/src/main.go");
		frame->line = (uint32_t)strlen(*functions);
		assert_int_equal(pw_heap_put_frame(heap, (uint32_t)heap->base->frame_count - 1), 0);
	}
}

static const char *const cache[] = {"main.put", "main.main", "runtime.main", NULL};
static const char *const other[] = {"main.\x1b[31mevil;\n", "main.walk", "main.walk", "main.walk", "main.main", NULL};

/* Two sizes at one stack, and a name that wants to do harm. */
static struct pw_heap_profile *make(uint64_t grown)
{
	struct pw_heap_profile *heap = pw_heap_profile_new();

	assert_non_null(heap);
	snprintf(heap->base->process, sizeof(heap->base->process), "orders");
	snprintf(heap->base->go_version, sizeof(heap->base->go_version), "go1.24");
	heap->base->pid = 4711;
	heap->base->taken_wall_ns = 1790000000000000000ULL + grown * 1000000000ULL;
	heap->rate = 512 << 10;
	heap->cycle = 7 + grown;
	add_site(heap, cache, 64, 640 + grown * 6400, 64000 + grown * 6400);
	add_site(heap, other, 4096, 8192, 8192);
	add_site(heap, cache, 128, 1280, 1280);
	return heap;
}

static struct pw_buf text_of(struct pw_heap_profile *heap, size_t top)
{
	struct pw_buf out = PW_BUF_INIT(1U << 20);

	assert_int_equal(pw_heap_write_text(&out, heap, &(struct pw_heap_shown){.top = top}), 0);
	return out;
}

static void sites_of_one_stack_become_one_whatever_their_size(void **state)
{
	struct pw_heap_profile *heap = make(0);

	(void)state;
	assert_int_equal(pw_heap_merge(heap), 0);
	assert_int_equal(heap->site_count, 2);
	assert_int_equal(heap->sites[1].values.inuse_bytes, 640 + 1280);
	assert_int_equal(heap->sites[1].object_bytes, 0);
	assert_int_equal(heap->sites[0].object_bytes, 4096);
	assert_int_equal(heap->total.inuse_bytes, 640 + 1280 + 8192);
	pw_heap_profile_free(heap);
}

static void text_says_what_leads_and_escapes_what_a_target_chose(void **state)
{
	struct pw_heap_profile *heap = make(0);
	struct pw_buf out;

	(void)state;
	assert_int_equal(pw_heap_merge(heap), 0);
	out = text_of(heap, 1);
	assert_non_null(
		strstr(out.data,
		       "orders (pid 4711, go1.24): 9.9 KiB in use at 2 sites, as of GC cycle 7 (what is new since the "
		       "one before may be missing); estimated "
		       "from 1 sample per 512 KiB\n"));
	assert_non_null(strstr(out.data, "8.0 KiB  main.\\x1b[31mevil;\\n main.go:16"));
	assert_null(strchr(out.data, '\x1b'));
	assert_non_null(strstr(out.data, "main.walk /src/main.go:9 (3 times)\n"));
	assert_non_null(strstr(out.data, "and 1.9 KiB in 1 more sites (--top)\n"));
	assert_null(strstr(out.data, "runtime.main"));
	pw_buf_done(&out);
	pw_heap_profile_free(heap);
}

static void growth_comes_first_and_survives_json(void **state)
{
	struct pw_heap_profile *old = make(0), *heap = make(3), *read;
	struct pw_buf json = PW_BUF_INIT(1U << 20), out;

	(void)state;
	assert_int_equal(pw_heap_merge(old), 0);
	assert_int_equal(pw_heap_write_json(&json, old), 0);
	assert_int_equal(pw_heap_read_json(json.data, json.size, &read), 0);
	assert_int_equal(read->site_count, 2);
	assert_int_equal(read->total.inuse_bytes, old->total.inuse_bytes);
	assert_int_equal(read->cycle, 7);
	assert_int_equal(pw_heap_merge(heap), 0);
	assert_int_equal(pw_heap_compare(heap, read), 0);
	assert_int_equal(heap->sites[0].growth_bytes, 3 * 6400);
	assert_int_equal(heap->sites[0].growth_alloc_bytes, 3 * 6400);
	assert_int_equal(heap->sites[1].growth_bytes, 0);
	assert_int_equal(heap->apart_ns, 3000000000ULL);
	out = text_of(heap, 10);
	assert_non_null(strstr(out.data, "+18.8 KiB in use, 18.8 KiB allocated in 3.0s, between GC cycles 7 and 10\n"));
	assert_non_null(strstr(out.data, "+18.8 KiB  main.put main.go:8\n"));
	pw_buf_done(&out);
	pw_buf_done(&json);
	pw_heap_profile_free(old);
	pw_heap_profile_free(read);
	pw_heap_profile_free(heap);
}

static void what_is_no_profile_is_refused(void **state)
{
	static const struct {
		const char *text;
		int error;
	} cases[] = {
		{"", -EBADMSG},
		{"[]", -EBADMSG},
		{"{}", -EBADMSG},
		{"{\"schema_version\":1}", -EBADMSG},
		{"{\"schema_version\":2,\"sites\":[]}", -ENOTSUP},
		{"{\"schema_version\":1,\"sites\":[{\"inuse_bytes\":-1}]}", -EBADMSG},
		{"{\"schema_version\":1,\"sites\":[{\"inuse_bytes\":\"1\"}]}", -EBADMSG},
		{"{\"schema_version\":1,\"sites\":{}}", -EBADMSG},
		{"{\"schema_version\":1,\"sites\":[],\"classes\":[1]}", -EBADMSG},
	};
	struct pw_heap_profile *heap;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(pw_heap_read_json(cases[i].text, strlen(cases[i].text), &heap), cases[i].error);
}

static void folded_lines_keep_their_form(void **state)
{
	struct pw_heap_profile *heap = make(0);
	struct pw_buf out = PW_BUF_INIT(1U << 16);

	(void)state;
	assert_int_equal(pw_heap_merge(heap), 0);
	assert_int_equal(pw_heap_write_folded(&out, heap, &(struct pw_heap_shown){0}), 0);
	assert_string_equal(out.data, "main.main;main.walk;main.walk;main.walk;main.\\x1b[31mevil:\\n 8192\n"
				      "runtime.main;main.main;main.put 1920\n");
	pw_buf_done(&out);
	pw_heap_profile_free(heap);
}

static void scaling_is_that_of_pprof(void **state)
{
	uint64_t objects, bytes;

	(void)state;
	pw_heap_scale(3, 48, 1, &objects, &bytes);
	assert_int_equal(objects, 3);
	assert_int_equal(bytes, 144);
	pw_heap_scale(2, 1024, 512 << 10, &objects, &bytes); /* 2 / (1 - exp(-1/512)) = 1025.0 */
	assert_int_equal(objects, 1025);
	assert_int_equal(bytes, 1049600);
	pw_heap_scale(1, 512 << 20, 512 << 10, &objects, &bytes);
	assert_int_equal(objects, 1);
	assert_int_equal(bytes, 512 << 20);
	pw_heap_scale(0, 16, 512 << 10, &objects, &bytes);
	assert_int_equal(bytes, 0);
	pw_heap_scale(UINT64_MAX, UINT64_MAX, 512 << 10, &objects, &bytes);
	assert_int_equal(bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sites_of_one_stack_become_one_whatever_their_size),
		cmocka_unit_test(text_says_what_leads_and_escapes_what_a_target_chose),
		cmocka_unit_test(growth_comes_first_and_survives_json),
		cmocka_unit_test(what_is_no_profile_is_refused),
		cmocka_unit_test(folded_lines_keep_their_form),
		cmocka_unit_test(scaling_is_that_of_pprof),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
