/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "observe/numbers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/why.h"
#include "model/builder.h"
#include "target/runtime_metrics.h"
#include "target/target.h"

#define RETRY_NS (60 * PW_NS_PER_SEC) /* what was refused is not another thing a second later */

static int start(struct pw_observed_numbers *observed, struct pw_target *target, struct pw_why *reterr_why)
{
	if (!observed->histograms)
		observed->histograms = calloc(1, sizeof(*observed->histograms));
	if (!observed->histograms)
		return -ENOMEM;
	return observed->metrics ? 0 : pw_runtime_metrics_new(&observed->metrics, target, reterr_why);
}

static void refused(struct pw_observed_numbers *observed, int r, const struct pw_why *why, uint64_t boot_ns)
{
	observed->failures++;
	observed->stale = true;
	if (r == -EAGAIN || r == -EFAULT) /* a moment's bad luck */
		return;
	snprintf(observed->reason, sizeof(observed->reason), "%s", pw_why_text(why, r));
	observed->next_try_ns = boot_ns + RETRY_NS;
	observed->taken_ns = 0;
}

int pw_observed_numbers_poll(struct pw_observed_numbers *observed, struct pw_target *target, uint64_t boot_ns)
{
	struct pw_why why = {};
	int r;

	if (boot_ns < observed->next_try_ns)
		return 0;
	r = start(observed, target, &why);
	if (!r)
		r = pw_runtime_metrics_read(observed->metrics, PW_READ_THREADS | PW_READ_QUEUES, &observed->numbers,
					    observed->histograms, &why);
	if (r == -ESRCH)
		return r;
	if (r) {
		refused(observed, r, &why, boot_ns);
		return 0;
	}
	observed->taken_ns = boot_ns;
	observed->stale = false;
	observed->reason[0] = '\0';
	return 0;
}

void pw_observed_numbers_reset(struct pw_observed_numbers *observed)
{
	pw_runtime_metrics_free(observed->metrics);
	observed->metrics = NULL;
	observed->taken_ns = observed->next_try_ns = 0;
	observed->reason[0] = '\0';
}

void pw_observed_numbers_done(struct pw_observed_numbers *observed)
{
	pw_observed_numbers_reset(observed);
	free(observed->histograms);
	observed->histograms = NULL;
}

static void write_histogram(struct pw_record *draft, struct pw_record_builder *builder,
			    const struct pw_histograms *histograms, enum pw_histogram which)
{
	size_t buckets = pw_scale_buckets(histograms->scale[which]);

	draft->runtime.scale[which] = histograms->scale[which];
	for (size_t i = 0; i < buckets; i++) {
		struct pw_record_bucket *bucket;

		if (!histograms->count[which][i])
			continue;
		bucket = pw_record_builder_bucket(builder, NULL);
		if (!bucket)
			return;
		bucket->histogram = (uint16_t)which;
		bucket->bucket = (uint16_t)i;
		bucket->count = histograms->count[which][i];
	}
}

void pw_observed_numbers_write(const struct pw_observed_numbers *observed, struct pw_record *draft,
			       struct pw_record_builder *builder)
{
	if (!observed->taken_ns) {
		pw_runtime_numbers_init(&draft->runtime.numbers);
		return;
	}
	draft->runtime.numbers = observed->numbers;
	for (enum pw_histogram which = 0; which < _PW_HISTOGRAM_MAX; which++)
		write_histogram(draft, builder, observed->histograms, which);
}
