/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <stdbool.h>

/* Is this capability (CAP_*, linux/capability.h) effective in this thread? Being root is neither needed for it nor
 * enough. False when the kernel does not say. */
bool pw_capable(int capability);
