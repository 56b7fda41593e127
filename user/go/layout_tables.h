/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_GO_LAYOUT_TABLES_H
#define PW_GO_LAYOUT_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "go/layout.h"

/* The border between layout_tables.c (generated) and layout.c, waitreason.c. Columns are pw_layout_versions in order,
 * oldest first. */
#define PW_LAYOUT_VERSIONS 11

struct pw_layout_version {
	int go_minor;
	bool exact;		    /* from the DWARF of a toolchain that the tests can build with */
	const char *toolchain;	    /* "go1.24.4" */
	const char *const *reasons; /* runtime.waitReasonStrings */
	size_t reason_count;
};

extern const struct pw_layout_version pw_layout_versions[PW_LAYOUT_VERSIONS];
extern const int32_t pw_layout_amd64[_PW_FIELD_MAX][PW_LAYOUT_VERSIONS];
extern const int32_t pw_layout_arm64[_PW_FIELD_MAX][PW_LAYOUT_VERSIONS];

#endif
