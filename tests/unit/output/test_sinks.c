/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/macros.h"
#include "base/why.h"
#include "output/sinks.h"
#include "unit/output/sample.h"

/* One webhook, whose receiver is away: what it is told waits, and is counted. */
static struct pw_sinks *sinks_new(const char *file)
{
	struct pw_sinks_config config;
	struct pw_sinks *sinks = NULL;
	struct pw_why why = {0};

	pw_sinks_config_default(&config);
	config.spool[0] = '\0';
	snprintf(config.file, sizeof(config.file), "%s", file);
	snprintf(config.webhooks[0].url, sizeof(config.webhooks[0].url), "http://127.0.0.1:1/");
	config.webhooks[0].format = PW_WEBHOOK_JSON;
	config.webhooks[0].timeout_ns = PW_NS_PER_SEC;
	config.webhook_count = 1;
	assert_int_equal(pw_sinks_new(&sinks, &config, &why), 0);
	assert_int_equal(pw_sinks_start(sinks, &why), 0);
	return sinks;
}

static bool waits(struct pw_sinks *sinks, uint64_t count)
{
	struct pw_sink_stats stats[PW_SINKS_MAX];

	for (int i = 0; i < 1000; i++) {
		size_t found = pw_sinks_stats(sinks, stats);

		if (stats[found - 1].waiting == count)
			return true;
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	return false;
}

static size_t lines_of(const char *path, char *last, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t count = 0;

	assert_non_null(file);
	while (fgets(last, (int)size, file))
		count++;
	fclose(file);
	return count;
}

static void webhooks_are_told_what_wakes_people_and_the_file_all(void **state)
{
	char path[] = "/tmp/parkwatch-sinks-XXXXXX";
	static char line[65536];
	struct pw_alert alert = sample_alert(PW_ALERT_FIRING);
	int fd = mkstemp(path);
	struct pw_sinks *sinks;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	sinks = sinks_new(path);
	alert.hold = PW_HOLD_GROUPED;
	pw_sinks_tell(sinks, &alert);
	alert.page = PW_PAGE_TELL;
	alert.hold = PW_HOLD_NONE;
	alert.paged = true;
	pw_sinks_tell(sinks, &alert);
	assert_true(waits(sinks, 1)); /* not the first */
	alert.page = PW_PAGE_WITHDRAW;
	alert.hold = PW_HOLD_INHIBITED;
	alert.paged = false;
	pw_sinks_tell(sinks, &alert);
	assert_true(waits(sinks, 2));
	assert_int_equal(lines_of(path, line, sizeof(line)), 3);
	assert_non_null(strstr(line, "\"state\":\"firing\"")); /* it does: only they need not know */
	assert_non_null(strstr(line, "\"held\":\"inhibited\""));
	pw_sinks_free(sinks);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(webhooks_are_told_what_wakes_people_and_the_file_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
