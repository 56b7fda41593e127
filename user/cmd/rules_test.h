/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_CMD_RULES_TEST_H
#define PW_CMD_RULES_TEST_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/config.h"

/*
 * What a recording must give, as a YAML file says it:
 *
 *	recording: leak.pwrec.gz         # beside the file, or an absolute path; may be gzipped
 *	rules: {PW-G10: {life: 20s}}     # may be left out, like services, benign, benign_shipped: then as recorded
 *	expect:
 *	- rule: PW-G01
 *	  function: '^main\.start$'      # of the go statement
 *	  blocked: '^main\.send$'        # on the stack they are parked on
 *	  level: warning                 # the highest that was told
 *	  state: resolved                # at the end of the recording
 *	  between: [10s, 60s]            # after its beginning it fired
 *	  lowered: no                    # by the benign list
 *	  count: 1                       # so many alerts are as said; else at least one
 *	others: none                     # or any: what fires beside these
 */
#define PW_EXPECTATIONS_MAX 64
#define PW_EXPECTATION_TEXT 256

struct pw_expectation {
	char rule[16];
	char function[PW_EXPECTATION_TEXT], blocked[PW_EXPECTATION_TEXT]; /* "": any */
	int level, state, lowered;					  /* -1: any */
	uint64_t after_ns, before_ns;
	uint64_t count; /* 0: one or more */
	bool has_function, has_blocked;
	regex_t function_regex, blocked_regex;
};

struct pw_rules_test {
	char recording[PW_CONFIG_TEXT_MAX * 2];
	bool has_rules;		 /* others than those recorded: */
	struct pw_config config; /* these */
	bool others_allowed;
	struct pw_expectation *expectations; /* owned; PW_EXPECTATIONS_MAX */
	size_t count;
};

/* Reads path: 0, -EINVAL with "path:line:column: what is wrong", or what reading it said. */
int pw_rules_test_read(struct pw_rules_test *ret_test, const char *path, struct pw_why *reterr_why)
	__attribute__((warn_unused_result));
void pw_rules_test_done(struct pw_rules_test *test);

/* parkwatch rules test FILE...: judges each, prints ok and not ok. An enum pw_exit. */
int pw_rules_test_run(char *const *paths, size_t count);

#endif
