/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_BUILD_H
#define PW_TARGET_BUILD_H

#include "reader/facts.h"

/* All facts of one build, shared by its processes, reference-counted. */
struct pw_build {
	struct pw_build_facts facts;
	unsigned int references;
};
struct pw_build *pw_build_new(const struct pw_build_facts *facts); /* NULL: no memory */
struct pw_build *pw_build_ref(struct pw_build *build);
void pw_build_unref(struct pw_build *build);

#endif
