/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_CMD_OPTIONS_H
#define PW_CMD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_buf;
struct pw_config;

/* What a process of ours ends with; the meaning is the same for every subcommand. */
enum pw_exit {
	PW_EXIT_OK = 0,
	PW_EXIT_NO = 1,	     /* the answer is no: rules test */
	PW_EXIT_UNKNOWN = 2, /* could not tell: target gone, not Go, opted out, closed to us, no data */
	PW_EXIT_USAGE = 3,   /* usage or environment */
};

enum pw_option_kind {
	PW_OPTION_FLAG,	    /* bool */
	PW_OPTION_TEXT,	    /* const char *, borrowed from argv */
	PW_OPTION_DURATION, /* uint64_t, ns */
	PW_OPTION_NUMBER,   /* uint64_t */
	PW_OPTION_FORMAT,   /* enum pw_format */
	PW_OPTION_JSON,	    /* no argument: sets the enum pw_format at offset to JSON */
	PW_OPTION_SETTING,  /* a setting of config.h by the same name: goes into the configuration as a flag */
};

enum pw_format { PW_FORMAT_TEXT, PW_FORMAT_JSON };

/* One row drives the parser, --help and the suggestion for a misspelt option. */
struct pw_option {
	const char *name;     /* without the dashes */
	char letter;	      /* 0: none */
	const char *argument; /* "DURATION"; NULL: takes none */
	const char *help;
	enum pw_option_kind kind;
	size_t offset;	     /* of the value in the command's own struct; not for SETTING */
	const char *setting; /* SETTING: its key in the configuration file */
};

/* A subcommand: a row of the table in main.c and a file cmd_NAME.c. */
struct pw_command {
	const char *name;
	const char *operands; /* "FILE", "[FILE]", "" */
	const char *summary;  /* one line for `parkwatch help` */
	const char *details;  /* for --help: what it does, what it needs; may be NULL */
	const struct pw_option *options;
	size_t option_count;
	int (*run)(const struct pw_command *command, int argc,
		   char **argv); /* argv[0] is the name; returns enum pw_exit */
};

extern const struct pw_command *const pw_commands[];
extern const size_t pw_command_count;

struct pw_options_result {
	bool help; /* --help was given and has been printed: exit 0 */
	int first; /* index of the first operand in argv, which is permuted */
	int operands;
};

/*
 * Parses argv by the command's table into values (and config for settings; NULL if the command has none). One line on
 * stderr and -EINVAL for anything it does not understand, with the option that was probably meant.
 */
int pw_options_parse(const struct pw_command *command, int argc, char **argv, void *values, struct pw_config *config,
		     struct pw_options_result *ret_result) __attribute__((warn_unused_result));

/* Help of one command, and of all. */
void pw_options_help(const struct pw_command *command, struct pw_buf *out);
void pw_options_overview(struct pw_buf *out);

#endif
