/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Histograms of runtime/metrics as Go's client library reduces them. runtime/metrics' bounds are lower and inclusive;
 * of them every one is kept that is at least ten times (seconds) or twice (bytes) the one kept before, and from the
 * first above one second on all is one bucket. Prometheus' bounds are upper and inclusive: the next lower number.
 */
#include <math.h>

#include "base/macros.h"
#include "output/metrics_writer.h"

static double bound_of(enum pw_histogram_scale scale, size_t bucket)
{
	return pw_scale_bound(scale, bucket) / (scale == PW_SCALE_SIZE ? 1 : 1e9);
}

/* Is this the lower bound of a bucket of the client? kept: the one before it. */
static bool is_kept(enum pw_histogram_scale scale, double bound, double kept)
{
	double base = scale == PW_SCALE_SIZE ? 2 : 10;

	return isinf(bound) || bound >= kept * base;
}

void pw_client_histogram_make(struct pw_client_histogram *ret_histogram, const uint64_t *counts,
			      enum pw_histogram_scale scale)
{
	size_t buckets = pw_scale_buckets(scale);
	double kept = bound_of(scale, 1); /* what is below it is in the first bucket of the client */
	uint64_t in_bucket = counts[0];
	bool open = false; /* in the last bucket */

	*ret_histogram = (struct pw_client_histogram){};
	for (size_t i = 1; i < buckets; i++) {
		double next = bound_of(scale, i + 1);

		in_bucket += counts[i];
		ret_histogram->total += counts[i];
		if (i + 1 < buckets && (open || !is_kept(scale, next, kept)))
			continue;
		open = open || (scale != PW_SCALE_SIZE && next > 1);
		if (i + 1 < buckets && open)
			continue;
		ret_histogram->sum += in_bucket ? kept * (double)in_bucket : 0;
		in_bucket = 0;
		if (isinf(next) || ret_histogram->count == PW_CLIENT_BUCKETS_MAX)
			break;
		ret_histogram->bucket[ret_histogram->count].bound = nextafter(next, kept);
		ret_histogram->bucket[ret_histogram->count++].cumulative = ret_histogram->total + counts[0];
		kept = next;
	}
	ret_histogram->total += counts[0];
}
