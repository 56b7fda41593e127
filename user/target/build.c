/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/build.h"

#include "base/macros.h"

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
