/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/macros.h"
#include "model/builder.h"
#include "output/metrics.h"
#include "output/metrics_writer.h"
#include "output/publish.h"

#define LABELS "service=\"shop\",process=\"shop\",pid=\"42\""

static uint64_t counts[PW_HISTOGRAM_BUCKETS_MAX];

static void check_bounds(enum pw_histogram_scale scale, const char *const *bounds, size_t count)
{
	struct pw_client_histogram client;

	for (size_t i = 0; i < pw_scale_buckets(scale); i++)
		counts[i] = 1;
	pw_client_histogram_make(&client, counts, scale);
	assert_int_equal(client.count, count);
	for (size_t i = 0; i < count; i++) {
		_cleanup_buf_ struct pw_buf text = PW_BUF_INIT(64);

		pw_buf_decimal(&text, client.bucket[i].bound);
		assert_string_equal(pw_buf_text(&text), bounds[i]);
	}
	assert_int_equal(client.total, pw_scale_buckets(scale));
}

/* As prometheus built with Go 1.20 and later shows them. */
static void times_have_the_clients_buckets(void **state)
{
	static const char *const bounds[] = {"6.399999999999999e-08", "6.399999999999999e-07", "7.167999999999999e-06",
					     "8.191999999999999e-05", "0.0009175039999999999", "0.010485759999999998",
					     "0.11744051199999998"};

	(void)state;
	check_bounds(PW_SCALE_TIME, bounds, ARRAY_SIZE(bounds));
}

static void sizes_have_the_clients_buckets(void **state)
{
	static const char *const bounds[] = {"8.999999999999998",  "24.999999999999996", "64.99999999999999",
					     "144.99999999999997", "320.99999999999994", "704.9999999999999",
					     "1536.9999999999998", "3200.9999999999995", "6528.999999999999",
					     "13568.999999999998", "27264.999999999996"};

	(void)state;
	check_bounds(PW_SCALE_SIZE, bounds, ARRAY_SIZE(bounds));
}

static void counts_are_cumulative_and_the_sum_is_of_lower_bounds(void **state)
{
	struct pw_client_histogram client;

	(void)state;
	memset(counts, 0, sizeof(counts));
	counts[0] = 2;				   /* below 0 */
	counts[1] = 3;				   /* 0 to 64 ns */
	counts[2] = 5;				   /* 64 to 128 ns */
	counts[PW_HISTOGRAM_BUCKETS_MAX - 1] = 99; /* of another scale */
	counts[161] = 7;			   /* above the scale */
	pw_client_histogram_make(&client, counts, PW_SCALE_TIME);
	assert_int_equal(client.bucket[0].cumulative, 5);
	assert_int_equal(client.bucket[1].cumulative, 10);
	assert_int_equal(client.bucket[6].cumulative, 10);
	assert_int_equal(client.total, 17);
	assert_true(client.sum > 0.8 && client.sum < 0.9); /* 7 * 0.117 s */
}

static struct pw_record *record_of(const char *go_version)
{
	struct pw_record_builder *builder = NULL;
	struct pw_record_bucket *bucket;
	struct pw_record *draft, *record = NULL;

	assert_int_equal(pw_record_builder_new(&builder), 0);
	draft = pw_record_builder_begin(builder);
	draft->identity.pid = 42;
	draft->identity.service = pw_record_builder_string(builder, "shop");
	draft->identity.process = pw_record_builder_string(builder, "shop");
	draft->identity.go_version = pw_record_builder_string(builder, go_version);
	draft->runtime.section.present = true;
#define X(name, kind, unit) draft->runtime.numbers.name = 1000;
	PW_RUNTIME_NUMBERS(X)
#undef X
	draft->runtime.numbers.gc_percent = PW_GC_PERCENT_OFF;
	draft->runtime.numbers.threads_extra = 300;
	draft->runtime.numbers.limiter_last_cycle = PW_UNKNOWN;
	draft->runtime.numbers.gc_last_unix_ns = 1795692326589694500;
	for (uint64_t i = 0; i < PW_PAUSE_QUANTILES; i++)
		draft->runtime.numbers.gc_pause_quantiles_ns[i] = i * 250000000;
	draft->runtime.scale[PW_HISTOGRAM_ALLOCS_BY_SIZE] = PW_SCALE_SIZE;
	bucket = pw_record_builder_bucket(builder, NULL);
	bucket->histogram = PW_HISTOGRAM_ALLOCS_BY_SIZE;
	bucket->bucket = 5; /* 33 to 48 bytes */
	bucket->count = 12;
	assert_int_equal(pw_record_builder_finish(builder, &record), 0);
	pw_record_builder_free(builder);
	return record;
}

static const char *page_of(const char *go_version)
{
	static struct pw_published *published;
	struct pw_health health = {.attach_method = "", .budget_percent = -1};
	struct pw_record *record = record_of(go_version);
	const char *text;
	size_t size;

	pw_published_unref(published); /* the one before */
	assert_int_equal(pw_published_new(&published, &record, 1, NULL, 0, &health, 100, PW_NS_PER_SEC, 0), 0);
	pw_record_unref(record);
	assert_int_equal(pw_published_page(published, PW_PAGE_METRICS, &text, &size), 0);
	return text;
}

static void assert_has(const char *page, const char *line)
{
	_cleanup_buf_ struct pw_buf whole = PW_BUF_INIT(4096);

	pw_buf_printf(&whole, "\n%s\n", line);
	if (!strstr(page, pw_buf_text(&whole)))
		fail_msg("no line '%s'", line);
}

static void names_and_sums_are_the_clients(void **state)
{
	const char *page = page_of("go1.24.4");

	(void)state;
	assert_has(page, "go_memstats_mallocs_total{" LABELS "} 2000"); /* with the tiny ones */
	assert_has(page, "go_memstats_heap_sys_bytes{" LABELS "} 3000");
	assert_has(page, "go_memory_classes_heap_unused_bytes{" LABELS "} 0");
	assert_has(page, "go_memstats_last_gc_time_seconds{" LABELS "} 1795692326.5896945");
	assert_has(page, "go_gc_gogc_percent{" LABELS "} 1.8446744073709552e+19"); /* what the client makes of off */
	assert_has(page, "go_gc_duration_seconds{" LABELS ",quantile=\"0.25\"} 0.25");
	assert_has(page, "go_gc_duration_seconds_count{" LABELS "} 1000");
	assert_has(page, "go_cpu_classes_user_cpu_seconds_total{" LABELS "} 1e-06");
	assert_has(page, "# TYPE go_gc_heap_allocs_by_size_bytes histogram");
	assert_has(page, "go_gc_heap_allocs_by_size_bytes_bucket{" LABELS ",le=\"24.999999999999996\"} 0");
	assert_has(page, "go_gc_heap_allocs_by_size_bytes_bucket{" LABELS ",le=\"64.99999999999999\"} 12");
	assert_has(page, "go_gc_heap_allocs_by_size_bytes_bucket{" LABELS ",le=\"+Inf\"} 12");
	assert_has(page, "go_gc_heap_allocs_by_size_bytes_sum{" LABELS "} 1000"); /* exact: the bytes allocated */
	assert_null(strstr(page, "go_gc_limiter_last_enabled"));		  /* unknown */
	assert_null(strstr(page, "go_sched_latencies_seconds"));
}

static void what_a_version_does_not_have_is_absent(void **state)
{
	const char *page = page_of("go1.24.4");

	(void)state;
	assert_has(page, "go_sched_goroutines_goroutines{" LABELS "} 1000");
	assert_null(strstr(page, "go_gc_finalizers_queued"));
	assert_null(strstr(page, "go_sched_threads_total"));
	page = page_of("go1.26.10");
	assert_has(page, "go_gc_finalizers_queued_finalizers_total{" LABELS "} 1000");
	assert_has(page, "go_sched_threads_total_threads{" LABELS "} 700");  /* without those kept for C */
	assert_has(page, "go_sched_goroutines_goroutines{" LABELS "} 2000"); /* with those of the runtime */
	page = page_of("go1.19.8");
	assert_null(strstr(page, "go_gc_gogc_percent"));
	assert_null(strstr(page, "go_gc_heap_live_bytes"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_have_the_clients_buckets),
		cmocka_unit_test(sizes_have_the_clients_buckets),
		cmocka_unit_test(counts_are_cumulative_and_the_sum_is_of_lower_bounds),
		cmocka_unit_test(names_and_sums_are_the_clients),
		cmocka_unit_test(what_a_version_does_not_have_is_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
