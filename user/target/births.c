/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * goids are handed out in order (src/runtime/proc.go:newproc1): a P takes 16 at a time from sched.goidgen into
 * goidcache..goidcacheend and gives them out one by one. So at any moment a goid was issued exactly if it is at most
 * goidgen and in no P's [goidcache, goidcacheend):
 *
 *	1 ........ 96  97 98 99 ......... 112  113 ...... 128    goidgen = 128
 *	               ^ P1: [99, 113)          ^ P0: [113, 129)    issued: 128 - 14 - 16 = 98
 *
 * Each poll keeps that picture with the times before and after it was taken. A goid that one picture has not and the
 * next one has was born in between. goidgen is read before the Ps: what it covers has been in a P's hands before we
 * look there.
 *
 * Pictures younger than PW_BIRTHS_EXACT_NS are all kept; of the older ones those go whose neighbours are close together
 * as measured by their age, so that bounds widen in proportion to age and the memory stays bounded.
 */
#include "target/births.h"

#include <string.h>

#include "base/limits.h"
#include "base/macros.h"
#include "base/time.h"
#include "model/record.h"
#include "target/gread.h"
#include "target/runtime.h"
#include "target/target.h"

struct interval { /* [start, end): handed to a P, not issued */
	uint64_t start, end;
};

struct picture {
	uint64_t before_ns, after_ns; /* CLOCK_BOOTTIME around the reads */
	uint64_t goidgen;
	uint32_t count;
	struct interval unissued[]; /* ascending */
};

struct pw_births {
	struct picture *pictures[PW_BIRTHS_PICTURES_MAX]; /* owned, oldest first */
	size_t count;
	size_t intervals; /* in all pictures */
	uint64_t total;	  /* PW_UNKNOWN before the first */
};

int pw_births_new(struct pw_births **ret_births)
{
	struct pw_births *births = calloc(1, sizeof(*births));

	if (!births)
		return -ENOMEM;
	births->total = PW_UNKNOWN;
	*ret_births = births;
	return 0;
}

void pw_births_free(struct pw_births *births)
{
	if (!births)
		return;
	for (size_t i = 0; i < births->count; i++)
		free(births->pictures[i]);
	free(births);
}

uint64_t pw_births_total(const struct pw_births *births)
{
	return births->total;
}

/* ---- history ---- */

static void drop(struct pw_births *births, size_t index)
{
	births->intervals -= births->pictures[index]->count;
	free(births->pictures[index]);
	births->count--;
	memmove(&births->pictures[index], &births->pictures[index + 1],
		(births->count - index) * sizeof(births->pictures[0]));
}

/* The picture that says least: its neighbours are closest together, relative to its age. Never the first or the last.
 */
static size_t least_telling(const struct pw_births *births, uint64_t now_ns, uint64_t exact_ns)
{
	size_t best = 0;
	double best_score = 0;

	for (size_t i = 1; i + 1 < births->count; i++) {
		uint64_t at = births->pictures[i]->before_ns, age = now_ns > at ? now_ns - at : 1;
		uint64_t span = births->pictures[i + 1]->before_ns - births->pictures[i - 1]->before_ns;
		double score = (double)span / (double)age;

		if (age >= exact_ns && (!best || score < best_score)) {
			best = i;
			best_score = score;
		}
	}
	return best;
}

static void thin(struct pw_births *births, uint64_t now_ns)
{
	while (births->count >= PW_BIRTHS_PICTURES_MAX || births->intervals > PW_BIRTHS_INTERVALS_MAX) {
		size_t victim = least_telling(births, now_ns, PW_BIRTHS_EXACT_NS);

		if (!victim)
			victim = least_telling(births, now_ns, 0);
		if (!victim)
			return;
		drop(births, victim);
	}
}

static void keep(struct pw_births *births, struct picture *picture)
{
	thin(births, picture->before_ns);
	if (births->count >= PW_BIRTHS_PICTURES_MAX) {
		free(picture);
		return;
	}
	births->pictures[births->count++] = picture;
	births->intervals += picture->count;
}

static bool issued(const struct picture *picture, uint64_t goid)
{
	size_t low = 0, high = picture->count;

	if (goid > picture->goidgen)
		return false;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (goid < picture->unissued[middle].start)
			high = middle;
		else if (goid >= picture->unissued[middle].end)
			low = middle + 1;
		else
			return false;
	}
	return true;
}

void pw_births_bounds(const struct pw_births *births, uint64_t goid, uint64_t *ret_after_ns, uint64_t *ret_before_ns)
{
	size_t low = 0, high = births->count;

	/* once issued, always issued: the first picture that has it */
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (issued(births->pictures[middle], goid))
			high = middle;
		else
			low = middle + 1;
	}
	*ret_after_ns = low ? births->pictures[low - 1]->before_ns : 0;
	*ret_before_ns = low < births->count ? births->pictures[low]->after_ns : PW_UNKNOWN;
}

/* ---- polling ---- */

struct shot { /* everything of one poll, read in one system call: goidgen first and last, the Ps in between */
	uint64_t first_goidgen, last_goidgen;
	struct interval caches[PW_PS_MAX];
	struct pw_mem_range ranges[PW_PS_MAX + 2];
	struct pw_runtime_ps ps;
};

static int read_shot(struct pw_target *target, struct shot *shot, uint64_t goidgen_at, int32_t cache_at, size_t *ret_ps)
{
	size_t n = 0, ps = 0;
	int r;

	shot->ranges[n++] = (struct pw_mem_range){
		.addr = goidgen_at, .buffer = &shot->first_goidgen, .size = sizeof(shot->first_goidgen)};
	for (size_t i = 0; i < shot->ps.capacity; i++) {
		if (!shot->ps.addr[i]) /* never used so far */
			continue;
		shot->ranges[n++] = (struct pw_mem_range){.addr = shot->ps.addr[i] + (uint64_t)cache_at,
							  .buffer = &shot->caches[ps++],
							  .size = sizeof(shot->caches[0])};
	}
	shot->ranges[n++] = (struct pw_mem_range){
		.addr = goidgen_at, .buffer = &shot->last_goidgen, .size = sizeof(shot->last_goidgen)};
	r = pw_mem_read_many(&target->mem, shot->ranges, n);
	if (r < 0)
		return r;
	if ((size_t)r < n)
		return -EFAULT;
	*ret_ps = ps;
	return 0;
}

static int compare_intervals(const void *a, const void *b)
{
	const struct interval *left = a, *right = b;

	return left->start < right->start ? -1 : left->start > right->start;
}

/* Leaves out what is empty, sorts, checks. -EAGAIN: caught in the middle of a change. */
static int check_shot(struct shot *shot, size_t ps, size_t *ret_count, uint64_t *ret_unissued)
{
	uint64_t last_end = 0;
	size_t count = 0;

	*ret_unissued = 0;
	for (size_t i = 0; i < ps; i++) {
		struct interval cache = shot->caches[i];

		if (cache.start == cache.end)
			continue;
		if (cache.end < cache.start || cache.end - cache.start > PW_GOID_BATCH)
			return -EAGAIN;
		if (cache.start > shot->first_goidgen)
			continue; /* taken after goidgen was read: nothing that this picture speaks of */
		shot->caches[count++] = cache;
	}
	qsort(shot->caches, count, sizeof(shot->caches[0]), compare_intervals);
	for (size_t i = 0; i < count; i++) {
		if (shot->caches[i].start < last_end || shot->caches[i].end > shot->last_goidgen + 1)
			return -EAGAIN;
		last_end = shot->caches[i].end;
		*ret_unissued += shot->caches[i].end - shot->caches[i].start;
	}
	if (shot->last_goidgen < shot->first_goidgen || *ret_unissued > shot->first_goidgen)
		return -EAGAIN;
	*ret_count = count;
	return 0;
}

static int add_picture(struct pw_births *births, const struct shot *shot, size_t count, uint64_t unissued,
		       uint64_t before_ns, uint64_t after_ns)
{
	const struct picture *last = births->count ? births->pictures[births->count - 1] : NULL;
	struct picture *picture;

	if (last && (shot->first_goidgen < last->goidgen || before_ns < last->before_ns))
		return -EAGAIN; /* it never falls */
	picture = malloc(sizeof(*picture) + count * sizeof(picture->unissued[0]));
	if (!picture)
		return -ENOMEM;
	picture->before_ns = before_ns;
	picture->after_ns = after_ns;
	picture->goidgen = shot->first_goidgen;
	picture->count = (uint32_t)count;
	memcpy(picture->unissued, shot->caches, count * sizeof(picture->unissued[0]));
	keep(births, picture);
	births->total = shot->first_goidgen - unissued;
	return 0;
}

int pw_births_poll(struct pw_births *births, struct pw_target *target, uint64_t boot_ns)
{
	const struct pw_build_facts *facts = &target->build->facts;
	uint64_t sched = facts->globals.addr[PW_GLOBAL_SCHED], start = pw_now_ns(), unissued;
	int32_t goidgen_at = pw_field_offset(&facts->layout, PW_FIELD_SCHED_GOIDGEN, PW_SCHED_SIZE_MAX);
	int32_t cache_at = pw_field_offset(&facts->layout, PW_FIELD_P_GOIDCACHE, PW_P_SIZE_MAX);
	int32_t end_at = pw_field_offset(&facts->layout, PW_FIELD_P_GOIDCACHEEND, PW_P_SIZE_MAX);
	_cleanup_free_ struct shot *shot = NULL;
	size_t ps = 0, count = 0;
	int r;

	if (!sched || goidgen_at < 0 || cache_at < 0 || end_at != cache_at + 8)
		return -ENOTSUP;
	shot = malloc(sizeof(*shot));
	if (!shot)
		return -ENOMEM;
	for (int attempt = 0; attempt < 3; attempt++) {
		uint64_t before_ns = boot_ns + (pw_now_ns() - start);

		r = pw_runtime_read_ps(target, &shot->ps);
		if (!r)
			r = read_shot(target, shot, sched + target->bias + (uint64_t)goidgen_at, cache_at, &ps);
		if (!r)
			r = check_shot(shot, ps, &count, &unissued);
		if (!r)
			r = add_picture(births, shot, count, unissued, before_ns, boot_ns + (pw_now_ns() - start));
		if (r != -EAGAIN)
			return r;
	}
	return -EAGAIN;
}
