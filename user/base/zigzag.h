/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <stdint.h>

/* Differences of either sign as small numbers, for uvarints: 0, -1, 1, -2, ... become 0, 1, 2, 3, ... */
static inline uint64_t pw_zigzag(uint64_t difference)
{
	return (difference << 1) ^ (difference >> 63 ? UINT64_MAX : 0);
}

static inline uint64_t pw_unzigzag(uint64_t coded)
{
	return (coded >> 1) ^ (coded & 1 ? UINT64_MAX : 0);
}
