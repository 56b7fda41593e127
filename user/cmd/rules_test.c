/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/rules_test.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/time.h"
#include "base/vec.h"
#include "base/why.h"
#include "cmd/oneshot.h"
#include "cmd/replaying.h"
#include "model/alert.h"

/*
 * `rules test`: a recording is judged, what came is held against what the file expects, and each of it is a line of the
 * Test Anything Protocol.
 */
#define HAPPENED_MAX  10000
#define OTHERS_SHOWN  20
#define OUT_BYTES_MAX (8U << 20)

struct happened {	       /* one alert, from firing to its end */
	struct pw_alert alert; /* as it was told last */
	enum pw_alert_level highest;
	uint64_t fired_ns; /* since the beginning */
	bool open, expected;
};

struct judged {
	struct pw_replaying replaying;
	struct {
		struct happened **items;
		size_t count, capacity, max;
	} all;
	uint64_t lost;
	struct pw_buf out;
	unsigned int line; /* of the protocol */
	bool failed;
};

static struct happened *open_one(struct judged *judged, const char *id)
{
	for (size_t i = judged->all.count; i-- > 0;)
		if (judged->all.items[i]->open && !strcmp(judged->all.items[i]->alert.id, id))
			return judged->all.items[i];
	return NULL;
}

static void on_transition(void *context, const struct pw_alert *alert)
{
	struct judged *judged = context;
	struct happened *happened = open_one(judged, alert->id);
	uint64_t begin_ns = judged->replaying.first_wall_ns;

	if (!happened) {
		happened = calloc(1, sizeof(*happened));
		if (!happened || pw_vec_push(&judged->all, happened) < 0) {
			free(happened);
			judged->lost++;
			return;
		}
		happened->highest = alert->level;
		happened->fired_ns = alert->fired_wall_ns - PW_MIN(begin_ns, alert->fired_wall_ns);
	}
	happened->alert = *alert;
	happened->highest = PW_MAX(happened->highest, alert->level);
	happened->open = alert->state != PW_ALERT_RESOLVED && alert->state != PW_ALERT_GONE;
}

/* --- expectations ---------------------------------------------------------------------------------------------------
 */

static bool stack_has(const regex_t *regex, const struct pw_alert *alert)
{
	for (size_t i = 0; i < alert->parked_stack_depth; i++)
		if (!regexec(regex, alert->parked_stack[i].function, 0, NULL, 0))
			return true;
	return false;
}

static bool fits(const struct pw_expectation *expectation, const struct happened *happened)
{
	const struct pw_alert *alert = &happened->alert;

	return !strcmp(expectation->rule, alert->rule) &&
	       (!expectation->has_function ||
		!regexec(&expectation->function_regex, alert->statement.function, 0, NULL, 0)) &&
	       (!expectation->has_blocked || stack_has(&expectation->blocked_regex, alert)) &&
	       (expectation->level < 0 || expectation->level == (int)happened->highest) &&
	       (expectation->state < 0 || expectation->state == (int)alert->state) &&
	       (expectation->lowered < 0 || expectation->lowered == (int)alert->lowered) &&
	       happened->fired_ns >= expectation->after_ns && happened->fired_ns <= expectation->before_ns;
}

static void put(struct pw_buf *out, const char *text)
{
	pw_buf_escaped(out, text, strlen(text));
}

static void begin_line(struct judged *judged, bool ok)
{
	judged->failed |= !ok;
	pw_buf_printf(&judged->out, "%sok %u - ", ok ? "" : "not ", ++judged->line);
}

/* "PW-G01 main.start 'main\.send' warning": what was asked for. */
static void put_expectation(struct pw_buf *out, const struct pw_expectation *expectation)
{
	char text[PW_DURATION_SIZE];

	pw_buf_puts(out, expectation->rule);
	if (expectation->has_function) {
		pw_buf_puts(out, " of ");
		put(out, expectation->function);
	}
	if (expectation->has_blocked) {
		pw_buf_puts(out, " in ");
		put(out, expectation->blocked);
	}
	if (expectation->level >= 0)
		pw_buf_printf(out, ", %s", pw_alert_level_name((enum pw_alert_level)expectation->level));
	if (expectation->lowered >= 0)
		pw_buf_puts(out, expectation->lowered ? ", lowered" : ", not lowered");
	if (expectation->state >= 0)
		pw_buf_printf(out, ", %s", pw_alert_state_name((enum pw_alert_state)expectation->state));
	if (expectation->before_ns != UINT64_MAX) {
		pw_buf_printf(out, ", between %s", pw_time_duration(expectation->after_ns, text));
		pw_buf_printf(out, " and %s", pw_time_duration(expectation->before_ns, text));
	}
}

static void put_happened(struct pw_buf *out, const struct happened *happened)
{
	char text[PW_DURATION_SIZE];

	pw_buf_printf(out, "%s ", happened->alert.rule);
	put(out, *happened->alert.statement.function ? happened->alert.statement.function : happened->alert.process);
	pw_buf_printf(out, ", %s%s, %s, fired after %s", pw_alert_level_name(happened->highest),
		      happened->alert.lowered ? " (lowered)" : "", pw_alert_state_name(happened->alert.state),
		      pw_time_duration(happened->fired_ns, text));
}

static void check_expectation(struct judged *judged, const struct pw_expectation *expectation)
{
	const struct happened *near = NULL;
	uint64_t count = 0;

	for (size_t i = 0; i < judged->all.count; i++) {
		struct happened *happened = judged->all.items[i];

		if (!strcmp(happened->alert.rule, expectation->rule))
			near = happened;
		if (!fits(expectation, happened))
			continue;
		happened->expected = true;
		count++;
	}
	begin_line(judged, expectation->count ? count == expectation->count : count > 0);
	put_expectation(&judged->out, expectation);
	if (expectation->count && count != expectation->count)
		pw_buf_printf(&judged->out, ": %" PRIu64 " instead of %" PRIu64, count, expectation->count);
	pw_buf_putc(&judged->out, '\n');
	if (count)
		return;
	pw_buf_puts(&judged->out, near ? "#   what did: " : "#   that rule has not fired");
	if (near)
		put_happened(&judged->out, near);
	pw_buf_putc(&judged->out, '\n');
}

static void check_others(struct judged *judged)
{
	size_t others = 0;

	for (size_t i = 0; i < judged->all.count; i++)
		others += !judged->all.items[i]->expected;
	begin_line(judged, !others);
	pw_buf_puts(&judged->out, "nothing else fires\n");
	for (size_t i = 0, shown = 0; i < judged->all.count && shown < OTHERS_SHOWN; i++) {
		if (judged->all.items[i]->expected)
			continue;
		pw_buf_puts(&judged->out, "#   ");
		put_happened(&judged->out, judged->all.items[i]);
		pw_buf_putc(&judged->out, '\n');
		shown++;
	}
	if (others > OTHERS_SHOWN)
		pw_buf_printf(&judged->out, "#   and %zu more\n", others - OTHERS_SHOWN);
}

/* --- one file ------------------------------------------------------------------------------------------------------
 */

static enum pw_exit judge(struct judged *judged, const struct pw_rules_test *test)
{
	enum pw_exit status;

	judged->replaying = (struct pw_replaying){
		.rules = test->has_rules ? &test->config : NULL, .on_transition = on_transition, .context = judged};
	status = pw_replaying_run(&judged->replaying, test->recording);
	if (status != PW_EXIT_OK)
		return status;
	if (judged->lost || !judged->replaying.records) {
		pw_log_usage(-ENODATA, "'%s': %s", test->recording,
			     judged->lost ? "more alerts than can be held against a test" : "no records");
		return PW_EXIT_UNKNOWN;
	}
	for (size_t i = 0; i < test->count; i++)
		check_expectation(judged, &test->expectations[i]);
	if (!test->others_allowed)
		check_others(judged);
	return PW_EXIT_OK;
}

static void forget(struct judged *judged)
{
	for (size_t i = 0; i < judged->all.count; i++)
		free(judged->all.items[i]);
	judged->all.count = 0;
}

static enum pw_exit test_file(struct judged *judged, const char *path)
{
	_cleanup_(pw_rules_test_done) struct pw_rules_test test = {0};
	struct pw_why why = {0};
	enum pw_exit status;
	int r = pw_rules_test_read(&test, path, &why);

	if (r < 0) {
		pw_log_usage(r, "%s", pw_why_text(&why, r));
		return PW_EXIT_USAGE;
	}
	pw_buf_puts(&judged->out, "# ");
	put(&judged->out, path);
	pw_buf_putc(&judged->out, '\n');
	status = judge(judged, &test);
	forget(judged);
	return status;
}

int pw_rules_test_run(char *const *paths, size_t count)
{
	struct judged judged = {.all.max = HAPPENED_MAX, .out = PW_BUF_INIT(OUT_BYTES_MAX)};
	enum pw_exit status = PW_EXIT_OK, printed;

	for (size_t i = 0; i < count && status == PW_EXIT_OK; i++)
		status = test_file(&judged, paths[i]);
	if (judged.line)
		pw_buf_printf(&judged.out, "1..%u\n", judged.line);
	printed = pw_oneshot_print(&judged.out);
	pw_buf_done(&judged.out);
	pw_vec_done(&judged.all);
	if (status == PW_EXIT_OK)
		status = printed;
	if (status == PW_EXIT_OK && judged.failed)
		status = PW_EXIT_NO;
	return (int)status;
}
