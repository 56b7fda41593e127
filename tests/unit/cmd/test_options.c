/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/macros.h"
#include "cmd/config.h"
#include "cmd/options.h"

struct values {
	const char *pid;
	uint64_t duration_ns, number;
	bool runs;
	enum pw_format format;
};

static const struct pw_option options[] = {
	{"pid", 'p', "PID", "the process", PW_OPTION_TEXT, offsetof(struct values, pid), NULL},
	{"duration", 'd', "DURATION", "how long", PW_OPTION_DURATION, offsetof(struct values, duration_ns), NULL},
	{"number", 0, "N", "how many", PW_OPTION_NUMBER, offsetof(struct values, number), NULL},
	{"runs", 0, NULL, "runs too", PW_OPTION_FLAG, offsetof(struct values, runs), NULL},
	{"json", 0, NULL, "as JSON", PW_OPTION_JSON, offsetof(struct values, format), NULL},
	{"format", 0, "FORMAT", "text or json", PW_OPTION_FORMAT, offsetof(struct values, format), NULL},
	{"budget", 0, "PERCENT", "budget", PW_OPTION_SETTING, 0, "budget"},
};
static const struct pw_command command = {.name = "try",
					  .operands = "[FILE]",
					  .summary = "Tries options",
					  .options = options,
					  .option_count = ARRAY_SIZE(options)};
const struct pw_command *const pw_commands[] = {&command};
const size_t pw_command_count = 1;

static struct values values;
static struct pw_options_result result;
static struct pw_config config;
static char said[512];

/* Parses "try" and the words; what goes to stderr is in said. */
static int parse(const char *words)
{
	static char text[256]; /* values borrow from it */
	char *argv[16], *save = NULL;
	int argc = 0, kept = dup(STDERR_FILENO), r;
	FILE *capture = tmpfile();
	size_t size;

	snprintf(text, sizeof(text), "try %s", words);
	for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	argv[argc] = NULL;
	values = (struct values){0};
	pw_config_init(&config);
	fflush(stderr);
	dup2(fileno(capture), STDERR_FILENO);
	r = pw_options_parse(&command, argc, argv, &values, &config, &result);
	fflush(stderr);
	dup2(kept, STDERR_FILENO);
	close(kept);
	rewind(capture);
	size = fread(said, 1, sizeof(said) - 1, capture);
	said[size] = '\0';
	fclose(capture);
	return r;
}

static void options_and_operands_in_any_order(void **state)
{
	(void)state;
	assert_int_equal(parse("file -p 12 --duration=5s --runs --budget 2 --number 7"), 0);
	assert_string_equal(values.pid, "12");
	assert_int_equal(values.duration_ns, 5 * PW_NS_PER_SEC);
	assert_int_equal(values.number, 7);
	assert_true(values.runs);
	assert_int_equal(values.format, PW_FORMAT_TEXT);
	assert_int_equal(result.operands, 1);
	assert_true(config.budget_percent > 1.9);
}

static void json_is_short_for_format_json(void **state)
{
	(void)state;
	assert_int_equal(parse("--json"), 0);
	assert_int_equal(values.format, PW_FORMAT_JSON);
	assert_int_equal(parse("--format json"), 0);
	assert_int_equal(values.format, PW_FORMAT_JSON);
	assert_int_equal(parse("--json --format text"), 0);
	assert_int_equal(values.format, PW_FORMAT_TEXT);
}

static void assert_refused(const char *words, const char *sentence)
{
	assert_int_equal(parse(words), -EINVAL);
	assert_string_equal(said, sentence);
}

static void what_is_wrong_is_said_in_one_line(void **state)
{
	(void)state;
	assert_refused("--durtion 5s", "parkwatch: unknown option '--durtion': did you mean '--duration'?\n");
	assert_refused("--qqqqqq", "parkwatch: unknown option '--qqqqqq'; see 'parkwatch try --help'\n");
	assert_refused("-x", "parkwatch: unknown option '-x'; see 'parkwatch try --help'\n");
	assert_refused("file --pid", "parkwatch: option '--pid' needs an argument; see 'parkwatch try --help'\n");
	assert_refused("file -p", "parkwatch: option '-p' needs an argument; see 'parkwatch try --help'\n");
	assert_refused("--json=yes", "parkwatch: option '--json' takes no argument; see 'parkwatch try --help'\n");
	assert_refused("--help=yes", "parkwatch: option '--help' takes no argument; see 'parkwatch try --help'\n");
	assert_refused("-d 5", "parkwatch: --duration: '5' is not a duration (like 5s or 1m30s); see 'parkwatch try "
			       "--help'\n");
	assert_refused("--format xml",
		       "parkwatch: --format: 'xml' is not a format (text or json); see 'parkwatch try --help'\n");
	assert_refused("--budget lots",
		       "parkwatch: --budget: budget: 'lots' is not a percentage like 1 or 0.5%, or none\n");
}

static void help_names_every_option_and_default(void **state)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 16);

	(void)state;
	pw_options_help(&command, &out);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		assert_non_null(strstr(pw_buf_text(&out), options[i].name));
	assert_non_null(strstr(pw_buf_text(&out), "usage: parkwatch try [options] [FILE]"));
	assert_non_null(strstr(pw_buf_text(&out), "budget [1]"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_and_operands_in_any_order),
		cmocka_unit_test(json_is_short_for_format_json),
		cmocka_unit_test(what_is_wrong_is_said_in_one_line),
		cmocka_unit_test(help_names_every_option_and_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
