/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "collect/retry.h"

#include <errno.h>

#include "base/macros.h"
#include "base/time.h"

unsigned int pw_retry_failed(struct pw_retry *retry, uint64_t now_ns)
{
	retry->wait_ns = retry->wait_ns ? PW_MIN(retry->wait_ns * 2, PW_RETRY_MAX_NS) : PW_RETRY_FIRST_NS;
	retry->at_ns = now_ns + retry->wait_ns;
	return (unsigned int)(retry->wait_ns / PW_NS_PER_SEC);
}

bool pw_retry_due(const struct pw_retry *retry, uint64_t now_ns)
{
	return now_ns >= retry->at_ns;
}

bool pw_retry_worth(int r)
{
	switch (r) {
	case -EBUSY:  /* a debugger's breakpoint */
	case -E2BIG:  /* slots, or a map without room */
	case -EMFILE: /* files */
	case -ENFILE:
	case -ENOMEM:
	case -ENOSPC:
	case -EAGAIN:
	case -EINTR:
		return true;
	default:
		return false;
	}
}
