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
#include "output/alert_page.h"
#include "unit/output/sample.h"

static void a_page_says_what_is_known_and_nothing_of_what_is_not(void **state)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 16);
	struct pw_alert alert = sample_alert(PW_ALERT_FIRING);

	(void)state;
	pw_alert_page(&out, &alert, 4600 * PW_NS_PER_SEC);
	print_message("%s\n", pw_buf_text(&out));
	assert_non_null(strstr(pw_buf_text(&out), "WARNING  PW-G08 firing for 1h00m  [g08-1]\nshop (shop, pid 42)\n"));
	assert_non_null(strstr(pw_buf_text(&out), "\nwhat      300 goroutines are parked\n"));
	assert_non_null(strstr(pw_buf_text(&out), "\nwhere     started at main.leak main.go:42\n"));
	assert_non_null(
		strstr(pw_buf_text(&out), "\nsince     1970-01-01 00:16:40 UTC (1h00m ago): 0 then, 300 now\n"));
	assert_non_null(strstr(pw_buf_text(&out), "\nhow fast  +60 an hour\n"));
	assert_non_null(strstr(pw_buf_text(&out), "\nhow sure  suspected; what is normal is not known\n"));
	assert_null(strstr(pw_buf_text(&out), "over time"));
	assert_null(strstr(pw_buf_text(&out), "not seen"));
	assert_null(strstr(pw_buf_text(&out), "started by"));
}

static void a_page_shows_the_evidence(void **state)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 16);
	struct pw_alert alert = sample_alert(PW_ALERT_FIRING);

	(void)state;
	alert.floor_count = 4;
	alert.floor_bucket_ns = 60 * PW_NS_PER_SEC;
	alert.floors[1] = NAN;
	alert.floors[2] = 50;
	alert.floors[3] = 100;
	alert.eta_ns = 9 * 3600 * PW_NS_PER_SEC;
	alert.limit = 512e6;
	snprintf(alert.limit_name, sizeof(alert.limit_name), "memory.max");
	alert.baseline = 12;
	alert.process_count = 2;
	alert.processes[0] = (struct pw_alert_process){42, 300};
	alert.processes[1] = (struct pw_alert_process){43, 1200};
	alert.peak = 1312;
	alert.recurrence = 2;
	alert.first_fired_wall_ns = 500 * PW_NS_PER_SEC;
	alert.loss = (struct pw_alert_loss){.known = true, .share = 0.125, .dropped_events = 7, .gaps = 1};
	alert.moving_count = 1;
	alert.moving[0] = (struct pw_alert_moving){"rss\x1b[31m", "bytes", 1e6, 2.5e9};
	pw_alert_threshold(&alert, "growth_bytes", 64e6, 32e6, false);
	pw_alert_threshold(&alert, "exit_share", 0.05, 0.1, true);
	pw_alert_page(&out, &alert, 4600 * PW_NS_PER_SEC);
	print_message("%s\n", pw_buf_text(&out));
	assert_non_null(strstr(pw_buf_text(&out),
			       "  over time: \u2581 \u2584\u2588  0 to 100, the lowest of each of 4 times 1m00s\n"));
	assert_non_null(strstr(pw_buf_text(&out), "; memory.max of 512 MB in 9h00m\n"));
	assert_non_null(strstr(pw_buf_text(&out), "suspected; normal is up to 12; 2 thresholds crossed; 12.5% of the "
						  "evidence not seen\n"));
	assert_non_null(strstr(pw_buf_text(&out), "pid 42, and 1 more process)"));
	assert_non_null(strstr(pw_buf_text(&out), "  thresholds: growth_bytes 64 MB >= 32 MB\n"
						  "              exit_share 0.05 <= 0.1\n"));
	assert_non_null(strstr(pw_buf_text(&out), " 1.0 MB to 2.5 GB\n"));
	assert_non_null(strstr(pw_buf_text(&out), "come again 2 times since 1970-01-01 00:08:20 UTC"));
	assert_non_null(strstr(pw_buf_text(&out), "at most 1,312"));
	assert_null(strchr(pw_buf_text(&out), '\x1b'));
}

static void an_alert_is_found_by_what_only_its_id_begins_with(void **state)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(4096);
	struct pw_alert alerts[3] = {sample_alert(PW_ALERT_FIRING), sample_alert(PW_ALERT_FIRING),
				     sample_alert(PW_ALERT_GONE)};
	const struct pw_alert *found = NULL;

	(void)state;
	snprintf(alerts[0].id, sizeof(alerts[0].id), "g01-aaaa1111");
	snprintf(alerts[1].id, sizeof(alerts[1].id), "g01-aaaa2222");
	snprintf(alerts[2].id, sizeof(alerts[2].id), "g01-aaaa1111-77");
	assert_int_equal(pw_alert_find(alerts, 3, "g01-aaaa2", &out, &found), 0);
	assert_ptr_equal(found, &alerts[1]);
	assert_int_equal(pw_alert_find(alerts, 3, "g01-aaaa1111", &out, &found), 0); /* all of it goes before a part */
	assert_ptr_equal(found, &alerts[0]);
	assert_int_equal(pw_alert_find(alerts, 3, "g01", &out, &found), -EEXIST);
	assert_non_null(strstr(pw_buf_text(&out), "several alerts begin with 'g01': "));
	pw_buf_reset(&out);
	assert_int_equal(pw_alert_find(alerts, 3, "", &out, &found), -ENOENT);
	pw_buf_reset(&out);
	assert_int_equal(pw_alert_find(alerts, 3, "g01-aaab2222", &out, &found), -ENOENT);
	assert_string_equal(pw_buf_text(&out), "no alert 'g01-aaab2222': did you mean 'g01-aaaa2222'?\n");
	pw_buf_reset(&out);
	assert_int_equal(pw_alert_find(alerts, 0, "x", &out, &found), -ENOENT);
	assert_string_equal(pw_buf_text(&out), "no alert 'x': there are none\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_says_what_is_known_and_nothing_of_what_is_not),
		cmocka_unit_test(a_page_shows_the_evidence),
		cmocka_unit_test(an_alert_is_found_by_what_only_its_id_begins_with),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
