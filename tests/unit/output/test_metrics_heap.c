/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/macros.h"
#include "model/builder.h"
#include "model/record.h"
#include "output/metrics.h"
#include "output/publish.h"

#define LABELS "service=\"shop\",process=\"shop\",pid=\"42\""

static void add_site(struct pw_record *draft, struct pw_record_builder *builder, const char *function, const char *file,
		     uint32_t line, uint64_t inuse, int64_t growth)
{
	draft->heap.site[draft->heap.site_count++] =
		(struct pw_record_heap_site){.function = pw_record_builder_string(builder, function),
					     .file = pw_record_builder_string(builder, file),
					     .line = line,
					     .inuse_bytes = inuse,
					     .growth_bytes = growth};
}

static struct pw_record *record_of(bool present)
{
	struct pw_record_builder *builder;
	struct pw_record *draft, *record;

	assert_int_equal(pw_record_builder_new(&builder), 0);
	draft = pw_record_builder_begin(builder);
	draft->identity.pid = 42;
	draft->identity.service = draft->identity.process = pw_record_builder_string(builder, "shop");
	draft->boot_ns = 100 * PW_NS_PER_SEC;
	if (present)
		draft->heap.section =
			(struct pw_section){.present = true, .version = 1, .taken_ns = 70 * PW_NS_PER_SEC};
	draft->heap.inuse_bytes = 10000;
	add_site(draft, builder, "main.keep", "/src/shop/cache.go", 41, 4000, 1500);
	add_site(draft, builder, "strfmt.init", "strfmt/default.go", 73, 2000, 0);
	add_site(draft, builder, "strfmt.init", "strfmt/time.go", 73, 1000, -300);
	add_site(draft, builder, "strfmt.init", "elsewhere/time.go", 73, 500, 0); /* the labels of the one before */
	add_site(draft, builder, "main.evil\"", "x", 1, 100, 0);
	assert_int_equal(pw_record_builder_finish(builder, &record), 0);
	pw_record_builder_free(builder);
	return record;
}

static const char *page_of(bool present)
{
	static struct pw_published *published;
	struct pw_health health = {.attach_method = "", .budget_percent = -1};
	struct pw_record *record = record_of(present);
	const char *text;
	size_t size;

	pw_published_unref(published); /* the one before */
	assert_int_equal(pw_published_new(&published, &record, 1, NULL, 0, &health, 100, 100 * PW_NS_PER_SEC, 0), 0);
	pw_record_unref(record);
	assert_int_equal(pw_published_page(published, PW_PAGE_METRICS, &text, &size), 0);
	return text;
}

static size_t count_of(const char *page, const char *start)
{
	size_t count = 0;

	for (const char *line = page; (line = strstr(line, start)); line++)
		count++;
	return count;
}

static void each_line_is_a_series_and_the_rest_is_other(void **state)
{
	const char *page = page_of(true);

	(void)state;
	assert_non_null(strstr(page, "\nparkwatch_heap_site_inuse_bytes{" LABELS
				     ",function=\"main.keep\",site=\"cache.go:41\"} 4000\n"));
	assert_non_null(strstr(page, ",function=\"strfmt.init\",site=\"default.go:73\"} 2000\n"));
	assert_non_null(strstr(page, ",function=\"strfmt.init\",site=\"time.go:73\"} 1000\n"));
	assert_non_null(strstr(page, ",function=\"main.evil\\\"\",site=\"x:1\"} 100\n"));
	/* what is not shown, that of the same labels too */
	assert_non_null(strstr(page, ",function=\"other\",site=\"other\"} 2900\n"));
	assert_int_equal(count_of(page, "\nparkwatch_heap_site_inuse_bytes{"), 5);
}

static void growth_may_be_negative_and_has_no_rest(void **state)
{
	const char *page = page_of(true);

	(void)state;
	assert_non_null(strstr(page, "\nparkwatch_heap_site_growth_bytes{" LABELS
				     ",function=\"main.keep\",site=\"cache.go:41\"} 1500\n"));
	assert_non_null(strstr(page, ",function=\"strfmt.init\",site=\"time.go:73\"} -300\n"));
	assert_int_equal(count_of(page, "\nparkwatch_heap_site_growth_bytes{"), 4);
	assert_non_null(strstr(page, "\nparkwatch_heap_site_age_seconds{" LABELS "} 30\n"));
}

static void without_a_look_there_is_nothing(void **state)
{
	(void)state;
	assert_null(strstr(page_of(false), "\nparkwatch_heap_site_"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_line_is_a_series_and_the_rest_is_other),
		cmocka_unit_test(growth_may_be_negative_and_has_no_rest),
		cmocka_unit_test(without_a_look_there_is_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
