/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <stdbool.h>

/* The Go programs that scripts/targets builds: real binaries of every version and flavour, for tests of what reads
 * them. */
extern const char *const target_versions[]; /* "1.19", ...; ends with NULL */

/* Path of <behaviour>-<version>-<flavour>, in a buffer that the next call overwrites. */
const char *target_path(const char *behaviour, const char *version, const char *flavour);

/* An open file of it. If it was not built, the running test is skipped, or fails where CI is set; both say what to do.
 */
int target_open(const char *behaviour, const char *version, const char *flavour);
/* The same for target_path alone. */
void target_need(const char *path);
