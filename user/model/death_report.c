/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/death_report.h"

#include "base/intern.h"
#include "base/macros.h"

#define NAMES_MAX	1024U	     /* of all groups' frames, were they all different: 24 x 13 x 2, and some more */
#define NAMES_BYTES_MAX (256U << 10) /* names of functions with generics reach 1 kB */

int pw_death_report_new(struct pw_death_report **ret_report)
{
	struct pw_death_report *report = calloc(1, sizeof(*report));
	int r = report ? pw_intern_new(&report->names, NAMES_MAX, NAMES_BYTES_MAX) : -ENOMEM;

	if (r < 0) {
		free(report);
		return r;
	}
	report->references = 1;
	*ret_report = report;
	return 0;
}

struct pw_death_report *pw_death_report_ref(const struct pw_death_report *report)
{
	struct pw_death_report *shared = (struct pw_death_report *)(uintptr_t)report;

	__atomic_fetch_add(&shared->references, 1, __ATOMIC_RELAXED);
	return shared;
}

void pw_death_report_unref(struct pw_death_report *report)
{
	if (!report || __atomic_fetch_sub(&report->references, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	pw_intern_free(report->names);
	free(report);
}

const char *pw_death_name(const struct pw_death_report *report, uint32_t id)
{
	return pw_intern_text(report->names, id);
}
