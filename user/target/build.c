/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/build.h"

#include <stdio.h>

#include "base/macros.h"
#include "base/why.h"
#include "reader/reader.h"

struct pw_build *pw_build_new(const struct pw_build_facts *facts)
{
	struct pw_build *build = malloc(sizeof(*build));

	if (!build)
		return NULL;
	build->facts = *facts;
	build->references = 1;
	return build;
}

struct pw_build *pw_build_ref(struct pw_build *build)
{
	build->references++;
	return build;
}

void pw_build_unref(struct pw_build *build)
{
	if (build && --build->references == 0)
		free(build);
}

/* ---- asked and waited for ---- */

struct facts_answer {
	int r;
	struct pw_build *build;
	char why[256];
};

static void on_facts(void *context, int r, const struct pw_build_facts *facts, const char *why)
{
	struct facts_answer *answer = context;

	answer->r = r;
	snprintf(answer->why, sizeof(answer->why), "%s", why ? why : "");
	if (r < 0)
		return;
	answer->build = pw_build_new(facts);
	if (!answer->build)
		answer->r = -ENOMEM;
}

int pw_build_ask(struct pw_build **ret_build, struct pw_reader *reader, int exe_fd, const char *whose,
		 struct pw_why *reterr_why)
{
	struct facts_answer answer = {};
	int64_t id = pw_reader_ask_facts(reader, exe_fd, on_facts, &answer);
	int r;

	if (id < 0)
		return (int)id;
	r = pw_reader_wait(reader, id);
	if (!r)
		r = answer.r;
	if (r == -EBADMSG || r == -ENOTSUP || r == -E2BIG)
		return pw_why_set(reterr_why, -ENOEXEC, "%s is not a Go program: %s", whose, answer.why);
	if (r)
		return pw_why_set(reterr_why, r, "cannot read the executable of %s: %s", whose, answer.why);
	if (!answer.build->facts.is_go) {
		r = pw_why_set(reterr_why, -ENOEXEC, "%s is not a Go program: %s", whose,
			       answer.build->facts.why_not_go);
		pw_build_unref(answer.build);
		return r;
	}
	*ret_build = answer.build;
	return 0;
}
