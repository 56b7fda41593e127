/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/gzip.h"
#include "base/macros.h"
#include "model/profile.h"
#include "model/record.h"
#include "output/profile.h"
#include "output/save.h"
#include "support/profiles.h"

#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define SEC PW_NS_PER_SEC

static const struct sample_group groups[] = {
	{.count = 3,
	 .status = PW_GOROUTINE_WAITING,
	 .reason = "chan send",
	 .stack = {"runtime.gopark /go/proc.go:300", "runtime.chansend1 /go/chan.go:10",
		   "main.leak.func1 /src/main.go:17"},
	 .created_by = "main.leak /src/main.go:16",
	 .parked_ns = 90 * SEC,
	 .wait = "channel",
	 .senders = 3,
	 .label = "tenant",
	 .value = "a\"b"},
	{.count = 1,
	 .status = PW_GOROUTINE_WAITING,
	 .reason = "IO wait",
	 .stack = {"runtime.gopark /go/proc.go:300", "net.(*conn).Read /go/net.go:5", "main.main /src/main.go:30"},
	 .parked_ns = SEC,
	 .wait = "network",
	 .deadline_ns = 2 * SEC},
	{.count = 1, .status = PW_GOROUTINE_RUNNING, .created_by = "main.spin /src/main.go:40", .runs = 7},
	{.count = 2,
	 .status = PW_GOROUTINE_WAITING,
	 .reason = "GC worker (idle)",
	 .stack = {"runtime.gopark /go/proc.go:300", "runtime.gcBgMarkWorker /go/mgc.go:1"},
	 .parked_ns = SEC,
	 .system = true},
};

static void lacks(const char *text, const char *words)
{
	if (strstr(text, words))
		fail_msg("'%s' is in '%s'", words, text);
}

static void has(const char *text, const char *words)
{
	if (!strstr(text, words))
		fail_msg("'%s' is not in '%s'", words, text);
}

static void json_comes_back_as_it_was_written(void **state)
{
	struct pw_profile *profile = sample_profile(groups, ARRAY_SIZE(groups)), *again = NULL;
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 20);

	(void)state;
	assert_int_equal(pw_profile_write_json(&out, profile), 0);
	has(pw_buf_text(&out), "\"schema_version\": 1");
	has(pw_buf_text(&out), "\"tenant\": \"a\\\"b\"");
	has(pw_buf_text(&out), "\"deadline\": 2000000000");
	has(pw_buf_text(&out), "\"created_by\": null");
	lacks(pw_buf_text(&out), "growth");
	assert_int_equal(pw_profile_read_json(out.data, out.size, &again), 0);
	assert_int_equal(again->group_count, profile->group_count);
	assert_int_equal(again->total, profile->total);
	assert_int_equal(again->pid, 42);
	assert_true(again->taken_wall_ns == profile->taken_wall_ns);
	for (size_t i = 0; i < again->group_count; i++) {
		const struct pw_profile_group *a = &profile->groups[i], *b = &again->groups[i];

		assert_int_equal(a->count, b->count);
		assert_int_equal(a->status, b->status);
		assert_int_equal(a->frame_count, b->frame_count);
		assert_true(a->age_max_ns == b->age_max_ns);
		assert_string_equal(pw_profile_string(profile, a->wait_reason),
				    pw_profile_string(again, b->wait_reason));
		assert_int_equal(a->created_by.line, b->created_by.line);
		for (uint32_t k = 0; k < a->frame_count; k++)
			assert_string_equal(pw_profile_string(profile, profile->frames[a->first_frame + k].function),
					    pw_profile_string(again, again->frames[b->first_frame + k].function));
	}
	for (size_t n = 0; n < out.size - 2; n += 7) { /* cut anywhere: no document */
		struct pw_profile *none = NULL;

		assert_int_equal(pw_profile_read_json(out.data, n, &none), -EBADMSG);
	}
	pw_profile_free(again);
	pw_profile_free(profile);
}

static void json_of_something_else_is_refused(void **state)
{
	static const struct {
		const char *text;
		int error;
	} cases[] = {
		{"{}", -EBADMSG},
		{"[]", -EBADMSG},
		{"{\"schema_version\":1}", -EBADMSG},
		{"{\"schema_version\":2,\"groups\":[]}", -ENOTSUP},
		{"{\"schema_version\":1,\"groups\":{}}", -EBADMSG},
		{"{\"schema_version\":1,\"groups\":[1]}", -EBADMSG},
		{"{\"schema_version\":1,\"groups\":[],\"groups\":[]}", -EBADMSG},
		{"{\"schema_version\":1,\"groups\":[{\"count\":-1}]}", -EBADMSG},
		{"{\"schema_version\":1,\"groups\":[{\"count\":4294967296}]}", -EBADMSG},
		{"{\"schema_version\":1,\"groups\":[{\"status\":\"odd\"}]}", -EBADMSG},
		{"{\"schema_version\":1,\"groups\":[{\"stack\":[{\"line\":1.5}]}]}", -EBADMSG},
		{"{\"schema_version\":1,\"taken_at\":\"then\",\"groups\":[]}", -EBADMSG},
	};
	static const char more[] = "{\"more\":[{}],\"schema_version\":1,\"groups\":[{\"count\":2}]}";
	struct pw_profile *profile = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (pw_profile_read_json(cases[i].text, strlen(cases[i].text), &profile) != cases[i].error)
			fail_msg("%s", cases[i].text);
	assert_int_equal(pw_profile_read_json(more, strlen(more), &profile), 0);
	assert_int_equal(profile->total, 2);
	pw_profile_free(profile);
}

static void the_text_leads_with_what_is_biggest_and_oldest(void **state)
{
	struct pw_profile *profile = sample_profile(groups, ARRAY_SIZE(groups));
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 20);

	(void)state;
	assert_int_equal(pw_profile_write_text(&out, profile, 1), 0);
	has(pw_buf_text(&out),
	    "orders (pid 42, go1.19.8): 7 goroutines in 4 groups; two looks 1.0s apart, the first took 2.0ms\n"
	    "\n"
	    "biggest            3  chan send in main.leak.func1 main.go:17\n"
	    "oldest       >=6m00s  chan send in main.leak.func1 main.go:17\n"
	    "its own            5  3 chan send, 1 IO wait, 1 running\n"
	    "\n"
	    "3 chan send, for 1m30s to at least 6m00s (median 3m00s), never ran between the looks\n"
	    "    on channel");
	has(pw_buf_text(&out), "    labels: tenant=a\"b\n"
			       "      main.leak.func1 /src/main.go:17\n"
			       "    created by main.leak /src/main.go:16\n");
	has(pw_buf_text(&out), "\nand 2 goroutines in 2 more groups (--top)\nand 2 of the runtime itself\n");
	pw_profile_free(profile);
}

static void when_all_are_as_old_nobody_is_the_oldest(void **state)
{
	struct pw_profile *profile = sample_profile(groups, ARRAY_SIZE(groups));
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 20);

	(void)state;
	for (size_t i = 0; i < profile->group_count; i++) {
		profile->groups[i].age_max_ns = SEC;
		profile->groups[i].age_at_least = true;
	}
	assert_int_equal(pw_profile_write_text(&out, profile, 1), 0);
	has(pw_buf_text(&out),
	    "oldest        >=1.0s  2 groups, from before the first look (a running daemon knows more)\n");
	profile->ages_wall_ns = 1; /* the daemon's ages are what it knows */
	pw_buf_reset(&out);
	assert_int_equal(pw_profile_write_text(&out, profile, 1), 0);
	has(pw_buf_text(&out), "oldest        >=1.0s  chan send in main.leak.func1");
	pw_profile_free(profile);
}

/* What a core file does not say is in no format. */
static void a_profile_of_a_core_file_has_no_ages(void **state)
{
	struct sample_group quiet[ARRAY_SIZE(groups)];
	struct pw_profile *profile, *read;
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 20);

	(void)state;
	memcpy(quiet, groups, sizeof(quiet));
	for (size_t i = 0; i < ARRAY_SIZE(quiet); i++)
		quiet[i].parked_ns = 0;
	profile = sample_profile(quiet, ARRAY_SIZE(quiet));
	profile->from_core = true;
	profile->elapsed_ns = 0;
	profile->missing_bytes = 4096;
	for (size_t i = 0; i < profile->group_count; i++) {
		profile->groups[i].age_min_ns = profile->groups[i].age_median_ns = profile->groups[i].age_max_ns = 0;
		profile->groups[i].runs_per_second = -1;
	}
	assert_int_equal(pw_profile_write_json(&out, profile), 0);
	has(pw_buf_text(&out), "\"from_core\": true");
	has(pw_buf_text(&out), "\"missing_bytes\": 4096");
	has(pw_buf_text(&out), "\"age_ns\": null");
	has(pw_buf_text(&out), "\"runs\": null");
	lacks(pw_buf_text(&out), "at_least");
	assert_int_equal(pw_profile_read_json(pw_buf_text(&out), out.size, &read), 0);
	assert_int_equal(read->group_count, profile->group_count);
	pw_profile_free(read);
	pw_buf_reset(&out);
	assert_int_equal(pw_profile_write_text(&out, profile, 9), 0);
	has(pw_buf_text(&out), "orders (core of pid 42, go1.19.8, written ");
	has(pw_buf_text(&out), "the core is cut: 4,096 bytes of memory are missing");
	lacks(pw_buf_text(&out), "oldest");
	lacks(pw_buf_text(&out), ", for ");
	lacks(pw_buf_text(&out), "look");
	pw_profile_free(profile);
}

static void what_a_target_calls_itself_cannot_reach_the_terminal(void **state)
{
	const struct sample_group evil = {.count = 1,
					  .status = PW_GOROUTINE_WAITING,
					  .reason = "chan send",
					  .stack = {"main.\x1b[31m;</title><script>&\"'\n\xff /src/\x1b]0;x\a:1"},
					  .label = "k\x1b",
					  .value = "\r\n"};
	struct pw_profile *profile = sample_profile(&evil, 1);
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 20);

	(void)state;
	snprintf(profile->process, sizeof(profile->process), "a\x1b[2J<b>&");
	assert_int_equal(pw_profile_write_text(&out, profile, 9), 0);
	assert_int_equal(pw_profile_write_debug2(&out, profile), 0);
	assert_int_equal(pw_profile_write_folded(&out, profile), 0);
	assert_int_equal(pw_profile_write_svg(&out, profile), 0);
	assert_int_equal(pw_profile_write_json(&out, profile), 0);
	assert_null(memchr(out.data, 0x1b, out.size));
	assert_null(memchr(out.data, '\r', out.size));
	assert_null(memchr(out.data, '\a', out.size));
	pw_buf_reset(&out);
	assert_int_equal(pw_profile_write_svg(&out, profile), 0);
	lacks(pw_buf_text(&out), "</title><script>");
	lacks(pw_buf_text(&out), "<b>");
	has(pw_buf_text(&out), "main.?[31m;&lt;/title&gt;&lt;script&gt;&amp;&quot;&#39;??");
	pw_buf_reset(&out);
	assert_int_equal(pw_profile_write_folded(&out, profile), 0);
	assert_string_equal(pw_buf_text(&out), "main.\\x1b[31m:</title><script>&\"'\\n\\xff;[chan send] 1\n");
	pw_profile_free(profile);
}

static void folded_stacks_leave_out_the_runtimes_own(void **state)
{
	struct pw_profile *profile = sample_profile(groups, ARRAY_SIZE(groups));
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 20);

	(void)state;
	assert_int_equal(pw_profile_write_folded(&out, profile), 0);
	assert_string_equal(pw_buf_text(&out), "main.leak.func1;runtime.chansend1;runtime.gopark;[chan send] 3\n"
					       "main.main;net.(*conn).Read;runtime.gopark;[IO wait] 1\n"
					       "[running] 1\n");
	pw_profile_free(profile);
}

static void debug2_is_what_a_traceback_looks_like(void **state)
{
	struct pw_profile *profile = sample_profile(groups, ARRAY_SIZE(groups));
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 20);

	(void)state;
	profile->goroutines[3].locked_to_thread = true;
	assert_int_equal(pw_profile_write_debug2(&out, profile), 0);
	has(pw_buf_text(&out), "goroutine 1 [chan send, 1 minutes]:\n"
			       "main.leak.func1(...)\n"
			       "\t/src/main.go:17 +0x21\n"
			       "created by main.leak\n"
			       "\t/src/main.go:16 +0x21\n"
			       "\n"
			       "goroutine 2 [chan send, 3 minutes]:\n");
	has(pw_buf_text(&out), "\ngoroutine 4 [IO wait, locked to thread]:\n"
			       "net.(*conn).Read(...)\n");
	has(pw_buf_text(&out), "goroutine 5 [running]:\n"
			       "\tgoroutine running on other thread; stack unavailable\n"
			       "created by main.spin in goroutine 1\n");
	lacks(pw_buf_text(&out), "gcBgMarkWorker");
	pw_profile_free(profile);
}

/* --- pprof ------------------------------------------------------------------------------------------------------- */

struct seen {
	uint64_t samples, locations, functions, strings, mappings, values[2];
	char text[4096];
};

static void see_sample(struct pw_bytes *bytes, struct seen *seen)
{
	while (pw_bytes_remaining(bytes)) {
		uint64_t tag = pw_bytes_uvarint(bytes), size = pw_bytes_uvarint(bytes);
		struct pw_bytes inner = pw_bytes_sub(bytes, size);

		for (int i = 0; tag == (2 << 3 | 2) && pw_bytes_remaining(&inner); i++)
			seen->values[i & 1] += pw_bytes_uvarint(&inner);
	}
}

static void see(struct pw_bytes *bytes, struct seen *seen)
{
	while (pw_bytes_remaining(bytes)) {
		uint64_t tag = pw_bytes_uvarint(bytes), size;
		struct pw_bytes inner;

		if ((tag & 7) == 0) {
			pw_bytes_uvarint(bytes);
			continue;
		}
		assert_int_equal(tag & 7, 2);
		size = pw_bytes_uvarint(bytes);
		inner = pw_bytes_sub(bytes, size);
		assert_true(pw_bytes_ok(bytes));
		seen->samples += tag >> 3 == 2;
		seen->mappings += tag >> 3 == 3;
		seen->locations += tag >> 3 == 4;
		seen->functions += tag >> 3 == 5;
		if (tag >> 3 == 2)
			see_sample(&inner, seen);
		if (tag >> 3 == 6) {
			seen->strings++;
			snprintf(seen->text + strlen(seen->text), sizeof(seen->text) - strlen(seen->text), "%.*s|",
				 (int)size, (const char *)pw_bytes_take(&inner, size));
		}
	}
	assert_true(pw_bytes_ok(bytes));
}

static void pprof_has_each_location_function_and_string_once(void **state)
{
	struct pw_profile *profile = sample_profile(groups, ARRAY_SIZE(groups));
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 20), plain = PW_BUF_INIT(1U << 20);
	struct seen seen = {0};
	struct pw_bytes bytes;

	(void)state;
	assert_int_equal(pw_profile_write_pprof(&out, profile), 0);
	assert_int_equal(pw_gzip_decompress(out.data, out.size, &plain), 0);
	bytes = pw_bytes_init(plain.data, plain.size);
	see(&bytes, &seen);
	assert_int_equal(seen.samples, 3);
	assert_int_equal(seen.mappings, 1);
	assert_int_equal(seen.locations, 3 + 3 + 1); /* each stack has addresses of its own; one for "running" */
	assert_int_equal(seen.functions, 3 + 2 + 1); /* runtime.gopark is one function */
	assert_int_equal(seen.values[0], 5);
	assert_true(seen.values[1] == (90 + 180 + 360 + 1) * SEC);
	assert_true(seen.text[0] == '|'); /* the first string is empty */
	has(seen.text, "|abcd|");
	has(seen.text, "|tenant|a\"b|");
	has(seen.text, "|[running]|");
	pw_profile_free(profile);
}

static void svg_widths_add_up_and_the_script_is_inside(void **state)
{
	struct pw_profile *profile = sample_profile(groups, ARRAY_SIZE(groups));
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 20);

	(void)state;
	assert_int_equal(pw_profile_write_svg(&out, profile), 0);
	has(pw_buf_text(&out), "<title>all (5 goroutines, 100.00%)</title>");
	has(pw_buf_text(&out), "<title>main.leak.func1 (3 goroutines, 60.00%)</title><rect x=\"480.00\"");
	has(pw_buf_text(&out), "data-w=\"720.000\"");
	has(pw_buf_text(&out), "<![CDATA[");
	lacks(pw_buf_text(&out), "href");
	lacks(pw_buf_text(&out), "gcBgMarkWorker");
	pw_profile_free(profile);
}

static void time_over_many_looks_is_shown_by_state(void **state)
{
	struct pw_profile *profile = sample_profile(groups, 2);
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 20);

	(void)state;
	profile->over_ns = 10 * SEC;
	profile->looks = 100;
	profile->groups[0].waiting_ns = 30 * SEC;
	profile->groups[1].running_ns = SEC;
	assert_int_equal(pw_profile_write_folded(&out, profile), 0);
	has(pw_buf_text(&out), "[chan send] 30000000\n");
	has(pw_buf_text(&out), "[running] 1000000\n");
	pw_buf_reset(&out);
	assert_int_equal(pw_profile_write_json(&out, profile), 0);
	has(pw_buf_text(&out), "\"time_ns\": {");
	pw_buf_reset(&out);
	assert_int_equal(pw_profile_write_text(&out, profile, 5), 0);
	has(pw_buf_text(&out), "100 looks in 10s");
	has(pw_buf_text(&out), "time: waiting 30s\n");
	pw_profile_free(profile);
}

static void a_file_is_written_whole_and_for_us_alone(void **state)
{
	char folder[] = "/tmp/parkwatch-save.XXXXXX", path[64], text[8] = "";
	struct stat st;
	FILE *file;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/p.json", folder);
	assert_int_equal(pw_save_file(path, "old", 3), 0);
	assert_int_equal(pw_save_file(path, "new!", 4), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	file = fopen(path, "r");
	assert_int_equal(fread(text, 1, sizeof(text) - 1, file), 4);
	assert_string_equal(text, "new!");
	fclose(file);
	assert_int_equal(pw_save_file(folder, "x", 1), -EISDIR);
	assert_int_equal(pw_save_file("/nonexistent/x", "x", 1), -ENOENT);
	assert_int_equal(pw_save_file("/dev/full", "x", 1), -ENOSPC);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0); /* nothing is left beside it */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_comes_back_as_it_was_written),
		cmocka_unit_test(json_of_something_else_is_refused),
		cmocka_unit_test(the_text_leads_with_what_is_biggest_and_oldest),
		cmocka_unit_test(when_all_are_as_old_nobody_is_the_oldest),
		cmocka_unit_test(a_profile_of_a_core_file_has_no_ages),
		cmocka_unit_test(what_a_target_calls_itself_cannot_reach_the_terminal),
		cmocka_unit_test(folded_stacks_leave_out_the_runtimes_own),
		cmocka_unit_test(debug2_is_what_a_traceback_looks_like),
		cmocka_unit_test(pprof_has_each_location_function_and_string_once),
		cmocka_unit_test(svg_widths_add_up_and_the_script_is_inside),
		cmocka_unit_test(time_over_many_looks_is_shown_by_state),
		cmocka_unit_test(a_file_is_written_whole_and_for_us_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
