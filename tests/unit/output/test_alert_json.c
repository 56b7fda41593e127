/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/macros.h"
#include "output/alert_json.h"
#include "output/report.h"
#include "unit/output/sample.h"

/* DETECTORS 12, in its order. */
static const char *const fixed[] = {
	"id",	   "rule",	 "level",	   "confidence",   "state",	  "service",	  "build",
	"pid",	   "started",	 "onset",	   "fired",	   "created",	  "blocked",	  "n",
	"n_onset", "baseline",	 "arrivals_per_h", "exits_per_h",  "life_lb_h",	  "growth_per_h", "eta_s",
	"eta_lo",  "eta_hi",	 "limit",	   "pinned_bytes", "wait_object", "floors",	  "co_moving",
	"loss",	   "thresholds", "hint",	   "reproduce",
};

/* The keys of the outermost object of a line, in order; each as it is between its quotes. */
static size_t keys_of(const char *line, char keys[][64], size_t max)
{
	size_t count = 0, depth = 0;

	for (const char *c = line; *c; c++) {
		const char *end;

		if (*c == '{' || *c == '[')
			depth++;
		else if (*c == '}' || *c == ']')
			depth--;
		if (*c != '"')
			continue;
		for (end = c + 1; *end && *end != '"'; end++)
			end += *end == '\\';
		if (depth == 1 && end[1] == ':' && (c[-1] == ',' || c[-1] == '{')) {
			assert_true(count < max);
			snprintf(keys[count++], 64, "%.*s", (int)(end - c - 1), c + 1);
		}
		c = end;
	}
	return count;
}

static void fill(struct pw_alert *alert)
{
	*alert = sample_alert(PW_ALERT_FIRING);
	alert->window_ns = 3600 * PW_NS_PER_SEC;
	alert->life_ns = 7200 * PW_NS_PER_SEC;
	alert->eta_ns = 90 * PW_NS_PER_SEC;
	alert->floor_count = 3;
	alert->floors[1] = 5;
	alert->floors[2] = NAN;
	alert->floor_bucket_ns = PW_NS_PER_SEC;
	alert->moving_count = 1;
	alert->moving[0] = (struct pw_alert_moving){"rss", "bytes", 100, 200};
	alert->loss = (struct pw_alert_loss){.known = true, .share = 0.25, .dropped_events = 7};
	alert->waiting_on = (struct pw_alert_wait){.kind = "channel", .known = true};
	alert->locks = 1;
	alert->holder = (struct pw_alert_holder){.goid = 18, .circle_count = 2, .circle = {18, 19}};
	alert->stacks_wall_ns = 999 * PW_NS_PER_SEC;
	alert->growing_wall_ns = 998 * PW_NS_PER_SEC;
	alert->growing_sampled = true;
	alert->growing_count = 3;
	alert->growing[0] = (struct pw_alert_growing){.frame = {"main.keep\x1b", "/src/cache.go", 41},
						      .bytes = 1024 * 1024,
						      .per_hour = 2048 * 1024,
						      .share = 0.75,
						      .inuse_bytes = 5,
						      .over_ns = 1800 * PW_NS_PER_SEC};
	alert->growing[1] = (struct pw_alert_growing){.object_bytes = 96, .bytes = 2048, .over_ns = PW_NS_PER_SEC};
	alert->growing[2] = (struct pw_alert_growing){.large = true, .bytes = 1024, .over_ns = PW_NS_PER_SEC};
	pw_alert_threshold(alert, "trend_z", 4.5, 3.09, false);
	pw_alert_threshold(alert, "exit_share", 0, 0.1, true);
	pw_alert_threshold(alert, "trend_z", 5.5, 3.09, false); /* the newest stands */
}

static void an_alert_has_the_fixed_fields_in_their_order_and_all_that_the_schema_says(void **state)
{
	static char keys[128][64], quoted[80];
	struct pw_alert alert;
	size_t count;

	(void)state;
	for (int full = 0; full < 2; full++) {
		_cleanup_buf_ struct pw_buf line = PW_BUF_INIT(1U << 16), schema = PW_BUF_INIT(1U << 16);
		size_t described = 0;

		if (full)
			fill(&alert);
		else
			alert = (struct pw_alert){.baseline = -1};
		pw_view_alert_line(&line, &alert);
		count = keys_of(pw_buf_text(&line), keys, ARRAY_SIZE(keys));
		assert_true(count > ARRAY_SIZE(fixed));
		for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
			assert_string_equal(keys[i], fixed[i]);
		assert_int_equal(pw_view_alerts_schema(&schema), 0);
		for (size_t i = 0; i < count; i++) {
			snprintf(quoted, sizeof(quoted), "\"%s\": {", keys[i]);
			assert_non_null(strstr(pw_buf_text(&schema), quoted));
		}
		for (const char *c = pw_buf_text(&schema); (c = strstr(c, "\"description\"")); c++)
			described++;
		assert_int_equal(described, count); /* and no field is described that is not there */
	}
}

static void what_is_not_known_is_null_and_never_0(void **state)
{
	static const char *const nulls[] = {"\"baseline\":null", "\"arrivals_per_h\":null", "\"life_lb_h\":null",
					    "\"eta_s\":null",	 "\"limit\":null",	    "\"pinned_bytes\":null",
					    "\"loss\":null",	 "\"wait_object\":null",    "\"build\":null",
					    "\"started\":null"};
	_cleanup_buf_ struct pw_buf line = PW_BUF_INIT(1U << 16);
	struct pw_alert alert = sample_alert(PW_ALERT_FIRING);

	(void)state;
	pw_view_alert_line(&line, &alert);
	for (size_t i = 0; i < ARRAY_SIZE(nulls); i++)
		assert_non_null(strstr(pw_buf_text(&line), nulls[i]));
	snprintf(alert.unit, sizeof(alert.unit), "bytes");
	alert.parked = 0; /* of an alert about the process */
	alert.value = 5;
	pw_buf_reset(&line);
	pw_view_alert_line(&line, &alert);
	assert_non_null(strstr(pw_buf_text(&line), "\"n\":null,\"n_onset\":null"));
	assert_non_null(strstr(pw_buf_text(&line), "\"value\":5"));
}

static void evidence_is_in_the_units_that_its_names_say(void **state)
{
	_cleanup_buf_ struct pw_buf line = PW_BUF_INIT(1U << 16);
	struct pw_alert alert;

	(void)state;
	fill(&alert);
	pw_view_alert_line(&line, &alert);
	assert_non_null(strstr(pw_buf_text(&line), "\"life_lb_h\":2,"));
	assert_non_null(strstr(pw_buf_text(&line), "\"eta_s\":90,"));
	assert_non_null(strstr(pw_buf_text(&line), "\"floors\":[0,5,null]"));
	assert_non_null(
		strstr(pw_buf_text(&line),
		       "\"growing_estimated\":true,\"growing\":[{\"function\":\"main.keep\\u001b\",\"file\":"
		       "\"/src/cache.go\",\"line\":41,\"object_bytes\":null,\"growth_bytes\":1048576,"
		       "\"growth_per_h\":2097152,\"over_s\":1800,\"share\":0.75,\"inuse_bytes\":5},{\"function\":null,"
		       "\"file\":null,\"line\":null,\"object_bytes\":96,"));
	pw_buf_reset(&line);
	pw_report_alert(&line, &alert);
	assert_non_null(strstr(pw_buf_text(&line), "\n  growing: main.keep\\x1b cache.go:41 +1.0 MiB in 30m00s (75%)\n"
						   "           objects of 96 B +2.0 KiB in 1.0s (0%)\n"
						   "           large objects +1.0 KiB in 1.0s (0%)\n"));
	pw_buf_reset(&line);
	pw_view_alert_line(&line, &alert);
	assert_non_null(strstr(pw_buf_text(&line), "\"co_moving\":[{\"what\":\"rss\",\"unit\":\"bytes\",\"from\":100,"
						   "\"to\":200}]"));
	assert_non_null(strstr(pw_buf_text(&line), "\"loss\":0.25"));
	assert_non_null(strstr(pw_buf_text(&line), "\"thresholds\":{\"trend_z\":{\"value\":5.5,\"limit\":3.09,"
						   "\"crossed\":\"value >= limit\"},\"exit_share\":{\"value\":0,"
						   "\"limit\":0.1,\"crossed\":\"value <= limit\"}}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_alert_has_the_fixed_fields_in_their_order_and_all_that_the_schema_says),
		cmocka_unit_test(what_is_not_known_is_null_and_never_0),
		cmocka_unit_test(evidence_is_in_the_units_that_its_names_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
