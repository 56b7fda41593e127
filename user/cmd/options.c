/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/parse.h"
#include "base/why.h"
#include "cmd/config.h"

/*
 * getopt_long is driven by the command's table: long options return PARSE_BASE + index, letters are looked up. Its own
 * messages are off, because ours name the option that was probably meant.
 */
#define OPTIONS_MAX 32
#define PARSE_BASE  256
#define HELP_CODE   255

static int format_parse(const char *text, enum pw_format *ret_format)
{
	if (!strcmp(text, "text"))
		*ret_format = PW_FORMAT_TEXT;
	else if (!strcmp(text, "json"))
		*ret_format = PW_FORMAT_JSON;
	else
		return -EINVAL;
	return 0;
}

static int option_apply(const struct pw_command *command, const struct pw_option *option, const char *value,
			void *values, struct pw_config *config)
{
	char *slot = (char *)values + option->offset;
	struct pw_why why = {0};
	int r = 0;

	switch (option->kind) {
	case PW_OPTION_FLAG:
		*(bool *)slot = true;
		break;
	case PW_OPTION_TEXT:
		*(const char **)slot = value;
		break;
	case PW_OPTION_DURATION:
		r = pw_parse_duration(value, (uint64_t *)slot);
		break;
	case PW_OPTION_NUMBER:
		r = pw_parse_u64(value, (uint64_t *)slot);
		break;
	case PW_OPTION_FORMAT:
		r = format_parse(value, (enum pw_format *)slot);
		break;
	case PW_OPTION_JSON:
		*(enum pw_format *)slot = PW_FORMAT_JSON;
		break;
	case PW_OPTION_SETTING:
		r = pw_config_set(config, option->setting, value ? value : "yes", PW_SOURCE_FLAG, &why);
		break;
	}
	if (r >= 0)
		return 0;
	if (why.text[0])
		return pw_log_usage(-EINVAL, "--%s: %s", option->name, why.text);
	return pw_log_usage(-EINVAL, "--%s: '%s' is not a %s; see 'parkwatch %s --help'", option->name, value,
			    option->kind == PW_OPTION_DURATION ? "duration (like 5s or 1m30s)"
			    : option->kind == PW_OPTION_FORMAT ? "format (text or json)"
							       : "number",
			    command->name);
}

static const struct pw_option *option_by_letter(const struct pw_command *command, int letter)
{
	for (size_t i = 0; i < command->option_count; i++)
		if (command->options[i].letter && command->options[i].letter == letter)
			return &command->options[i];
	return NULL;
}

static int option_unknown(const struct pw_command *command, const char *argument)
{
	const char *names[OPTIONS_MAX + 1], *near;
	char word[PW_PARSE_KEY_MAX + 1];
	size_t count = 0;

	for (; count < command->option_count && count < OPTIONS_MAX; count++)
		names[count] = command->options[count].name;
	names[count++] = "help";
	snprintf(word, sizeof(word), "%.*s", (int)strcspn(argument + 2, "="), argument + 2);
	near = pw_suggest(word, names, count);
	if (near)
		return pw_log_usage(-EINVAL, "unknown option '--%s': did you mean '--%s'?", word, near);
	return pw_log_usage(-EINVAL, "unknown option '--%s'; see 'parkwatch %s --help'", word, command->name);
}

/* What getopt_long could not take: '?' with optopt 0 is an unknown long option, the word before optind. */
static int option_refuse(const struct pw_command *command, int code, char **argv)
{
	if (code == '?' && optopt == 0)
		return option_unknown(command, argv[optind - 1]);
	if (optopt == HELP_CODE)
		return pw_log_usage(-EINVAL, "option '--help' takes no argument; see 'parkwatch %s --help'",
				    command->name);
	if (optopt >= PARSE_BASE && (size_t)(optopt - PARSE_BASE) < command->option_count)
		return pw_log_usage(-EINVAL, "option '--%s' %s; see 'parkwatch %s --help'",
				    command->options[optopt - PARSE_BASE].name,
				    code == ':' ? "needs an argument" : "takes no argument", command->name);
	return pw_log_usage(-EINVAL, "%s '-%c'%s; see 'parkwatch %s --help'", code == ':' ? "option" : "unknown option",
			    optopt, code == ':' ? " needs an argument" : "", command->name);
}

static void options_build(const struct pw_command *command, struct option *ret_long, char *ret_short)
{
	size_t n = 0, letters = 0;

	ret_short[letters++] = ':'; /* a missing argument is told from an unknown option */
	for (; n < command->option_count && n < OPTIONS_MAX; n++) {
		const struct pw_option *option = &command->options[n];

		ret_long[n] = (struct option){option->name, option->argument ? required_argument : no_argument, NULL,
					      PARSE_BASE + (int)n};
		if (!option->letter)
			continue;
		ret_short[letters++] = option->letter;
		if (option->argument)
			ret_short[letters++] = ':';
	}
	ret_short[letters++] = 'h';
	ret_short[letters] = '\0';
	ret_long[n++] = (struct option){"help", no_argument, NULL, HELP_CODE};
	ret_long[n] = (struct option){0};
}

static void help_print(const struct pw_command *command)
{
	struct pw_buf out = PW_BUF_INIT(64U << 10);

	pw_options_help(command, &out);
	fputs(pw_buf_text(&out), stdout);
	pw_buf_done(&out);
}

int pw_options_parse(const struct pw_command *command, int argc, char **argv, void *values, struct pw_config *config,
		     struct pw_options_result *ret_result)
{
	struct option long_options[OPTIONS_MAX + 2];
	char letters[2 * OPTIONS_MAX + 4];
	int code, r;

	options_build(command, long_options, letters);
	*ret_result = (struct pw_options_result){0};
	opterr = 0;
	optind = 0; /* glibc: start anew */
	while ((code = getopt_long(argc, argv, letters, long_options, NULL)) >= 0) {
		const struct pw_option *option;

		if (code == HELP_CODE || code == 'h') {
			help_print(command);
			ret_result->help = true;
			return 0;
		}
		option = code >= PARSE_BASE ? &command->options[code - PARSE_BASE] : option_by_letter(command, code);
		if (code == '?' || code == ':' || !option)
			return option_refuse(command, code, argv);
		r = option_apply(command, option, optarg, values, config);
		if (r < 0)
			return r;
	}
	ret_result->first = optind;
	ret_result->operands = argc - optind;
	return 0;
}

void pw_options_help(const struct pw_command *command, struct pw_buf *out)
{
	pw_buf_printf(out, "usage: parkwatch %s%s%s%s\n\n%s.\n", command->name,
		      command->option_count ? " [options]" : "", command->operands[0] ? " " : "", command->operands,
		      command->summary);
	if (command->details)
		pw_buf_printf(out, "\n%s\n", command->details);
	pw_buf_puts(out, "\n");
	for (size_t i = 0; i < command->option_count; i++) {
		const struct pw_option *option = &command->options[i];
		char left[64], letter[8] = "    ", defaults[128] = "";

		if (option->letter)
			snprintf(letter, sizeof(letter), "-%c, ", option->letter);
		snprintf(left, sizeof(left), "%s--%s%s%s", letter, option->name, option->argument ? " " : "",
			 option->argument ? option->argument : "");
		if (option->kind == PW_OPTION_SETTING)
			pw_config_default_text(option->setting, defaults, sizeof(defaults));
		pw_buf_printf(out, "  %-32s %s%s%s%s\n", left, option->help, defaults[0] ? " [" : "", defaults,
			      defaults[0] ? "]" : "");
	}
	pw_buf_printf(out, "  %-32s %s\n", "-h, --help", "this text");
}

void pw_options_overview(struct pw_buf *out)
{
	pw_buf_puts(out,
		    "usage: parkwatch <command> [options]\n\n"
		    "Watches the goroutines of running Go programs from outside: no restart, no change, no pause.\n\n");
	for (size_t i = 0; i < pw_command_count; i++) {
		char left[64];

		snprintf(left, sizeof(left), "%s%s%s", pw_commands[i]->name, pw_commands[i]->operands[0] ? " " : "",
			 pw_commands[i]->operands);
		pw_buf_printf(out, "  %-24s %s\n", left, pw_commands[i]->summary);
	}
	pw_buf_puts(out,
		    "\n'parkwatch <command> --help' explains one. Exit status: 0 fine, 2 could not tell, 3 usage or "
		    "environment.\n");
}
