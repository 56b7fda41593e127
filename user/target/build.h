/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_BUILD_H
#define PW_TARGET_BUILD_H

#include "reader/facts.h"

struct pw_reader;
struct pw_why;

/* All facts of one build, shared by its processes, reference-counted. */
struct pw_build {
	struct pw_build_facts facts;
	unsigned int references;
};
struct pw_build *pw_build_new(const struct pw_build_facts *facts); /* NULL: no memory */
struct pw_build *pw_build_ref(struct pw_build *build);
void pw_build_unref(struct pw_build *build);

/* For one-shot commands: asks the reader and waits. whose ("process 12", "'/path'") is named in the sentence: -ENOEXEC
 * not a Go program, or another error of the reader. exe_fd is borrowed. */
int pw_build_ask(struct pw_build **ret_build, struct pw_reader *reader, int exe_fd, const char *whose,
		 struct pw_why *reterr_why) __attribute__((warn_unused_result));

#endif
