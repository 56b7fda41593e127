/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/parse.h"
#include "base/time.h"

static void whole_numbers_are_taken_strictly(void **state)
{
	uint64_t u = 42;
	int64_t i = 42;

	(void)state;
	assert_int_equal(pw_parse_u64("18446744073709551615", &u), 0);
	assert_true(u == UINT64_MAX);
	assert_int_equal(pw_parse_u64("0xdeadBEEF", &u), 0);
	assert_int_equal(u, 0xdeadbeef);
	assert_int_equal(pw_parse_u64("18446744073709551616", &u), -ERANGE);
	assert_int_equal(u, 0xdeadbeef);
	assert_int_equal(pw_parse_i64("-9223372036854775808", &i), 0);
	assert_true(i == INT64_MIN);
	assert_int_equal(pw_parse_i64("9223372036854775808", &i), -ERANGE);
	assert_int_equal(pw_parse_i64("+7", &i), 0);
	assert_int_equal(i, 7);
	for (const char *const *bad = (const char *const[]){"", " 1", "1 ", "-1", "+1", "0x", "1x", "1.0", "१", NULL};
	     *bad; bad++)
		assert_int_equal(pw_parse_u64(*bad, &u), -EINVAL);
	for (const char *const *bad = (const char *const[]){"", "-", "--1", "0x10", "1e3", NULL}; *bad; bad++)
		assert_int_equal(pw_parse_i64(*bad, &i), -EINVAL);
}

static void doubles_pids_and_booleans_are_taken_strictly(void **state)
{
	double value = 0;
	bool flag = false;
	int pid = 0;

	(void)state;
	assert_int_equal(pw_parse_double("-1.5e3", &value), 0);
	assert_true(value == -1500);
	for (const char *const *bad = (const char *const[]){"", "nan", "inf", "1,5", "0x1p3", " 1", "1 ", "-", NULL};
	     *bad; bad++)
		assert_int_equal(pw_parse_double(*bad, &value), -EINVAL);
	assert_int_equal(pw_parse_double("1e999", &value), -ERANGE);
	assert_int_equal(pw_parse_bool("on", &flag), 0);
	assert_true(flag);
	assert_int_equal(pw_parse_bool("no", &flag), 0);
	assert_false(flag);
	assert_int_equal(pw_parse_bool("maybe", &flag), -EINVAL);
	assert_int_equal(pw_parse_pid("4194304", &pid), 0);
	assert_int_equal(pid, 4194304);
	assert_int_equal(pw_parse_pid("4194305", &pid), -ERANGE);
	assert_int_equal(pw_parse_pid("0", &pid), -ERANGE);
	assert_int_equal(pw_parse_pid("0x10", &pid), -EINVAL);
	assert_int_equal(pw_parse_pid("self", &pid), -EINVAL);
}

static void sizes_have_binary_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {{"10", 10}, {"64K", 65536}, {"5MB", 5 << 20}, {"2GiB", 2ULL << 30}, {"1.5G", 3ULL << 29}, {"0", 0}};
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(pw_parse_size(good[i].text, &bytes), 0);
		assert_int_equal(bytes, good[i].bytes);
	}
	for (const char *const *bad = (const char *const[]){"", "K", "1k", "-1", "1 K", "1.", "1KK", NULL}; *bad; bad++)
		assert_int_equal(pw_parse_size(*bad, &bytes), -EINVAL);
	assert_int_equal(pw_parse_size("99999999999T", &bytes), -ERANGE);
}

static void durations_demand_a_unit(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {{"250ms", 250000000},
		    {"10s", 10000000000},
		    {"1m30s", 90000000000},
		    {"1.5s", 1500000000},
		    {"7d", 604800000000000ULL},
		    {"0", 0},
		    {"3us", 3000},
		    {"5ns", 5}};
	uint64_t ns = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(pw_parse_duration(good[i].text, &ns), 0);
		assert_int_equal(ns, good[i].ns);
	}
	for (const char *const *bad = (const char *const[]){"", "10", "s", "1y", "1s2", "-1s", "1 s", "1.s", NULL};
	     *bad; bad++)
		assert_int_equal(pw_parse_duration(*bad, &ns), -EINVAL);
	assert_int_equal(pw_parse_duration("999999999d", &ns), -ERANGE);
}

static void percents_and_ratios_are_the_same(void **state)
{
	double ratio = 0;

	(void)state;
	assert_int_equal(pw_parse_percent("5%", &ratio), 0);
	assert_true(fabs(ratio - 0.05) < 1e-12);
	assert_int_equal(pw_parse_percent("0.05", &ratio), 0);
	assert_true(fabs(ratio - 0.05) < 1e-12);
	assert_int_equal(pw_parse_percent("250%", &ratio), 0);
	assert_true(fabs(ratio - 2.5) < 1e-12);
	assert_int_equal(pw_parse_percent("-5%", &ratio), -EINVAL);
	assert_int_equal(pw_parse_percent("5%%", &ratio), -EINVAL);
}

static void an_address_is_host_and_port(void **state)
{
	char host[16];
	uint16_t port = 0;

	(void)state;
	assert_int_equal(pw_parse_address("127.0.0.1:10435", host, sizeof(host), &port), 0);
	assert_string_equal(host, "127.0.0.1");
	assert_int_equal(port, 10435);
	assert_int_equal(pw_parse_address("[::1]:9000", host, sizeof(host), &port), 0);
	assert_string_equal(host, "::1");
	assert_int_equal(pw_parse_address(":0", host, sizeof(host), &port), 0);
	assert_string_equal(host, "");
	assert_int_equal(port, 0);
	assert_int_equal(pw_parse_address("localhost:65536", host, sizeof(host), &port), -ERANGE);
	assert_int_equal(pw_parse_address("a.host.with.a.long.name:1", host, sizeof(host), &port), -ERANGE);
	for (const char *const *bad =
		     (const char *const[]){"", "host", "host:", "::1:90", "[::1:90", "[]:1", "h:0x50", "h:1 ", NULL};
	     *bad; bad++)
		assert_int_equal(pw_parse_address(*bad, host, sizeof(host), &port), -EINVAL);
}

static void globs_match_the_whole_text(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} cases[] = {
		{"*", "", true},
		{"", "", true},
		{"", "a", false},
		{"prom*", "prometheus", true},
		{"prom", "prometheus", false},
		{"/usr/*/etcd", "/usr/local/bin/etcd", true},
		{"*.service", "a.service.b.service", true},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"[a-c]x", "bx", true},
		{"[!a-c]x", "bx", false},
		{"[]]x", "]x", true},
		{"[abc", "[abc", true}, /* not closed: itself */
		{"*a*b*c*", "xxaxxbxxcxx", true},
		{"*a*b*c*", "xxcxxbxxaxx", false},
		{"**", "anything", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(pw_glob_match(cases[i].pattern, cases[i].text), cases[i].matches);
}

/* A backtracking matcher takes 2^30 steps here; ours is quadratic. */
static void a_hostile_glob_does_not_explode(void **state)
{
	char text[4096];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_false(pw_glob_match("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", text));
}

static void the_nearest_key_is_suggested(void **state)
{
	static const char *const keys[] = {"listen", "include", "exclude", "rules", "log_level", "budget"};

	(void)state;
	assert_int_equal(pw_edit_distance("", "abc"), 3);
	assert_int_equal(pw_edit_distance("abcd", "abdc"), 1); /* neighbours swapped */
	assert_int_equal(pw_edit_distance("kitten", "sitting"), 3);
	assert_string_equal(pw_suggest("lisetn", keys, ARRAY_SIZE(keys)), "listen");
	assert_string_equal(pw_suggest("loglevel", keys, ARRAY_SIZE(keys)), "log_level");
	assert_string_equal(pw_suggest("inclde", keys, ARRAY_SIZE(keys)), "include");
	assert_null(pw_suggest("frobnicate", keys, ARRAY_SIZE(keys)));
	assert_null(pw_suggest("x", keys, 0));
}

static void durations_are_shown_in_two_units_at_most(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {
		{0, "0ns"},
		{850, "850ns"},
		{1200, "1.2us"},
		{12 * PW_NS_PER_MS, "12ms"},
		{999 * PW_NS_PER_MS, "999ms"},
		{3400 * PW_NS_PER_MS, "3.4s"},
		{59999 * PW_NS_PER_MS, "59s"},
		{130 * PW_NS_PER_SEC, "2m10s"},
		{(3 * 3600 + 5 * 60) * PW_NS_PER_SEC, "3h05m"},
		{(4 * 86400 + 2 * 3600) * PW_NS_PER_SEC, "4d2h"},
	};
	char text[PW_DURATION_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(pw_time_duration(cases[i].ns, text), cases[i].text);
	assert_true(strlen(pw_time_duration(UINT64_MAX, text)) < PW_DURATION_SIZE);
}

static void a_written_time_is_read_back(void **state)
{
	char text[PW_RFC3339_SIZE];
	uint64_t ns = 0;

	(void)state;
	assert_string_equal(pw_time_rfc3339(1795225500123456789ULL, text), "2026-11-21T01:45:00.123Z");
	assert_int_equal(pw_time_parse_rfc3339(text, &ns), 0);
	assert_true(ns == 1795225500123000000ULL);
	assert_int_equal(pw_time_parse_rfc3339("2026-11-21T02:45:00.5+01:00", &ns), 0);
	assert_true(ns == 1795225500500000000ULL);
	assert_int_equal(pw_time_parse_rfc3339("1970-01-01T00:00:00Z", &ns), 0);
	assert_true(ns == 0);
	assert_int_equal(pw_time_parse_rfc3339("2024-02-29T00:00:00Z", &ns), 0);
	for (const char *const *bad =
		     (const char *const[]){"", "2026-11-21", "2026-11-21T01:45:00", "2026-13-21T01:45:00Z",
					   "2026-02-30T01:45:00Z", "2026-11-21T25:45:00Z", "2026-11-21T01:45:00Zx",
					   "2026-11-21T01:45:00.Z", "1969-12-31T23:59:59Z", NULL};
	     *bad; bad++)
		assert_int_equal(pw_time_parse_rfc3339(*bad, &ns), -EINVAL);
}

static void clocks_run(void **state)
{
	uint64_t now = pw_now_ns(), boot = pw_boot_ns(), cpu = pw_cpu_thread_ns();

	(void)state;
	assert_true(now > 0 && pw_now_ns() >= now);
	assert_true(boot >= now); /* it counts suspend too */
	assert_true(pw_wall_ns() > 1700000000ULL * PW_NS_PER_SEC);
	assert_true(pw_cpu_process_ns() >= cpu);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_numbers_are_taken_strictly),
		cmocka_unit_test(doubles_pids_and_booleans_are_taken_strictly),
		cmocka_unit_test(sizes_have_binary_units),
		cmocka_unit_test(durations_demand_a_unit),
		cmocka_unit_test(percents_and_ratios_are_the_same),
		cmocka_unit_test(an_address_is_host_and_port),
		cmocka_unit_test(globs_match_the_whole_text),
		cmocka_unit_test(a_hostile_glob_does_not_explode),
		cmocka_unit_test(the_nearest_key_is_suggested),
		cmocka_unit_test(durations_are_shown_in_two_units_at_most),
		cmocka_unit_test(a_written_time_is_read_back),
		cmocka_unit_test(clocks_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
