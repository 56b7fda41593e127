/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/robust.h"

#include <math.h>
#include <string.h>

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void pw_robust_sort(double *values, size_t count)
{
	if (count > 1)
		qsort(values, count, sizeof(*values), compare_doubles);
}

double pw_robust_quantile_sorted(const double *sorted, size_t count, double q)
{
	double position, below;
	size_t index;

	if (count == 0)
		return NAN;
	if (q <= 0)
		return sorted[0];
	if (q >= 1)
		return sorted[count - 1];
	position = q * (double)(count - 1);
	below = floor(position);
	index = (size_t)below;
	if (index + 1 >= count)
		return sorted[count - 1];
	return sorted[index] + (position - below) * (sorted[index + 1] - sorted[index]);
}

double pw_robust_quantile(const double *values, size_t count, double q, double *scratch)
{
	if (count == 0)
		return NAN;
	memcpy(scratch, values, count * sizeof(*values));
	pw_robust_sort(scratch, count);
	return pw_robust_quantile_sorted(scratch, count, q);
}

double pw_robust_median(const double *values, size_t count, double *scratch)
{
	return pw_robust_quantile(values, count, 0.5, scratch);
}

double pw_robust_mad(const double *values, size_t count, double center, double *scratch)
{
	if (count == 0)
		return NAN;
	for (size_t i = 0; i < count; i++)
		scratch[i] = fabs(values[i] - center);
	pw_robust_sort(scratch, count);
	return pw_robust_quantile_sorted(scratch, count, 0.5);
}

double pw_robust_slope(const double *x, const double *y, size_t count, double *scratch)
{
	size_t pairs = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t j = i + 1; j < count; j++)
			if (x[j] < x[i] || x[j] > x[i])
				scratch[pairs++] = (y[j] - y[i]) / (x[j] - x[i]);
	if (pairs == 0)
		return NAN;
	pw_robust_sort(scratch, pairs);
	return pw_robust_quantile_sorted(scratch, pairs, 0.5);
}

int64_t pw_robust_kendall_s(const double *y, size_t count)
{
	int64_t s = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t j = i + 1; j < count; j++)
			s += (y[j] > y[i]) - (y[j] < y[i]);
	return s;
}

double pw_robust_kendall_variance(const double *y, size_t count, double *scratch)
{
	double n = (double)count, ties = 0;

	memcpy(scratch, y, count * sizeof(*y));
	pw_robust_sort(scratch, count);
	for (size_t i = 0, j; i < count; i = j) {
		double t;

		for (j = i + 1; j < count && !(scratch[j] > scratch[i]); j++)
			;
		t = (double)(j - i);
		ties += t * (t - 1) * (2 * t + 5);
	}
	return (n * (n - 1) * (2 * n + 5) - ties) / 18;
}

double pw_robust_mann_kendall_z(const double *y, size_t count, double *scratch)
{
	double variance, s = (double)pw_robust_kendall_s(y, count);

	if (count < 3)
		return 0;
	variance = pw_robust_kendall_variance(y, count, scratch);
	if (variance <= 0)
		return 0;
	if (s > 0)
		return (s - 1) / sqrt(variance);
	if (s < 0)
		return (s + 1) / sqrt(variance);
	return 0;
}

double pw_robust_mean(const double *values, size_t count)
{
	double sum = 0;

	if (count == 0)
		return NAN;
	for (size_t i = 0; i < count; i++)
		sum += values[i];
	return sum / (double)count;
}

void pw_welford_add(struct pw_welford *welford, double value)
{
	double delta = value - welford->mean;

	welford->count++;
	welford->mean += delta / (double)welford->count;
	welford->m2 += delta * (value - welford->mean);
}

double pw_welford_variance(const struct pw_welford *welford)
{
	return welford->count < 2 ? NAN : welford->m2 / (double)(welford->count - 1);
}
