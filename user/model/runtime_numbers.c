/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/runtime_numbers.h"

#include <math.h>
#include <string.h>

#include "base/macros.h"
#include "model/record.h"

#define FINE_SUPER_BUCKETS 45
#define FINE_SUB_BITS	   4
#define TIME_MIN_BITS	   9
#define TIME_MAX_BITS	   48
#define TIME_SUB_BITS	   2
#define TIME_BUCKETS	   ((TIME_MAX_BITS - TIME_MIN_BITS + 1) << TIME_SUB_BITS)

const struct pw_number_field pw_number_fields[] = {
#define X(name, kind, unit) {#name, PW_NUMBER_##kind, PW_NUMBER_##unit, offsetof(struct pw_runtime_numbers, name)},
	PW_RUNTIME_NUMBERS(X)
#undef X
};
const size_t pw_number_field_count = ARRAY_SIZE(pw_number_fields);

uint64_t pw_number_get(const struct pw_runtime_numbers *numbers, const struct pw_number_field *field)
{
	uint64_t value;

	memcpy(&value, (const char *)numbers + field->offset, sizeof(value));
	return value;
}

void pw_runtime_numbers_init(struct pw_runtime_numbers *ret_numbers)
{
	memset(ret_numbers, 0xff, sizeof(*ret_numbers)); /* PW_UNKNOWN everywhere */
	ret_numbers->gc_cpu_fraction = NAN;
}

const char *pw_histogram_name(enum pw_histogram histogram)
{
	static const char *const names[] = {"sched_latencies",	  "gc_pauses",	  "stw_stopping_gc",
					    "stw_stopping_other", "stw_total_gc", "stw_total_other",
					    "allocs_by_size",	  "frees_by_size"};

	_Static_assert(ARRAY_SIZE(names) == _PW_HISTOGRAM_MAX, "a name for each histogram");
	return (unsigned int)histogram < _PW_HISTOGRAM_MAX ? names[histogram] : "?";
}

const uint16_t pw_size_classes[PW_SIZE_CLASSES] = {
	0,     8,     16,    24,    32,	   48,	  64,	 80,	96,    112,   128,   144,   160,   176,
	192,   208,   224,   240,   256,   288,	  320,	 352,	384,   416,   448,   480,   512,   576,
	640,   704,   768,   896,   1024,  1152,  1280,	 1408,	1536,  1792,  2048,  2304,  2688,  3072,
	3200,  3456,  4096,  4864,  5376,  6144,  6528,	 6784,	6912,  8192,  9472,  9728,  10240, 10880,
	12288, 13568, 14336, 16384, 18432, 19072, 20480, 21760, 24576, 27264, 28672, 32768,
};

size_t pw_scale_buckets(enum pw_histogram_scale scale)
{
	switch (scale) {
	case PW_SCALE_FINE:
		return (FINE_SUPER_BUCKETS << FINE_SUB_BITS) + 1; /* its last bucket is open */
	case PW_SCALE_TIME:
		return TIME_BUCKETS + 2;
	case PW_SCALE_SIZE:
		return PW_SIZE_CLASSES + 1; /* below 1 byte, classes 1 to 67, large */
	default:
		return 0;
	}
}

/* index: of the runtime's own array. */
static double time_bound(unsigned int min_bits, unsigned int sub_bits, size_t index)
{
	uint64_t sub = index & ((1U << sub_bits) - 1), super = index >> sub_bits;

	if (!super)
		return ldexp((double)sub, (int)(min_bits - 1 - sub_bits));
	return ldexp((double)(sub + (1U << sub_bits)), (int)(min_bits + super - 2 - sub_bits));
}

double pw_scale_bound(enum pw_histogram_scale scale, size_t bucket)
{
	if (!bucket)
		return -INFINITY;
	if (bucket >= pw_scale_buckets(scale))
		return INFINITY;
	if (scale == PW_SCALE_SIZE) /* what fits a class has at most its size */
		return bucket == 1 ? 1 : pw_size_classes[bucket - 1] + 1;
	if (scale == PW_SCALE_FINE)
		return time_bound(FINE_SUB_BITS + 1, FINE_SUB_BITS, bucket - 1);
	return time_bound(TIME_MIN_BITS, TIME_SUB_BITS, bucket - 1);
}

uint64_t pw_histogram_total(const uint64_t *counts, enum pw_histogram_scale scale)
{
	uint64_t total = 0;

	for (size_t i = 0; i < pw_scale_buckets(scale); i++)
		total += counts[i];
	return total;
}

double pw_histogram_quantile(const uint64_t *counts, const uint64_t *before, enum pw_histogram_scale scale, double q)
{
	size_t buckets = pw_scale_buckets(scale);
	double total = 0, sum = 0;

	for (size_t i = 0; i < buckets; i++)
		total += (double)(counts[i] - (before ? before[i] : 0));
	if (!(total > 0))
		return NAN;
	for (size_t i = 0; i < buckets; i++) {
		sum += (double)(counts[i] - (before ? before[i] : 0));
		if (sum >= total * q && sum > 0) {
			double bound = pw_scale_bound(scale, i + 1);

			return isfinite(bound) ? bound : pw_scale_bound(scale, i);
		}
	}
	return NAN;
}
